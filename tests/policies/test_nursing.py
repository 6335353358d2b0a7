"""The best runs of a search, annealed with the last of its budget."""

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from luthier.contracts import Policy
from luthier.core.action import Action, Author, Fork, Stop
from luthier.core.budget import Budget
from luthier.core.domain import Float, Value
from luthier.core.errors import OptionError
from luthier.core.event import Ended
from luthier.core.space import make_space
from luthier.core.study import RunState, Study, StudyView
from luthier.executors.inline import InlineExecutor
from luthier.policies.asha import Asha
from luthier.policies.children import Children
from luthier.policies.freeze_thaw import FreezeThaw
from luthier.policies.full import Full
from luthier.policies.nursing import CODE, FIRST_SHARE, LATEST, SHARE, Nursing
from luthier.policies.purse import own_steps
from luthier.registry import from_recipe, make_policy, nursed, to_recipe
from luthier.samplers.random import Random
from luthier.stores.memory import MemoryStore
from luthier.testing import PolicyContract
from luthier.testing.paper import PaperExecutor
from luthier.tuner import Tuner

LAST = 27
LIVE = make_space({"lr": Float(1e-4, 1.0, log=True, live=True), "x": Float(0.0, 1.0)})
SETTLED = make_space({"lr": Float(1e-4, 1.0, log=True), "x": Float(0.0, 1.0)})


class TestNursedAsha(PolicyContract):
    def make(self) -> Policy:
        return Nursing(Asha(Random()))


class TestNursedFreezeThaw(PolicyContract):
    def make(self) -> Policy:
        return Nursing(FreezeThaw(Random()))


def noisy(params: Mapping[str, Value], step: float) -> float:
    """Falls with the steps, down to a floor of noise that the rate in force makes."""
    lr, x = float(params["lr"]), float(params["x"])
    return x + 3.0 / (1.0 + step) + 2.0 * lr


def question(budget: Budget, space: Any = LIVE) -> Study:
    return Study("paper", space, "loss", max_steps=LAST, seed=1, budget=budget)


def tuned(
    policy: Policy, budget: Budget, n_workers: int = 1, space: Any = LIVE, **more: Any
) -> MemoryStore:
    store = MemoryStore(question(budget, space))
    executor = PaperExecutor(more.get("formula", noisy), n_workers, max_steps=LAST,
                             pausable=more.get("pausable", True))  # fmt: skip
    Tuner(store, policy, executor, clock=executor.clock).run()
    store.close()
    return store


def forks(store: MemoryStore) -> list[Fork]:
    return [e.action for e in store.diary() if isinstance(e.action, Fork) and e.state == "obeyed"]


def spent(view: StudyView) -> float:
    return sum(own_steps(run) for run in view.runs.values())


@pytest.mark.parametrize(("inner", "n_workers"), [(Asha, 1), (Asha, 4), (FreezeThaw, 2)])
@pytest.mark.parametrize(
    "budget", [Budget(n_steps=8.0 * LAST), Budget(time_s=8.0 * LAST), Budget(n_trials=20)], ids=str
)
def test_the_best_end_annealed_within_the_budget(
    inner: Any, budget: Budget, n_workers: int
) -> None:
    store = tuned(Nursing(inner(Random())), budget, n_workers)
    view = store.view()
    made = forks(store)
    assert 1 <= len(made) <= 3
    for entry in store.diary():
        if not isinstance(entry.action, Fork):
            continue
        assert entry.action.author is Author.POLICY
        assert entry.action.reason.startswith(f"{CODE}: loss ")
        (begin, high), (end, low) = entry.action.params["lr/course"]
        assert (begin, end, low) == (entry.action.at_step, entry.action.to_step, 0.0)
        assert high > 1.0
        assert begin <= LATEST * LAST
        fork = view.runs[entry.run_id]
        assert fork.step == end or budget.time_s is not None
        if fork.step == end:
            assert fork.curve.last < noisy(view.trials[fork.trial].params, end)
    nursing = sum(own_steps(r) for r in view.runs.values() if r.parent is not None)
    whole = spent(view) if budget.n_trials is None else spent(view) - nursing
    assert nursing <= max(SHARE * whole, min(FIRST_SHARE * whole, LAST))
    if budget.n_steps is not None:
        assert spent(view) <= budget.n_steps + n_workers
    if budget.n_trials is not None:
        assert len(view.trials) == budget.n_trials


def test_without_a_live_rate_nothing_changes() -> None:
    plain = tuned(Asha(Random()), Budget(n_steps=200.0), space=SETTLED)
    same = tuned(Nursing(Asha(Random())), Budget(n_steps=200.0), space=SETTLED)
    assert [e.action for e in same.diary()] == [e.action for e in plain.diary()]


def test_until_then_it_is_the_policy_inside() -> None:
    plain = [e.action for e in tuned(FreezeThaw(Random()), Budget(n_steps=300.0)).diary()]
    both = [e.action for e in tuned(Nursing(FreezeThaw(Random())), Budget(n_steps=300.0)).diary()]
    first = next(i for i, action in enumerate(both) if isinstance(action, Fork))
    assert first > 20
    assert both[:first] == plain[:first]


def test_a_run_in_one_piece_has_no_checkpoint_to_fork_from() -> None:
    """On paper nothing is saved on the way, as it is by the clock in a longer training."""
    assert not forks(tuned(Nursing(Full(Random())), Budget(n_steps=8.0 * LAST)))


def test_runs_that_cannot_be_forked_are_let_be() -> None:
    store = tuned(Nursing(Asha(Random())), Budget(n_trials=12), pausable=False)
    assert not forks(store)


