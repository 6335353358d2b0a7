"""What every policy must do: whole studies on paper, through the real tuner."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

import pytest

from luthier.contracts import Policy
from luthier.core.action import Action, Author, Fork, Pause, Release, Start
from luthier.core.budget import Budget
from luthier.core.domain import Float, Value
from luthier.core.event import Ended
from luthier.core.person import waits_for_a_person
from luthier.core.space import make_space
from luthier.core.study import RunState, Study, StudyView
from luthier.stores.memory import MemoryStore
from luthier.testing.paper import Formula, PaperExecutor
from luthier.tuner import Tuner
from luthier.worker.inbox import post

MAX_STEPS, N_TRIALS = 9, 20
SPACE = make_space({"lr": Float(1e-4, 1.0, log=True, live=True), "x": Float(0.0, 1.0)})


def bowl(params: Mapping[str, Value], step: float) -> float:
    """Falls with the steps towards a value that depends on the point."""
    lr, x = float(params["lr"]), float(params["x"])
    return (math.log10(lr) + 2.0) ** 2 + x + 1.0 / step


def cliff(params: Mapping[str, Value], step: float) -> float:
    """The same, but large rates diverge at once and middle ones after two steps."""
    lr = float(params["lr"])
    if lr > 0.3 or (lr > 0.1 and step > 2):
        return math.nan if lr > 0.5 else math.inf
    return bowl(params, step)


class PolicyContract(ABC):
    """Inherit, and give the policy in `make`.

    `goes_on`: begins new trials for as long as the budget lasts; a policy with a population of its
    own size may end before. `dies_after`: decisions after which the tuner is killed.
    """

    goes_on = True
    dies_after = 12

    @abstractmethod
    def make(self) -> Policy:
        """A policy that has not been used, with any sampler."""

    @pytest.mark.parametrize("n_workers", [1, 2, 8])
    @pytest.mark.parametrize("formula", [bowl, cliff], ids=["bowl", "cliff"])
    def test_ends_within_the_budget(self, n_workers: int, formula: Formula) -> None:
        """All trials of the budget and no more; the winner is trained to its last step."""
        view = tuned(self.make(), formula, n_workers).view()
        self._check_trials(len(view.trials))
        assert not any(run.active for run in view.runs.values())
        best = view.best()
        assert best is not None
        trained = [run for run in view.runs.values() if run.state is RunState.COMPLETED]
        assert trained, "no run was trained to its last step"

    def test_time_ends_it(self) -> None:
        """A study without a number of trials is ended by its time."""
        view = tuned(self.make(), bowl, 2, budget=Budget(time_s=60.0)).view()
        assert view.elapsed_s < 60.0 + 2 * MAX_STEPS
        assert view.elapsed_s >= 60.0 or not self.goes_on
        assert not any(run.active for run in view.runs.values())

    def test_same_seed_same_decisions(self) -> None:
        """The diaries of two studies are the same."""
        first, second = (tuned(self.make(), cliff, 4) for _ in range(2))
        assert [e.action for e in first.diary()] == [e.action for e in second.diary()]

    def test_asked_twice_says_the_same(self) -> None:
        """A policy keeps nothing between calls and takes no more places than are free."""
        policy = _AskedTwice(self.make(), self.make)
        tuned(policy, cliff, 4)
        assert policy.n_calls > 0

    def test_a_killed_tuner_goes_on(self) -> None:
        """Another tuner and another policy go on from what is in the store."""
        store = MemoryStore(question())
        executor = PaperExecutor(bowl, 2, max_steps=MAX_STEPS)
        with pytest.raises(_Killed):
            Tuner(
                store, _DiesAfter(self.make(), self.dies_after), executor, clock=executor.clock
            ).run()
        active = [run.id for run in store.view().runs.values() if run.active]
        store.record([Ended(i, RunState.LOST, None, None, "tuner-lost") for i in active])
        executor = PaperExecutor(bowl, 2, max_steps=MAX_STEPS)
        view = Tuner(store, self.make(), executor, clock=executor.clock).run()
        store.close()
        self._check_trials(len(view.trials))
        assert any(run.state is RunState.COMPLETED for run in view.current().values())

    @pytest.mark.parametrize("at_step", [1, 2])
    def test_what_a_person_paused_waits(self, at_step: int) -> None:
        """It is not sent on, wherever it stands, until it is handed back; the others are. Then it
        goes to where it was sent before."""
        store = MemoryStore(question())
        executor = PaperExecutor(bowl, 2, max_steps=MAX_STEPS)
        person = _Pauses(store, at_step)
        Tuner(store, self.make(), executor, observe=person.look, clock=executor.clock).run()
        view = store.view()
        asked = next(e for e in view.diary if e.action.author is Author.HUMAN)
        run = view.runs[asked.run_id]
        assert (asked.state, run.state) == ("obeyed", RunState.PAUSED)
        assert run.step == asked.step
        completed = any(other.state is RunState.COMPLETED for other in view.runs.values())
        assert completed or not self.goes_on
        tuner = Tuner(store, self.make(), executor, clock=executor.clock)
        tuner.enact(Release(run_id=run.id, reason="yours", author=Author.HUMAN))
        handed = store.view().runs[run.id]
        assert not waits_for_a_person(store.view(), handed)
        tuner.run()
        store.close()
        assert not any(r.active for r in store.view().runs.values())
        came = store.view().runs[run.id]
        assert came.step >= handed.to_step or came.state is RunState.STOPPED

    def test_runs_that_cannot_pause(self) -> None:
        """Training code that attached nothing ends the study too."""
        view = tuned(self.make(), bowl, 2, pausable=False).view()
        self._check_trials(len(view.trials))
        assert all(run.state.ended for run in view.runs.values())

    def _check_trials(self, n_trials: int) -> None:
        assert n_trials == N_TRIALS if self.goes_on else 0 < n_trials <= N_TRIALS


def question(budget: Budget | None = None) -> Study:
    """The study that the contract is tested with."""
    budget = budget or Budget(n_trials=N_TRIALS)
    return Study("paper", SPACE, "loss", max_steps=MAX_STEPS, seed=1, budget=budget)


def tuned(
    policy: Policy,
    formula: Formula,
    n_workers: int,
    *,
    budget: Budget | None = None,
    pausable: bool = True,
) -> MemoryStore:
    """A whole study on paper."""
    store = MemoryStore(question(budget))
    executor = PaperExecutor(formula, n_workers, max_steps=MAX_STEPS, pausable=pausable)
    try:
        Tuner(store, policy, executor, clock=executor.clock).run()
    finally:
        store.close()  # its folder; what it knows stays
    return store


@final
@dataclass(slots=True)
class _Pauses:
    """Somebody who pauses the first run that comes to a step."""

    store: MemoryStore
    at_step: int
    asked: bool = False

    def look(self, view: StudyView) -> None:
        there = [r.id for r in view.runs.values() if r.step >= self.at_step and not r.state.ended]
        if there and not self.asked:
            pause = Pause(run_id=there[0], reason="by hand", author=Author.HUMAN)
            post(self.store.paths.orders, pause)
            self.asked = True


class _Killed(Exception):
    pass


@final
@dataclass(slots=True)
class _DiesAfter:
    policy: Policy
    n_calls: int

    def decide(self, view: StudyView) -> Sequence[Action]:
        self.n_calls -= 1
        if self.n_calls < 0:
            raise _Killed
        return self.policy.decide(view)


@final
@dataclass(slots=True)
class _AskedTwice:
    policy: Policy
    another: Callable[[], Policy]
    n_calls: int = 0

    def decide(self, view: StudyView) -> Sequence[Action]:
        self.n_calls += 1
        actions = list(self.policy.decide(view))
        assert list(self.policy.decide(view)) == actions
        assert list(self.another().decide(replace(view))) == actions
        begun = [a for a in actions if isinstance(a, Start | Fork) or _goes_on(a, view)]
        assert len(begun) <= view.n_free, "asked for more places than are free"
        assert sum(isinstance(a, Start) for a in begun) <= view.n_new
        return actions


def _goes_on(action: Action, view: StudyView) -> bool:
    run = view.runs.get(getattr(action, "run_id", ""))
    return type(action).__name__ == "Continue" and run is not None and not run.active
