"""Corners that were once wrong."""

import math
import multiprocessing
import shutil
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import luthier
from luthier.api import StudyResult, Tunable, resume
from luthier.core.budget import Budget
from luthier.core.curve import Curve
from luthier.core.errors import (
    DomainError,
    OptionError,
    StudyError,
    TargetError,
    TrainingError,
)
from luthier.core.event import Closed
from luthier.core.space import make_space
from luthier.core.study import Run, RunState, Study
from luthier.policies.rungs import standing
from luthier.stores.sqlite import SqliteStore
from luthier.stores.sqlite_file import names_in
from luthier.worker.target import load_target


def tunable(folder: Path, code: str) -> Tunable:
    path = folder / "job.py"
    path.write_text("import luthier\n" + textwrap.dedent(code))
    loaded = load_target(str(path))
    assert isinstance(loaded, Tunable)
    return loaded


def search(folder: Path, code: str, **options: object) -> StudyResult:
    return tunable(folder, code).search(**{"store": folder / "s.db", **options})  # type: ignore[arg-type]


PLAIN = """
@luthier.tune(minimize="loss", max_steps=9, space={"lr": luthier.Float(0.001, 1, log=True)})
def train(run):
    for step in run.steps():
        run.report(loss=run.params.lr)
"""


def test_results_of_a_deleted_store_are_not_taken_over(tmp_path: Path) -> None:
    first = search(tmp_path, PLAIN, trials=2, policy="random", seed=1)
    (tmp_path / "s.db").unlink()
    for rest in tmp_path.glob("s.db-*"):
        rest.unlink()
    second = search(tmp_path, PLAIN, trials=2, policy="random", seed=2)
    assert second.name != first.name
    for run in second.view.runs.values():
        assert set(run.curve.values) == {run.params["lr"]}
    with pytest.raises(StudyError, match="whose store is gone"):
        search(tmp_path, PLAIN, trials=1, name=first.name)
    shutil.rmtree(tmp_path / "s.db.files" / first.name)
    search(tmp_path, PLAIN, trials=1, name=first.name)


def test_runs_that_cannot_pause_under_a_policy_that_pauses(tmp_path: Path) -> None:
    # orders reach them as they end; a socket that is closed with orders unread is no error
    for seed in range(3):
        result = search(tmp_path, PLAIN, trials=15, workers=2, seed=seed)
        assert all(run.state.ended for run in result.view.runs.values())


def test_functions_as_constraints_hold_after_resume(tmp_path: Path) -> None:
    code = """
    @luthier.tune(minimize="loss", space={"lr": luthier.Float(0.0, 1.0)},
                  constraints=[lambda p: p["lr"] < 0.3])
    def train(run):
        run.report(loss=run.params.lr)
    """
    search(tmp_path, code, trials=5, policy="random")
    more = resume(tmp_path / "s.db", budget=Budget(n_trials=15))
    assert len(more.view.trials) == 15
    assert max(trial.params["lr"] for trial in more.view.trials.values()) < 0.3


def test_conditions_on_what_is_fixed(tmp_path: Path) -> None:
    code = """
    @luthier.tune(minimize="loss", space={
        "optimizer": luthier.Choice("adam", "sgd", prior="adam"),
        "momentum": luthier.Float(0.0, 0.9, when={"optimizer": "sgd"})})
    def train(run):
        run.report(loss=run.params.get("momentum", 1.0))
        return dict(run.params)
    """
    for optimizer in ("adam", "sgd"):
        result = search(tmp_path, code, trials=2, policy="random", fixed={"optimizer": optimizer})
        for trial in result.view.trials.values():
            assert ("momentum" in trial.params) == (optimizer == "sgd")
    train = tunable(tmp_path, code)
    assert train(optimizer="sgd") == {"optimizer": "sgd", "momentum": 0.45}


def test_steps_in_two_loops(tmp_path: Path) -> None:
    code = """
    class Counter:
        n = 0
        def state_dict(self): return {"n": self.n}
        def load_state_dict(self, state): self.n = state["n"]

    @luthier.tune(minimize="loss", max_steps=9, space={"lr": luthier.Float(0.0, 1.0)})
    def train(run):
        counter = Counter()
        run.attach(counter=counter)
        for part in (4, None):
            for step in run.steps(part):
                counter.n += 1
                assert counter.n == step, (counter.n, step)
                run.report(loss=run.params.lr)
    """
    result = search(tmp_path, code, trials=9)
    states = {run.state for run in result.view.runs.values()}
    assert states == {RunState.PAUSED, RunState.COMPLETED}, [
        run.error for run in result.view.runs.values() if run.error
    ]


