"""What every store must do."""

import math
from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np

from luthier.contracts import Store
from luthier.core.action import Continue, Pause, Start
from luthier.core.domain import Choice, Float
from luthier.core.event import (
    Asked,
    Closed,
    Dropped,
    Ended,
    Heard,
    Obeyed,
    Proposed,
    Refused,
    Reported,
    RolledBack,
    Saved,
    Started,
    Ticked,
)
from luthier.core.space import make_space
from luthier.core.study import Checkpoint, Run, RunState, Study, Trial

STUDY = Study(
    "s", make_space({"lr": Float(0, 1), "k": Choice((7, 1), (3, 3))}), "acc", "maximize", 9
)
NAN, INF = math.nan, math.inf


class StoreContract(ABC):
    """Inherit, give a store in `make`, and the same store opened by another in `reopen`."""

    @abstractmethod
    def make(self, folder: Path) -> Store:
        """A store for STUDY with nothing in it."""

    @abstractmethod
    def reopen(self, store: Store) -> Store:
        """The store as someone else finds it."""

    def test_values_survive_as_they_are(self, tmp_path: Path) -> None:
        """NaN, infinities and tiny numbers, the objective turned into losses."""
        store = self.make(tmp_path)
        run_id = propose(store, 0)
        report(store, run_id, (1, 0.1), (2, NAN), (3, INF))
        report(store, run_id, (4, -INF), (4.5, 1e-300))
        store = self.reopen(store)
        curves = store.metrics(run_id)
        np.testing.assert_array_equal(curves["acc"].values, [0.1, NAN, INF, -INF, 1e-300])
        np.testing.assert_array_equal(curves["other"].values, [-0.1, NAN, -INF, INF, -1e-300])
        run = store.view().runs[run_id]
        np.testing.assert_array_equal(run.curve.values, [-0.1, NAN, -INF, INF, -1e-300])
        assert run.curve.steps.tolist() == [1, 2, 3, 4, 4.5]
        assert (run.step, run.params["k"]) == (4.5, (7, 1))

    def test_rollback_and_inheritance(self, tmp_path: Path) -> None:
        """A rollback hides what came after; a fork begins with its parent's curve."""
        store = self.make(tmp_path)
        a = propose(store, 0)
        report(store, a, (1, 1.0), (2, 2.0), (3, 3.0))
        fork = propose(store, 0, Checkpoint(a, 2, "f", 1, 1), attempt=1)
        store.record([RolledBack(a, 1)])
        assert self.reopen(store).view().runs[a].curve.values.tolist() == [-1.0]
        report(store, a, (2, 20.0))
        report(store, fork, (3, 30.0))
        store.record([Ended(a, RunState.COMPLETED, 2, 1.0, "done")])
        store = self.reopen(store)
        assert store.metrics(a)["acc"].values.tolist() == [1.0, 20.0]
        assert store.view().runs[a].curve.values.tolist() == [-1.0, -20.0]
        assert store.view().runs[fork].curve.values.tolist()[-1] == -30.0
        assert store.view().current()[0].id == fork

    def test_the_whole_life_of_a_run(self, tmp_path: Path) -> None:
        """Every kind of event, found again by another reader."""
        store = self.make(tmp_path)
        start = Start(params={"lr": 0.5, "k": (7, 1)}, to_step=1, reason="new-point")
        store.record([Asked(1, start, 7.0)])
        run_id = propose(store, 0)
        saved = [Checkpoint(run_id, step, f"{step}.ckpt", 10, 99, -0.5) for step in (1, 2)]
        store.record([Obeyed(run_id, 1, 0.0), Started(run_id, 0, True, {"lr": 0.5}, 0.25)])
        store.record([Saved(run_id, c) for c in saved])
        store.record([Dropped(run_id, 1, "superseded"), Heard(run_id, 123), Ticked(4.5)])
        store.record([Ended(run_id, RunState.PAUSED, 2, 3.5, "slice-end")])
        unknown = Continue(run_id="x", to_step=9, reason="r")
        store.record([Asked(2, unknown, 8.0), Refused(2, "no x")])
        pause = Pause(run_id=run_id, reason="outside-best", p_best=0.125)
        store.record([Asked(3, pause, 9.0, "ticket"), Obeyed(run_id, 3, 2.0), Closed("finished")])
        store = self.reopen(store)
        run = store.view().runs[run_id]
        assert (run.state, run.reason, run.step, run.train_s) == ("paused", "slice-end", 2, 3.5)
        assert (run.n_starts, run.pausing_s) == (1, 0.25), "the rest is of two steps"
        assert run.checkpoints == (saved[1],)
        assert run.latest == saved[1]
        assert run.heard == 123
        assert store.view().elapsed_s == 4.5
        assert store.closed == "finished"
        first, second, third = store.diary()
        assert (first.action, first.run_id, first.state) == (start, run_id, "obeyed")
        assert (second.state, second.why) == ("refused", "no x")
        assert (third.action, third.ticket) == (pause, "ticket")

    def test_a_view_stays_as_it_was(self, tmp_path: Path) -> None:
        """Later events do not reach a picture that was given out."""
        store = self.make(tmp_path)
        run_id = propose(store, 0)
        report(store, run_id, (1, 1.0))
        before = store.view()
        report(store, run_id, (2, 2.0))
        propose(store, 1)
        assert list(before.runs) == [run_id]
        assert before.runs[run_id].curve.values.tolist() == [-1.0]

    def test_best_is_direction_safe(self, tmp_path: Path) -> None:
        """The largest value wins where the metric is maximized, and NaN never."""
        store = self.make(tmp_path)
        for number, value in enumerate((0.2, 0.9, NAN, 0.5)):
            report(store, propose(store, number), (1, value))
        best = self.reopen(store).view().best()
        assert best is not None
        assert best.trial == 1

    def test_closing_twice(self, tmp_path: Path) -> None:
        """The second time does nothing."""
        store = self.make(tmp_path)
        store.close()
        store.close()


def propose(store: Store, number: int, parent: Checkpoint | None = None, attempt: int = 0) -> str:
    """Record a run of trial `number`."""
    run = Run(f"{number}.{attempt}", number, {"lr": 0.5, "k": (7, 1)}, 9, parent)
    store.record([Proposed(run, Trial(number, run.params))])
    return run.id


def report(store: Store, run_id: str, *rows: tuple[float, float]) -> None:
    """Record (step, acc) rows; `other` is the negative."""
    table = np.array([(step, step / 10, value, -value) for step, value in rows])
    store.record([Reported(run_id, ("acc", "other"), table)])
