"""Whole studies through the real store and both executors."""

import json
import math
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path

import pytest

from luthier.api import StudyResult, Tunable, open_study, resume
from luthier.core.errors import StudyError, TrainingError
from luthier.core.study import RunState
from luthier.worker.target import load_target


def search(script: Path, **options: object) -> StudyResult:
    tunable = load_target(str(script))
    assert isinstance(tunable, Tunable)
    return tunable.search(**{"store": script.parent / "s.db", "workers": 2, **options})  # type: ignore[arg-type]


def trained(script: Path) -> Counter[tuple[int, int]]:
    lines = (script.parent / "steps.log").read_text().splitlines()
    return Counter((int(line.split()[0]), int(line.split()[1])) for line in lines)


def write(folder: Path, name: str, code: str) -> Path:
    path = folder / name
    path.write_text("import luthier\n" + textwrap.dedent(code))
    return path


@pytest.mark.parametrize("executor", ["inline", "local"])
def test_asha_promotes_from_checkpoints(script: Path, executor: str) -> None:
    result = search(script, trials=12, executor=executor)
    steps = trained(script)
    assert max(steps.values()) == 1, "a step was trained twice"
    assert sum(steps.values()) < 12 * 9
    assert result.best.run.state is RunState.COMPLETED
    assert result.best.checkpoint is not None
    assert result.best.checkpoint.step == 9
    frame = result.curves()
    assert frame[frame.metric == "extra"].value.isna().all()
    assert len(frame) == 2 * sum(steps.values())
    assert result.store.closed == "finished"


def test_executors_agree_with_one_worker(script: Path) -> None:
    inline = search(script, trials=9, executor="inline", seed=3, name="a")
    local = search(script, trials=9, executor="local", seed=3, name="b", workers=1)
    points = [{n: dict(t.params) for n, t in r.view.trials.items()} for r in (inline, local)]
    assert points[0] == points[1]
    assert inline.best.value == local.best.value


def test_points_do_not_depend_on_workers(script: Path) -> None:
    for policy in ("random", "sobol", "grid"):
        one = search(script, trials=5, policy=policy, name=f"{policy}1", workers=1)
        two = search(script, trials=5, policy=policy, name=f"{policy}2", workers=3)
        assert [t.params for t in one.view.trials.values()] == [
            t.params for t in two.view.trials.values()
        ]


