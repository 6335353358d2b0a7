"""From a table to a peer's process and back."""

import json
import subprocess
import sys
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from luthier.table_folder import load_table
from luthier.tables import Table

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    rate = rng.uniform(0, 1, 20)
    steps = np.arange(1, 6)
    place = tmp_path / "made-up"
    place.mkdir()
    np.savez(place / "t.npz", **{
        "hp:learning_rate": 10 ** (-4 * rate), "hp:layers": rng.integers(1, 4, 20),
        "y:loss": (rate[:, None] - 0.3) ** 2 + 1 / steps,
    })  # fmt: skip
    about = {
        "file": "t.npz", "main": "loss", "direction": "min", "target": None,
        "hyperparameters": {
            "learning_rate": {"kind": "float", "low": 1e-4, "high": 1.0, "log": True},
            "layers": {"kind": "int", "low": 1, "high": 3},
        },
    }  # fmt: skip
    (place / "meta.json").write_text(json.dumps({"tasks": {"t": about}}))
    return place


def exported(folder: Path) -> tuple[Table, Path]:
    file = folder / "exported.npz"
    table = load_table(folder, "t")
    import_module("search_jobs").export_table(table, file)
    return table, file


def test_a_table_goes_over_whole(folder: Path) -> None:
    table, file = exported(folder)
    curves = import_module("curves").load(file)
    assert curves.x.shape == (20, 2)
    assert curves.max_steps == table.max_steps
    loss = np.array([0.2, 0.5, np.nan, 9.0])
    np.testing.assert_allclose(curves.regret(loss), table.regret(loss))
    assert np.isfinite(curves.prior[0])  # a learning rate is known by its name
    assert np.isnan(curves.prior[1])


def test_optuna_answers_by_line(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    _, file = exported(folder)
    job = {"task": "made-up/t", "budget": 4.0, "workers": 2, "seed": 0, "file": str(file)}
    asked = tmp_path / "jobs.jsonl"
    policies = ("optuna-tpe-halving", "no-such")
    asked.write_text("".join(json.dumps({**job, "policy": p}) + "\n" for p in policies))
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "peers" / "optuna_peer.py"), str(asked)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    good, bad = map(json.loads, done.stdout.splitlines())
    ours = import_module("search_jobs")
    line = ours.run(ours.Job(str(folder), "t", "random", 4.0, 1, 0))
    assert set(good) == set(line)
    assert 0.0 <= good["r100"] <= good["r10"] <= 1.0
    assert "KeyError" in bad["failed"]


def answer(code: str, timeout_s: float) -> dict[str, Any]:
    peer = import_module("search_peers").Peer([sys.executable, "-c", code], sys.__stderr__)
    try:
        told: dict[str, Any] = peer.run({"n": 1}, timeout_s)
        return told
    finally:
        peer.close()


def test_a_process_that_ends_or_hangs_fails_one_search() -> None:
    echo = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"
    assert answer(echo, 20) == {"n": 1}
    assert answer("raise SystemExit(3)", 20) == {"failed": "the process ended with 3"}
    assert answer("import time; time.sleep(60)", 0.3) == {"failed": "over 0.3 s"}


def test_an_environment_that_pip_refuses_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venvs = import_module("search_venvs")

    def refuse(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        ok = "venv" in command
        return subprocess.CompletedProcess(command, 0 if ok else 1, "", "" if ok else "no such\n")

    monkeypatch.setattr(venvs.subprocess, "run", refuse)
    monkeypatch.setattr(sys, "stderr", StringIO())
    with pytest.raises(OSError, match="no such"):
        venvs.ready("dehb", tmp_path)


def test_slow_peers_get_their_own_number_of_seeds(folder: Path) -> None:
    ours = import_module("search_jobs")
    asked = list(ours.jobs([str(folder)], ["asha", "ax", "dyhpo"], [5.0], [1, 8], 3, 1, 1))
    counted = [(job.policy, job.workers, job.seed) for job in asked]
    assert sum(policy == "asha" for policy, _, _ in counted) == 6
    assert [job for job in counted if job[0] == "ax"] == [("ax", 1, 0)]  # one worker only
    assert [job for job in counted if job[0] == "dyhpo"] == [
        ("dyhpo", 1, 0), ("dyhpo", 8, 0)
    ]  # fmt: skip


def test_every_policy_has_one_home() -> None:
    venvs, ours = import_module("search_venvs"), import_module("search_jobs")
    assert len(set(ours.PEERS)) == len(ours.PEERS)
    assert not set(ours.PEERS) & set(ours.OURS)
    assert set(venvs.SLOW) <= set(ours.PEERS)
    for name, venv in venvs.VENVS.items():
        text = (BENCHMARKS / "peers" / venv.script).read_text()
        assert all(f'"{policy}"' in text for policy in venv.policies), name
        assert set(venv.parallel) <= set(venv.policies)
