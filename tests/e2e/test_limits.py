"""What happens at the limits: memory, disk, devices, damaged files, everything killed at once."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from luthier.api import StudyResult, Tunable, open_study, resume
from luthier.core.study import RunState
from luthier.worker.target import load_target

GREEDY = """
import luthier, os, resource, signal

KINDS = luthier.Choice("calm", "greedy", "full")

@luthier.tune(minimize="loss", max_steps=4, space={"kind": KINDS})
def train(run):
    if run.params.kind == "full":  # the kernel's answer of a full disk, for files of this process
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
    held = []
    for step in run.steps():
        if run.params.kind == "greedy":
            while True:
                held.append(bytearray(os.urandom(1 << 20)) * 16)
        run.report(loss=step, device=float(os.environ.get("CUDA_VISIBLE_DEVICES", "-1")))
"""
STATEFUL = """
import luthier, os, time

class Blob:
    def __init__(self): self.n, self.pad = 0, b"x" * 100_000
    def state_dict(self): return {"n": self.n, "pad": self.pad}
    def load_state_dict(self, state): self.n = state["n"]

@luthier.tune(minimize="loss", max_steps=9, space={"x": luthier.Float(0, 1)})
def train(run):
    blob = Blob()
    run.attach(blob=blob)
    for step in run.steps():
        blob.n += 1
        with open(os.environ["STEPS_LOG"], "a") as log:
            log.write(f"{run.trial} {step}\\n")
        time.sleep(float(os.environ.get("STEP_S", "0")))
        run.report(loss=run.params.x + 1 / blob.n)
"""


def search(folder: Path, code: str, **options: object) -> StudyResult:
    path = folder / "job.py"
    path.write_text(code)
    tunable = load_target(str(path))
    assert isinstance(tunable, Tunable)
    return tunable.search(**{"store": folder / "s.db", "workers": 2, **options})  # type: ignore[arg-type]


def test_memory_and_disk_of_one_run_harm_no_other(tmp_path: Path) -> None:
    result = search(tmp_path, GREEDY, trials=3, policy="grid", memory_gb=1.0)
    runs = {run.params["kind"]: run for run in result.view.current().values()}
    assert runs["calm"].state is RunState.COMPLETED
    assert (runs["greedy"].state, runs["greedy"].reason) == (RunState.FAILED, "memory-limit")
    assert "limit 1.00 GB" in runs["greedy"].error
    assert runs["full"].state in (RunState.FAILED, RunState.LOST)
    assert "E301" in runs["full"].error
    assert "free the disk" in runs["full"].error


def test_devices_are_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    result = search(
        tmp_path, GREEDY, trials=1, policy="grid", workers=None, fixed={"kind": "calm"}, name="a"
    )
    assert set(result.store.metrics("0.0")["device"].values) == {4.0}
    assert result.store.recipe["workers"] == 2  # a run for each device
    result = search(tmp_path, GREEDY, trials=1, policy="grid", workers=None, gpus_per_run=0.25,
                    fixed={"kind": "calm"}, name="b")  # fmt: skip
    assert result.store.recipe["workers"] == 8


def test_checkpoints_stay_within_their_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPS_LOG", str(tmp_path / "steps.log"))
    result = search(tmp_path, STATEFUL, trials=15, disk_gb=0.6e-3)
    files = list((tmp_path / "s.db.files").rglob("*.ckpt"))
    assert sum(path.stat().st_size for path in files) <= 0.6e6
    assert not list((tmp_path / "s.db.files").rglob("*.part"))
    held = [c for run in result.view.runs.values() for c in run.checkpoints]
    assert sorted(c.file for c in held) == sorted(path.name for path in files)
    assert result.best.checkpoint_path.exists()
    stopped = [e for e in result.store.diary() if e.action.reason == "disk-limit"]
    assert stopped, "fifteen trials of 100 kB do not fit into 0.6 MB"
    assert all(e.state == "obeyed" and e.action.author == "guard" for e in stopped)
    assert result.best.run.state is RunState.COMPLETED


def test_a_damaged_checkpoint_falls_back_to_an_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "steps.log"
    monkeypatch.setenv("STEPS_LOG", str(log))
    monkeypatch.setenv("STEP_S", "0.6")
    tuner = start(tmp_path, STATEFUL, "--trials", "1", "--workers", "1", "--policy", "random")
    wait_for_steps(log, 5)
    tuner.send_signal(signal.SIGINT)
    tuner.communicate(timeout=30)
    run = open_study(tmp_path / "s.db").view.runs["0.0"]
    assert run.latest is not None
    path = tmp_path / "s.db.files" / "job-1" / "runs" / "0.0" / "checkpoints" / run.latest.file
    block = bytearray(path.read_bytes())
    block[len(block) // 2] ^= 1
    path.write_bytes(block)
    monkeypatch.setenv("STEP_S", "0")
    view = resume(tmp_path / "s.db").view
    last = view.current()[0]
    assert last.state is RunState.COMPLETED
    assert len(last.curve) == 9
    assert view.runs["0.0"].state is RunState.LOST
    assert "checksum" in view.runs["0.0"].error
    begun_again = last.parent.step if last.parent else 0
    assert begun_again < run.latest.step
    steps = Counter(log.read_text().split("\n"))
    assert steps["0 1"] == (2 if begun_again == 0 else 1)


def test_everything_killed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "steps.log"
    monkeypatch.setenv("STEPS_LOG", str(log))
    monkeypatch.setenv("STEP_S", "0.3")
    tuner = start(tmp_path, STATEFUL, "--trials", "2", "--workers", "2", "--policy", "random")
    wait_for_steps(log, 12)
    locks = list((tmp_path / "s.db.files" / "job-1" / "runs").glob("*/lock"))
    assert len(locks) == 2
    for pid in [tuner.pid, *(int(lock.read_text()) for lock in locks)]:
        os.kill(pid, signal.SIGKILL)
    tuner.communicate()
    reported = {
        path.parent.name: path.read_text().count('["r",')
        for path in (tmp_path / "s.db.files").rglob("wire.jsonl")
    }
    found = open_study(tmp_path / "s.db").view
    assert {run.id: len(run.curve) for run in found.runs.values()} == reported
    assert min(reported.values()) >= 5
    monkeypatch.setenv("STEP_S", "0")
    view = resume(tmp_path / "s.db").view
    assert [run.state for run in view.current().values()] == [RunState.COMPLETED] * 2
    for run in view.current().values():
        assert run.parent is not None, "a trial began again from nothing"
        assert run.parent.step >= 2
        assert len(run.curve) == 9


def test_curves_as_an_arrow_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPS_LOG", str(tmp_path / "steps.log"))
    result = search(tmp_path, STATEFUL, trials=2, policy="random", executor="inline")
    table = result.curves(arrow=True)
    assert table.num_rows == 18
    frame = result.curves()
    assert table.column("value").to_pylist() == list(frame.value)
    assert table.column("run").to_pylist() == list(frame.run)


def start(folder: Path, code: str, *more: str) -> subprocess.Popen[str]:
    (folder / "job.py").write_text(code)
    command = [sys.executable, "-m", "luthier", "tune", "job.py", "--store", "s.db", *more]
    return subprocess.Popen(
        command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def wait_for_steps(log: Path, n: int) -> None:
    deadline_s = time.monotonic() + 30
    while not log.exists() or len(log.read_text().splitlines()) < n:
        assert time.monotonic() < deadline_s, "the study does not move"
        time.sleep(0.02)