def test_a_loop_that_is_left_early_keeps_its_last_state(tmp_path: Path) -> None:
    code = """
    class Nothing:
        def state_dict(self): return {}
        def load_state_dict(self, state): pass

    @luthier.tune(minimize="loss", max_steps=9, space={"lr": luthier.Float(0.0, 1.0)})
    def train(run):
        run.attach(nothing=Nothing())
        for step in run.steps():
            run.report(loss=1 / step)
            if step == 5:
                break
    """
    result = search(tmp_path, code, trials=1, policy="full")
    assert result.best.checkpoint is not None
    assert result.best.checkpoint.step == 5


def test_a_script_that_always_dies_ends_the_study(tmp_path: Path) -> None:
    code = """
    import os
    @luthier.tune(minimize="loss", space={"lr": luthier.Float(0.0, 1.0)})
    def train(run):
        os._exit(3)
    """
    with pytest.raises(TrainingError, match="first 3 runs"):
        search(tmp_path, code, time="60s")


def test_a_dead_run_is_no_rival() -> None:
    steps = np.array([1.0, 2.0])
    dead = Run("0.0", 0, {}, 9, state=RunState.FAILED, step=2, curve=Curve(steps, steps / 9))
    assert standing(dead, 2) == pytest.approx(2 / 9)
    assert standing(dead, 3) == math.inf


def test_steps_that_are_none(tmp_path: Path) -> None:
    for step in ("float('nan')", "12"):
        code = f"""
        @luthier.tune(minimize="loss", max_steps=9, space={{"lr": luthier.Float(0.0, 1.0)}})
        def train(run):
            run.report(loss=1.0, step={step})
        """
        with pytest.raises(TrainingError) as caught:
            search(tmp_path, code, trials=5)
        assert "expected a number of steps up to 9" in caught.value.trace


def create(path: Path, name: str) -> None:
    study = Study(name, make_space({"x": luthier.Float(0, 1)}), "loss")
    SqliteStore.create(path, study, {}).close()


def test_a_script_that_is_gone_is_named(tmp_path: Path) -> None:
    path = tmp_path / "gone.py"
    path.write_text(
        "import luthier\n@luthier.tune(minimize='loss', space={'x': luthier.Float(0.0, 1.0)})\n"
        "def train(run):\n    run.report(loss=run.params.x)\n"
    )
    train = load_target(str(path))
    assert isinstance(train, Tunable)
    train.search(trials=1, store=tmp_path / "s.db", executor="inline")
    path.unlink()
    with pytest.raises(TargetError, match=r"was trained by .*gone.py.* only with that: no file"):
        resume(tmp_path / "s.db")


def test_names_that_mean_nothing() -> None:
    for name in ("", 1):
        with pytest.raises(DomainError, match="is named"):
            luthier.tune(minimize="loss", space={name: luthier.Float(0.0, 1.0)})


def test_a_new_file_is_made_by_several_at_once(tmp_path: Path) -> None:
    for attempt in range(4):
        path = tmp_path / f"{attempt}.db"
        context = multiprocessing.get_context("fork")
        makers = [context.Process(target=create, args=(path, f"s{i}")) for i in range(4)]
        for maker in makers:
            maker.start()
        for maker in makers:
            maker.join()
        assert [maker.exitcode for maker in makers] == [0] * 4


