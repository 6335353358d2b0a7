"""Batches that are left out: a run that goes on inside of the window is the unbroken one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from luthier.core.action import Action, Change, Continue, Fork, Start
from luthier.core.domain import Float
from luthier.core.space import make_space
from luthier.core.study import RunState, Study, StudyView
from luthier.executors.inline import InlineExecutor
from luthier.stores.memory import MemoryStore
from luthier.tuner import Tuner

STEPS, BATCHES = 8, 4
SPACE = make_space({"lr": Float(0.0, 1.0, prior=0.5, live=True)})
# whole steps, a beginning and an end inside of a step, and the very first batches
WINDOWS = [((2.0, 5.0),), ((2.5, 5.25),), ((1.25, 1.75), (3.0, 6.0)), ((0.0, 2.0),)]


class Sum:
    """Adds up its batches; as order matters, each step shrinks what there is."""

    def __init__(self, lr: float) -> None:
        self.param_groups = [{"lr": lr, "params": []}]
        self.total = 0.0

    def state_dict(self) -> dict[str, Any]:
        return {"total": self.total, "lr": self.param_groups[0]["lr"]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.total, self.param_groups[0]["lr"] = state["total"], state["lr"]


def train(run: Any) -> None:
    """The batch of each place is its number."""
    model = Sum(run.params.lr)
    run.attach(model=model)
    for step in run.steps():
        for number in run.batches(range((step - 1) * BATCHES, step * BATCHES)):
            model.total = 0.7 * model.total + model.param_groups[0]["lr"] * number
        run.report(loss=model.total)


@dataclass(frozen=True)
class Sliced:
    """One run with a window, in leases that end at these steps."""

    ends: tuple[float, ...]
    windows: tuple[tuple[float, float], ...]

    def decide(self, view: StudyView) -> Sequence[Action]:
        if not view.runs:
            plan = ((0.0, {"batches/skip": self.windows}),)
            return [Start(params=SPACE.default(), to_step=self.ends[0], plan=plan, reason="r")]
        run = view.runs["0.0"]
        if run.state is not RunState.PAUSED:
            return []
        return [Continue(run_id=run.id, to_step=next(e for e in self.ends if e > run.step),
                         reason="r")]  # fmt: skip


def losses(ends: tuple[float, ...], windows: Any) -> list[float]:
    store = MemoryStore(Study("s", SPACE, "loss", max_steps=STEPS))
    Tuner(store, Sliced(ends, windows), InlineExecutor(train)).run()
    store.close()
    return [float(value) for value in store.view().runs["0.0"].curve.values]


@pytest.mark.parametrize("windows", WINDOWS, ids=str)
def test_a_pause_inside_of_the_window_changes_nothing(windows: Any) -> None:
    whole = losses((STEPS,), windows)
    assert losses((1, 2, 3, 4, 5, 6, 7, STEPS), windows) == whole
    assert losses((4, STEPS), windows) == whole
    assert whole != losses((STEPS,), ((7.0, 7.25),))


@dataclass(frozen=True)
class Forked:
    """A run that is left in the middle of a step, by a change that changes nothing; then a fork."""

    at: float
    windows: tuple[tuple[float, float], ...]

    def decide(self, view: StudyView) -> Sequence[Action]:
        if not view.runs:
            plan = ((0.0, {"batches/skip": self.windows}), (self.at, {"lr": 0.5}))
            return [Start(params=SPACE.default(), to_step=STEPS, plan=plan, reason="r")]
        if len(view.runs) == 1 and view.runs["0.0"].state is RunState.COMPLETED:
            return [Fork(run_id="0.0", at_step=self.at, to_step=STEPS, reason="r")]
        return []


@pytest.mark.parametrize("at", [2.25, 2.5, 2.75])
def test_a_fork_from_the_middle_of_a_step_changes_nothing(at: float) -> None:
    """Some batches of the step were trained before: the last one, left out, is not put back."""
    windows = ((2.75, 5.0),)
    store = MemoryStore(Study("s", SPACE, "loss", max_steps=STEPS))
    Tuner(store, Forked(at, windows), InlineExecutor(train)).run()
    store.close()
    runs = store.view().runs
    assert any(isinstance(e.action, Change) and e.step == at for e in store.diary())
    assert runs["0.1"].parent is not None
    assert [*runs["0.1"].curve.values] == [*runs["0.0"].curve.values]


def test_what_cannot_be_pickled_does_not_end_the_run() -> None:
    def odd(run: Any) -> None:
        model = Sum(run.params.lr)
        run.attach(model=model)
        for _ in run.steps():
            for batch in run.batches([lambda: 1.0] * BATCHES):
                model.total += batch()
            run.report(loss=model.total)

    store = MemoryStore(Study("s", SPACE, "loss", max_steps=STEPS))
    Tuner(store, Sliced((3, STEPS), ((2.0, 5.0),)), InlineExecutor(odd)).run()
    store.close()
    assert store.view().runs["0.0"].state is RunState.COMPLETED
