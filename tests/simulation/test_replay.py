"""The replay executor under the real tuner."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from luthier.core.action import Action, Change, Continue, Fork, Pause, RollBack, Start, Stop
from luthier.core.errors import TableError
from luthier.core.study import RunState, Study, StudyView
from luthier.executors.replay import ReplayExecutor
from luthier.simulation import policy_on, simulate
from luthier.stores.memory import MemoryStore
from luthier.table_folder import load_table
from luthier.tables import Table
from luthier.tuner import Tuner

NAMES = ["random", "asha", "halving", "sobol", "freeze-thaw"]


@dataclass
class Script:
    """A policy that asks for one thing after the other, each when nothing trains."""

    actions: list[Action]

    def decide(self, view: StudyView) -> Sequence[Action]:
        busy = any(run.active for run in view.runs.values())
        return [] if busy or not self.actions else [self.actions.pop(0)]


def play(table: Table, *actions: Action, n_workers: int = 1) -> StudyView:
    study = Study("s", table.space, table.metric, table.goal, table.max_steps)
    executor = ReplayExecutor(table, n_workers)
    with closing(MemoryStore(study)) as store:
        view = Tuner(store, Script(list(actions)), executor, clock=executor.clock).run()
    assert view.elapsed_s == pytest.approx(executor.clock())
    return view


def whole(table: Table) -> int:
    """A point whose row neither ends early nor diverges."""
    return int(np.flatnonzero(table.n_steps[[r[0] for r in table.rows]] == table.max_steps)[0])


def test_a_run_is_a_slice_of_its_row(make_table: Callable[..., Table]) -> None:
    table = make_table(n=40, n_steps=9)
    point = whole(table)
    row = table.rows[point][0]
    start = Start(params=table.points[point], to_step=3, reason="test")
    view = play(table, start)
    run = view.runs["0.0"]
    assert run.state is RunState.PAUSED
    np.testing.assert_array_equal(run.curve.values, table.losses[row, :3])
    assert view.elapsed_s == pytest.approx(table.step_s[row, :3].sum())
    more = Continue(run_id="0.0", to_step=9, reason="test")
    run = play(table, start, more).runs["0.0"]
    assert run.state is RunState.COMPLETED
    np.testing.assert_array_equal(run.curve.values, table.losses[row])


def test_forks_rollbacks_and_stops(make_table: Callable[..., Table]) -> None:
    table = make_table(n=40, n_steps=9)
    start = Start(params=table.points[whole(table)], to_step=3, reason="test")
    fork = Fork(run_id="0.0", at_step=3, to_step=5, reason="test")
    view = play(table, start, fork)
    assert view.runs["0.1"].curve.steps.tolist() == [1, 2, 3, 4, 5]
    back = RollBack(run_id="0.0", to_step=3, reason="test")
    further = Continue(run_id="0.0", to_step=5, reason="test")
    # the fork is why the tuner still has the checkpoint at step 3
    view = play(table, start, fork, further, back, Stop(run_id="0.0", reason="enough"))
    assert view.runs["0.0"].state is RunState.STOPPED
    assert view.runs["0.0"].curve.steps.tolist() == [1, 2, 3]


@dataclass
class Meddler:
    """Starts one run and asks something of it while it trains."""

    start: Start
    then: Action

    def decide(self, view: StudyView) -> Sequence[Action]:
        if not view.runs:
            return [self.start]
        run = view.runs["0.0"]
        asked = not run.active or run.step != 2
        return [] if asked else [self.then]


def test_orders_take_effect_after_the_step_under_way(make_table: Callable[..., Table]) -> None:
    table = make_table(n=40, n_steps=9)
    start = Start(params=table.points[whole(table)], to_step=9, reason="test")
    for action, state, step in (
        (Pause(run_id="0.0", reason="rest"), RunState.PAUSED, 3),
        (Stop(run_id="0.0", reason="enough"), RunState.STOPPED, 3),
    ):
        study = Study("s", table.space, table.metric, table.goal, table.max_steps)
        executor = ReplayExecutor(table)
        with closing(MemoryStore(study)) as store:
            view = Tuner(store, Meddler(start, action), executor, clock=executor.clock).run()
        assert (view.runs["0.0"].state, view.runs["0.0"].step) == (state, step)


def test_stored_curves_are_not_changed(make_table: Callable[..., Table]) -> None:
    table = make_table(n=40, n_steps=9)
    executor = ReplayExecutor(table)
    study = Study("s", table.space, table.metric, table.goal, table.max_steps)
    start = Start(params=table.points[whole(table)], to_step=9, reason="test")
    change = Change(run_id="0.0", params={}, reason="test")
    with closing(MemoryStore(study)) as store:
        Tuner(store, Meddler(start, change), executor, clock=executor.clock).run()
        assert any("stored curve" in entry.why for entry in store.diary())


def test_diverged_rows_fail_with_nan(make_table: Callable[..., Table]) -> None:
    table = make_table(n=80, n_steps=9)
    point = next(i for i, rows in enumerate(table.rows) if table.diverged[rows[0]])
    view = play(table, Start(params=table.points[point], to_step=9, reason="test"))
    run = view.runs["0.0"]
    assert run.state is RunState.FAILED
    assert np.isnan(run.curve.last)
    assert run.step == table.n_steps[table.rows[point][0]]


@pytest.mark.parametrize("n_workers", [1, 4])
@pytest.mark.parametrize("name", ["asha", "freeze-thaw", "full", "tpe"])
def test_steps_without_a_report(
    write_table: Callable[..., Path], name: str, n_workers: int
) -> None:
    rng = np.random.default_rng(0)
    rate = rng.uniform(0, 1, 40)
    losses = rate[:, None] + 1.0 / np.arange(1, 13)
    losses[:, np.arange(12) % 3 < 2] = np.nan  # measured at every third step
    about = {"rate": {"kind": "float", "low": 0.0, "high": 1.0}}
    folder = write_table(about, {"hp:rate": rate, "y:loss": losses})
    table = load_table(folder, "task")
    outcome = simulate(table, policy_on(table, name), budget_runs=6, n_workers=n_workers)
    assert outcome.at(1.0) < 1.0
    n_silent = 2 if n_workers == 1 else 0
    assert (outcome.regret[:n_silent] == 1.0).all(), "nothing is known before the first report"
    for run in outcome.view.runs.values():
        assert (run.curve.steps % 3 == 0).all()
        assert len(run.curve) == run.step // 3


def test_points_that_the_table_lacks(make_table: Callable[..., Table]) -> None:
    table = make_table(n=40, n_steps=9)
    lacking = {**table.points[0], "learning_rate": 0.123456}
    with pytest.raises(TableError, match="OnTable"):
        play(table, Start(params=lacking, to_step=9, reason="test"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n_workers", [1, 8])
def test_every_policy(make_table: Callable[..., Table], name: str, n_workers: int) -> None:
    table = make_table(n=60, n_steps=9)
    first, again = (
        simulate(table, policy_on(table, name), budget_runs=4, n_workers=n_workers, seed=3)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.regret, again.regret)
    assert {i: t.params for i, t in first.view.trials.items()} == {
        i: t.params for i, t in again.view.trials.items()
    }
    assert len(first.regret) == 36
    assert (np.diff(first.regret) <= 0).all()
    assert all(table.find(trial.params) is not None for trial in first.view.trials.values())
    points = [tuple(t.params.items()) for t in first.view.trials.values()]
    assert len(set(points)) == len(points), "a point was started twice"
    spent = sum(run.step for run in first.view.runs.values())
    assert 36 <= spent < 36 + n_workers + 1
    busy_s = sum(run.train_s for run in first.view.runs.values())
    assert first.elapsed_s <= busy_s / (1 if n_workers == 1 else 1.5) + 1e-6


def test_a_table_runs_out(make_table: Callable[..., Table]) -> None:
    table = make_table(n=12, n_steps=5)
    outcome = simulate(table, policy_on(table, "random"), budget_runs=100, seed=0)
    assert outcome.n_trials == len(table.points)
    assert outcome.at(1.0) == 0.0