@pytest.mark.parametrize("options", [
    {"trials": "10"}, {"trials": 2.5}, {"trials": True}, {"trials": 2, "workers": "2"},
    {"trials": 2, "memory_gb": "1"}, {"trials": 2, "timeout": -5}, {"trials": 2, "seed": -1},
    {"trials": 2, "name": "a\0b"}, {"trials": 2, "policy": "fixed"}, {},
], ids=str)  # fmt: skip
def test_options_that_mean_nothing(tmp_path: Path, options: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        search(tmp_path, PLAIN, **options)
    assert not (tmp_path / "s.db").exists(), "a study that cannot be is not begun"


@pytest.mark.parametrize(("every", "attached"), [(2, True), (5, True), (2, False)])
@pytest.mark.parametrize(
    "policy",
    ["asha", "hyperband", "halving", "one-epoch", "pasha", "bohb", "asha-stopping", "median",
     "freeze-thaw"],
)  # fmt: skip
def test_a_metric_that_comes_seldom(
    tmp_path: Path, policy: str, every: int, attached: bool
) -> None:
    path = tmp_path / "third.py"
    path.write_text(f"""
import luthier

class Nothing:
    def state_dict(self): return {{}}
    def load_state_dict(self, state): pass

@luthier.tune(minimize="loss", max_steps=27, space={{"x": luthier.Float(0.0, 1.0)}})
def train(run):
    if {attached}:
        run.attach(nothing=Nothing())
    for step in run.steps():
        if step % {every} == 0:
            run.report(loss=(run.params.x - 0.3) ** 2 + 1 / step)
""")
    train = load_target(str(path))
    assert isinstance(train, Tunable)
    result = train.search(trials=9, store=tmp_path / "s.db", executor="inline", policy=policy)
    runs = result.view.runs.values()
    assert all(len(run.curve) for run in runs), [(run.id, run.step) for run in runs]
    nearest = min(runs, key=lambda run: abs(run.params["x"] - 0.3))  # type: ignore[operator]
    assert result.best.run.id == nearest.id
    assert nearest.state is RunState.COMPLETED


def test_who_begin_at_once_get_a_study_each(tmp_path: Path) -> None:
    gate = threading.Barrier(6)

    def begin() -> None:
        gate.wait()
        made = luthier.create(space={"x": luthier.Float(0, 1)}, minimize="loss", trials=1,
                              store=tmp_path / "s.db")  # fmt: skip
        made.close()

    with ThreadPoolExecutor(6) as pool:
        for made in [pool.submit(begin) for _ in range(6)]:
            made.result()
    assert names_in(tmp_path / "s.db") == {f"study-{n}" for n in range(1, 7)}


def test_resume_takes_the_newest_that_is_open(tmp_path: Path) -> None:
    train = tunable(
        tmp_path,
        """
    @luthier.tune(minimize='loss', space={'x': luthier.Float(0.0, 1.0)})
    def train(run):
        run.report(loss=run.params.x)
    """,
    )
    store = tmp_path / "s.db"
    for name in ("open", "done"):
        result = train.search(trials=1, store=store, name=name, executor="inline")
        if name == "open":
            result.store.close()
            left = SqliteStore.open(store, name, read_only=False)
            left.record([Closed("")])
            left.close()
    assert resume(store).name == "open"
    assert resume(store, budget=Budget(n_trials=2)).name == "done"


def test_the_autopilot_waits_for_the_first_report(tmp_path: Path) -> None:
    code = """
    class Nothing:
        def state_dict(self): return {}
        def load_state_dict(self, state): pass

    @luthier.tune(minimize="loss", max_steps=200,
                  space={"lr": luthier.Float(1e-4, 1, log=True, live=True)})
    def train(run):
        run.attach(nothing=Nothing())
        for step in run.steps():
            if step % 5 == 0:
                run.report(loss=abs(run.params.lr - 0.1) + 1 / step)
    """
    result = search(tmp_path, code, policy="autopilot", steps=200, executor="inline", lint=False)
    probed = {run.params["lr"]: run for run in result.view.runs.values()}
    assert len(probed) > 1
    assert all(len(run.curve) for run in probed.values())
    assert max(run.step for run in probed.values()) > 100, "one is raised"


@pytest.mark.parametrize("policy", ["random", "asha", "freeze-thaw"])
def test_a_finite_space_with_constraints_comes_to_its_end(tmp_path: Path, policy: str) -> None:
    code = """
    @luthier.tune(minimize="loss", max_steps=9, constraints=["a <= 2"],
                  space={"a": luthier.Int(1, 4), "b": luthier.Choice("x", "y")})
    def train(run):
        for step in run.steps():
            run.report(loss=run.params.a / step)
    """
    result = search(tmp_path, code, policy=policy, trials=10, executor="inline")
    assert len(result.view.trials) == 4
    assert result.store.closed == "finished"
