"""Tables of small real trainings can be searched."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from luthier.table_folder import load_table, tables_of

pytestmark = pytest.mark.xdist_group("make-tables")  # made once
SCRIPT = Path(__file__).parents[2] / "benchmarks" / "make_tables.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("made")
    command = [sys.executable, str(SCRIPT), str(made), "--points", "40", "--steps", "12"]
    subprocess.run(command, check=True, capture_output=True, timeout=240)
    return made


def test_all_kinds_are_there_and_learn(folder: Path) -> None:
    kinds = {"cosine", "restarts", "brittle"}
    assert set(tables_of(folder)) == {f"{k}-{d}" for k in kinds for d in ("digits", "cancer")}
    for task in tables_of(folder):
        table = load_table(folder, task)
        assert table.losses.shape == (40, 12)
        first = np.nanmedian(np.where(np.isfinite(table.losses), table.losses, np.nan)[:, 0])
        assert table.best_losses().min() < first / 2, task


def test_what_makes_them_hard_is_in_them(folder: Path) -> None:
    brittle = load_table(folder, "brittle-digits")
    broken = [not np.isfinite(losses).any() for losses in brittle.losses]
    assert 0.05 < np.mean(broken) < 0.6
    assert {"momentum" in p for p in brittle.points} == {True, False}, "it belongs to SGD"
    restarts = load_table(folder, "restarts-digits")
    assert len(set(restarts.n_steps.tolist())) > 1, "some are planned shorter"
    about = json.loads((folder / "meta.json").read_text())["tasks"]["cosine-cancer"]
    assert about["hyperparameters"]["warmup"]["high"] == 4
