"""`luthier simulate` as it is typed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from luthier import Float, tune
from luthier.cli import luthier
from luthier.core.errors import OptionError, StudyError, TableError
from luthier.tables import Table
from luthier.worker.run import LiveRun

KEYS = "task policy seed workers anytime r10 r30 r100 decision_ms_p50 decision_ms_p95 peak_mb"


def test_one_json_object_per_search(make_table: Callable[..., Table], tmp_path: Path) -> None:
    make_table(n=40, n_steps=5)
    prior = tmp_path / "prior.toml"
    prior.write_text('optimizer = "sgd"\n[learning_rate]\nprior = 0.01\nconfidence = "low"\n')
    folder, picture = str(tmp_path / "family"), str(tmp_path / "regret.png")
    asked = ["simulate", folder, "--policy", "asha", "--policy", "freeze-thaw", "--seeds", "2",
             "--budget-runs", "3", "--workers", "2", "--prior", str(prior)]  # fmt: skip
    done = CliRunner().invoke(luthier, [*asked, "--json", "-o", picture], catch_exceptions=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["policy"], line["seed"]) for line in lines] == [
        ("asha", 0), ("asha", 1), ("freeze-thaw", 0), ("freeze-thaw", 1)]  # fmt: skip
    assert all(list(line) == KEYS.split() for line in lines)
    assert all(0 <= line["r100"] <= line["r30"] <= line["r10"] <= 1 for line in lines)
    assert Path(picture).stat().st_size > 1000
    words = CliRunner().invoke(luthier, [*asked[:3], "asha", "--seeds", "1"]).output
    assert "family/task" in words


def test_what_is_wrong_is_said(make_table: Callable[..., Table], tmp_path: Path) -> None:
    make_table(n=40, n_steps=5)
    task = str(tmp_path / "family" / "task")
    prior = tmp_path / "prior.json"
    for told, words in (("[1]", "no mapping"), ('{"speed": 1}', "speed"),
                        ('{"width": {"low": 1}}', "expected a value")):  # fmt: skip
        prior.write_text(told)
        with pytest.raises(OptionError, match=words):
            CliRunner().invoke(luthier, ["simulate", task, "--prior", str(prior)],
                               catch_exceptions=False)  # fmt: skip
    with pytest.raises(TableError, match="no table"):
        CliRunner().invoke(luthier, ["simulate", str(tmp_path)], catch_exceptions=False)
    with pytest.raises(OptionError, match="--seeds 0"):
        CliRunner().invoke(luthier, ["simulate", task, "--seeds", "0"], catch_exceptions=False)


def test_a_study_of_a_store_by_its_name(tmp_path: Path) -> None:
    @tune(minimize="loss", max_steps=3, space={"lr": Float(0.1, 1.0)})
    def train(run: LiveRun) -> None:
        for step in run.steps():
            run.report(loss=run.params.lr / step)

    path = tmp_path / "my.db"
    for name in ("one", "two"):
        train.search(trials=5, name=name, policy="full", executor="inline", store=path)
    asked = ["--policy", "asha", "--seeds", "1", "--budget-runs", "1"]
    said = CliRunner().invoke(luthier, ["simulate", str(path / "one"), *asked]).output
    assert "one\n" in said
    assert "1 seed; budget 1 full run, 1 worker" in said
    with pytest.raises(StudyError, match="three"):
        CliRunner().invoke(luthier, ["simulate", str(path / "three"), *asked],
                           catch_exceptions=False)  # fmt: skip