def test_a_fork_that_diverges_ends() -> None:
    def breaks(params: Mapping[str, Value], step: float) -> float:
        # only a fork's rate is above what the space holds
        return math.nan if float(params["lr"]) > 1.0 else noisy(params, step)

    space = make_space({"lr": Float(0.9, 1.0, log=True, live=True), "x": Float(0.0, 1.0)})
    store = tuned(Nursing(Asha(Random())), Budget(n_steps=8.0 * LAST), formula=breaks, space=space)
    stops = [e.action.reason for e in store.diary() if isinstance(e.action, Stop)]
    assert f"{CODE}: its loss is no number" in stops
    assert store.view().best().parent is None  # type: ignore[union-attr]


def test_a_killed_tuner_nurses_on() -> None:
    """Killed while a fork trains: the fork is tried again, and no other takes its place."""
    store = MemoryStore(question(Budget(n_steps=8.0 * LAST)))
    executor = PaperExecutor(noisy, 1, max_steps=LAST)

    def dies(view: StudyView) -> None:
        for run in view.runs.values():
            if run.active and run.parent is not None and run.step > run.parent.step + 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Tuner(store, Nursing(Asha(Random())), executor, observe=dies, clock=executor.clock).run()
    active = [run.id for run in store.view().runs.values() if run.active]
    store.record([Ended(i, RunState.LOST, None, None, "tuner-lost") for i in active])
    executor = PaperExecutor(noisy, 1, max_steps=LAST)
    view = Tuner(store, Nursing(Asha(Random())), executor, clock=executor.clock).run()
    store.close()
    made = [e for e in store.diary() if isinstance(e.action, Fork)]
    assert [e.action.author for e in made[:2]] == [Author.POLICY, Author.GUARD]
    again = view.runs[made[1].run_id]
    assert again.params["lr/course"] == made[0].action.params["lr/course"]  # type: ignore[union-attr]
    assert again.step == made[0].action.to_step  # type: ignore[union-attr]
    assert sum(e.action.author is Author.POLICY for e in made) <= 3


class _Optimizer:
    def __init__(self, lr: float) -> None:
        self.param_groups = [{"lr": lr, "params": []}]

    def state_dict(self) -> dict[str, Any]:
        return {"lr": self.param_groups[0]["lr"]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.param_groups[0]["lr"] = state["lr"]


def trains(*, anneals: bool, attaches: bool = True, seen: list[Any] | None = None) -> Any:
    """A training function whose optimizer is real enough to be read."""

    def train(run: Any) -> None:
        optimizer = _Optimizer(run.params.lr)
        run.attach(optimizer=optimizer if attaches else _Counter())
        if anneals:
            run.schedule(optimizer, "linear")
        for step in run.steps():
            rate = optimizer.param_groups[0]["lr"]
            if seen is not None:
                seen.append((run.id, step, rate / run.params.lr))
            run.report(loss=noisy({"lr": rate, "x": run.params.x}, step))

    return train


class _Counter:
    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


def inline(train: Any, policy: Policy) -> MemoryStore:
    store = MemoryStore(question(Budget(n_steps=6.0 * LAST)))
    Tuner(store, policy, InlineExecutor(train)).run()
    store.close()
    return store


@pytest.mark.parametrize("inner", [Asha, FreezeThaw])
def test_a_script_that_anneals_is_left_alone(inner: Any) -> None:
    store = inline(trains(anneals=True), Nursing(inner(Random())))
    made = forks(store)
    assert len(made) == 1  # whose rate told it
    assert spent(store.view()) >= 6.0 * LAST - 1  # the rest goes to the policy inside


@pytest.mark.parametrize("inner", [Asha, FreezeThaw])
def test_a_constant_rate_is_annealed(inner: Any) -> None:
    seen: list[Any] = []
    store = inline(trains(anneals=False, seen=seen), Nursing(inner(Random())))
    made = [e for e in store.diary() if isinstance(e.action, Fork)]
    assert made
    rates = [factor for run_id, _, factor in seen if run_id == made[0].run_id]
    assert rates[0] == pytest.approx(2.0)
    assert rates[-1] < 0.3
    assert all(late < early for early, late in pairwise(rates))


def test_what_attaches_no_optimizer_is_not_forked() -> None:
    assert not forks(inline(trains(anneals=False, attaches=False), Nursing(Asha(Random()))))


def test_a_person_s_run_is_let_be() -> None:
    store = tuned(Asha(Random()), Budget(n_steps=100.0))
    view = replace(store.view(), study=question(Budget(n_steps=125.0)))
    free = replace(view, n_free=1, n_new=0)
    actions = Nursing(Asha(Random()), share=0.5).decide(free)
    assert isinstance(actions[0], Fork)
    run = view.runs[actions[0].run_id]
    held = replace(free, runs={**view.runs, run.id: replace(run, held=True)})
    others: list[Action] = [*Nursing(Asha(Random()), share=0.5).decide(held)]
    assert all(getattr(a, "run_id", "") != run.id for a in others)


def test_what_is_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    live, settled = question(Budget(n_trials=9)), question(Budget(n_trials=9), SETTLED)
    thawed, raised = make_policy("freeze-thaw"), Children(Random())
    assert nursed(thawed, None, live) == thawed  # it did not pay when it was measured
    assert nursed(thawed, True, live) == Nursing(thawed)
    monkeypatch.setattr("luthier.registry.NURSED", ("freeze-thaw",))
    assert nursed(thawed, None, live) == Nursing(thawed)
    assert nursed(thawed, None, settled) == thawed
    assert nursed(thawed, False, live) == thawed
    assert nursed(raised, None, live) == raised
    assert from_recipe(to_recipe(Nursing(thawed))) == Nursing(thawed)
    for policy, study in ((raised, live), (thawed, settled)):
        with pytest.raises(OptionError, match="nurse=True"):
            nursed(policy, True, study)