def test_budget_of_time_pauses_and_can_be_extended(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEP_S", "0.05")
    result = search(script, time="1s", policy="random")
    assert result.store.closed == "budget-end"
    assert not any(run.active for run in result.view.runs.values())
    store = script.parent / "s.db"
    from luthier.core.budget import Budget

    n_before = len(result.view.trials)
    more = resume(store, budget=Budget(n_trials=n_before))
    assert all(run.state is RunState.COMPLETED for run in more.view.runs.values())
    assert max(trained(script).values()) == 1


def test_user_error_shows_the_users_traceback(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "bad.py",
        """
        @luthier.tune(minimize="loss", space={"a": luthier.Float(0, 1)})
        def train(run):
            raise KeyError("my own mistake")
        """,
    )
    with pytest.raises(TrainingError) as caught:
        search(path, trials=20)
    assert "my own mistake" in caught.value.trace
    assert "bad.py" in caught.value.trace
    assert "luthier/" not in caught.value.trace.replace(str(tmp_path), "")


def test_other_ways_to_end_harm_no_other_run(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "ends.py",
        """
        import os, sys, signal, time
        @luthier.tune(minimize="loss", space={"a": luthier.Choice(0, 1, 2, 3, 4, 5)})
        def train(run):
            run.report(loss=run.params.a)
            match run.params.a:
                case 0: sys.exit(3)
                case 1: os._exit(4)
                case 2: os.kill(os.getpid(), signal.SIGSEGV)
                case 3: time.sleep(60)
                case 4:
                    try:
                        raise ValueError
                    except Exception:
                        pass
        """,
    )
    result = search(path, trials=6, policy="grid", timeout=3)
    states = {run.params["a"]: run.state for run in result.view.current().values()}
    assert states[0] is RunState.FAILED
    assert states[1] is states[2] is RunState.LOST
    assert states[3] is RunState.FAILED
    assert states[4] is states[5] is RunState.COMPLETED
    assert sum(run.params["a"] == 1 for run in result.view.runs.values()) == 3, "two retries"


def test_divergence_is_a_result(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "nan.py",
        """
        import math
        @luthier.tune(minimize="loss", max_steps=2, space={"a": luthier.Choice(0, 1, 2)})
        def train(run):
            for step in run.steps():
                run.report(loss=[math.nan, math.inf, 1.0][run.params.a])
        """,
    )
    result = search(path, trials=3, policy="grid")
    assert {run.state for run in result.view.runs.values()} == {RunState.COMPLETED}
    assert result.best.params["a"] == 2
    values = {r.params["a"]: r.curve.last for r in result.view.runs.values()}
    assert math.isnan(values[0])
    assert values[1] == math.inf


def test_code_with_threads_falls_back_to_fresh_processes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(
        tmp_path,
        "threads.py",
        """
        import threading, time
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
        @luthier.tune(minimize="loss", space={"a": luthier.Float(0, 1)})
        def train(run):
            run.report(loss=run.params.a)
        """,
    )
    result = search(path, trials=2)
    assert "fresh processes" in capsys.readouterr().err
    assert {run.state for run in result.view.runs.values()} == {RunState.COMPLETED}


def test_the_thread_of_an_allocator_is_no_reason_not_to_fork(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Importing pandas loads pyarrow, whose jemalloc starts one; runs compute with both."""
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    path = write(
        tmp_path,
        "frames.py",
        """
        import os, pandas, pyarrow, pyarrow.compute
        TABLE = pandas.DataFrame({"x": range(1000), "word": ["a", "b"] * 500})
        PARENT = os.getpid()
        @luthier.tune(minimize="loss", max_steps=2, space={"lr": luthier.Float(0.1, 1.0)})
        def train(run):
            assert os.getppid() == PARENT, "not forked from where the script was imported"
            for _ in run.steps():
                total = pyarrow.compute.sum(pyarrow.Table.from_pandas(TABLE)["x"]).as_py()
                assert total == TABLE.groupby("word").x.sum().sum()
                run.report(loss=total * run.params.lr)
        """,
    )
    result = search(path, trials=6, policy="full")
    assert "fresh processes" not in capsys.readouterr().err
    assert [run.state for run in result.view.runs.values()] == [RunState.COMPLETED] * 6


def test_unknown_names(script: Path) -> None:
    from luthier.core.errors import UnknownNameError

    with pytest.raises(UnknownNameError, match="asha"):
        search(script, trials=1, policy="ashaa")
    search(script, trials=1, name="once")
    with pytest.raises(StudyError, match="resume once"):
        search(script, trials=1, name="once")


def start_cli(script: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "luthier", "tune", str(script), "--store", "s.db", *more]
    return subprocess.Popen(
        command, cwd=script.parent, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def wait_for_steps(script: Path, n: int) -> None:
    log = script.parent / "steps.log"
    deadline_s = time.monotonic() + 30
    while not log.exists() or len(log.read_text().splitlines()) < n:
        assert time.monotonic() < deadline_s, "the study does not move"
        time.sleep(0.02)


def test_killed_tuner_resumes_and_trains_nothing_twice(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEP_S", "0.1")
    tuner = start_cli(script, "--trials", "4", "--policy", "random", "--workers", "2")
    wait_for_steps(script, 6)
    tuner.kill()
    tuner.communicate()
    result = resume(script.parent / "s.db")
    assert [run.state for run in result.view.current().values()] == [RunState.COMPLETED] * 4
    steps = trained(script)
    # the workers saw that the tuner was gone, saved, and left: nothing was trained twice
    assert max(steps.values()) == 1
    assert len(steps) == 4 * 9


def test_killed_worker_is_retried_from_its_checkpoint(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEP_S", "0.4")
    tuner = start_cli(script, "--trials", "1", "--policy", "random", "--workers", "1")
    wait_for_steps(script, 6)  # beyond a second there is a checkpoint
    lock = script.parent / "s.db.files" / "job-1" / "runs" / "0.0" / "lock"
    os.kill(int(lock.read_text()), signal.SIGKILL)
    _, err = tuner.communicate(timeout=60)
    assert tuner.returncode == 0, err
    runs = open_study(script.parent / "s.db").view.runs
    assert [run.state for run in runs.values()] == [RunState.LOST, RunState.COMPLETED]
    assert runs["0.1"].parent is not None
    assert runs["0.1"].parent.step >= 2
    assert len(runs["0.1"].curve) == 9


def test_ctrl_c_pauses_and_resume_goes_on(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEP_S", "0.1")
    tuner = start_cli(script, "--trials", "3", "--policy", "random", "--workers", "2")
    wait_for_steps(script, 4)
    tuner.send_signal(signal.SIGINT)
    out, err = tuner.communicate(timeout=30)
    assert tuner.returncode == 0, err
    assert "luthier resume job-1" in out
    assert "Traceback" not in err
    done = subprocess.run(
        [sys.executable, "-m", "luthier", "resume", "--store", "s.db", "--json"],
        cwd=script.parent, text=True, capture_output=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["closed"] == "finished"
    assert max(trained(script).values()) == 1


def test_stop_from_outside(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEP_S", "0.2")
    tuner = start_cli(script, "--trials", "1", "--policy", "random", "--workers", "1")
    wait_for_steps(script, 1)
    asked = subprocess.run(
        [sys.executable, "-m", "luthier", "stop", "--store", "s.db", "--because", "seen enough"],
        cwd=script.parent, text=True, capture_output=True, check=True,
    )  # fmt: skip
    assert "asked of 1 run," in asked.stdout
    tuner.communicate(timeout=30)
    run = open_study(script.parent / "s.db").view.runs["0.0"]
    assert (run.state, run.reason) == (RunState.STOPPED, "seen enough")
    assert run.step < 9
