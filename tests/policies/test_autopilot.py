"""The autopilot on a quadratic with noise, which trains in milliseconds, through the real tuner."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from luthier.core.action import (
    ASKS,
    Action,
    Author,
    Change,
    Continue,
    Fork,
    Hold,
    Release,
    RollBack,
    Start,
)
from luthier.core.budget import Budget
from luthier.core.curve import Curve
from luthier.core.domain import Float
from luthier.core.errors import PolicyError
from luthier.core.event import Ended
from luthier.core.space import make_space
from luthier.core.study import Run, RunState, Study, StudyView
from luthier.executors.inline import InlineExecutor
from luthier.policies.autopilot import Autopilot
from luthier.policies.autopilot import constants as c
from luthier.policies.autopilot.calibrate import Rates
from luthier.policies.autopilot.paired import compare, student
from luthier.policies.autopilot.reading import is_flat, overfits, trouble
from luthier.samplers.random import Random
from luthier.stores.memory import MemoryStore
from luthier.tuner import Tuner
from luthier.worker.checkpoint import CheckpointWriter

STEPS, BATCHES = 100, 4
CURVATURE = 1.0 / np.arange(1, 21)  # the largest is 1: rates from 2 on diverge


class Quadratic:
    """Weights, and an optimizer's parameter group, that a run can attach."""

    def __init__(self, lr: float) -> None:
        self.w = np.full(20, 3.0)
        self.noise = 0.3
        self.param_groups = [{"lr": lr}]

    def update(self, batch: float) -> None:
        noise = np.random.normal(0.0, self.noise, 20)
        with np.errstate(over="ignore", invalid="ignore"):
            self.w = self.w - self.param_groups[0]["lr"] * (CURVATURE * self.w + noise) * batch

    def loss(self) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            return float((CURVATURE * self.w**2).sum())

    def state_dict(self) -> dict[str, Any]:
        return {"w": self.w.copy(), "lr": self.param_groups[0]["lr"]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.w, self.param_groups[0]["lr"] = state["w"].copy(), state["lr"]


@dataclass
class Flight:
    """A training function; `bad`: batches (by number) that are NaN; `mend`: a person's mistake."""

    bad: frozenset[int] = frozenset()
    mistake_at: int = 0
    n_trained: int = 0
    rates: list[tuple[float, float]] = field(default_factory=list)
    mistaken: bool = False
    save: bool = True

    def __call__(self, run: Any) -> None:
        model = Quadratic(run.params.lr)
        run.attach(model=model)
        for step in run.steps():
            if step == self.mistake_at and not self.mistaken:
                self.mistaken = True
                model.param_groups[0]["lr"] *= 300.0
            numbers = range((step - 1) * BATCHES, step * BATCHES)
            for number in run.batches(numbers):
                self.rates.append((step, model.param_groups[0]["lr"]))
                model.update(math.nan if number in self.bad else 1.0)
            self.n_trained += 1
            run.report(loss=model.loss())


def study(prior: float = 0.5, **more: Any) -> Study:
    space = make_space({"lr": Float(1e-7, 1e3, log=True, prior=prior, live=True)})
    return Study("flight", space, "loss", max_steps=STEPS, seed=3, **more)


@pytest.fixture(autouse=True)
def _checkpoints_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    # by the clock, and in the background, there would be none in a fraction of a second
    monkeypatch.setattr("luthier.worker.saving.SAVE_GAP_S", 0.0)
    monkeypatch.setattr("luthier.worker.saving.SAVE_SHARE", 1e9)
    monkeypatch.setattr("luthier.worker.saving.SAVE_ASKED_SHARE", 1e9)
    write = CheckpointWriter.write

    def at_once(writer: Any, *args: Any, wait: bool, **more: Any) -> None:
        write(writer, *args, wait=True, **more)

    monkeypatch.setattr(CheckpointWriter, "write", at_once)


def fly(
    flight: Flight,
    question: Study,
    watch: Callable[[Tuner, StudyView], None] | None = None,
    policy: Any = None,
) -> MemoryStore:
    store = MemoryStore(question)
    tuners: list[Tuner] = []
    tuner = Tuner(
        store, policy or Autopilot(Random()), InlineExecutor(flight),
        observe=lambda view: watch(tuners[0], view) if watch else None,
    )  # fmt: skip
    tuners.append(tuner)
    try:
        tuner.run()
    finally:
        store.close()
    return store


def raised(view: StudyView) -> Run:
    """The run that went furthest."""
    return max(view.runs.values(), key=lambda run: run.step)


def reasons(store: MemoryStore, kind: type[Action]) -> list[str]:
    return [e.action.reason for e in store.diary() if isinstance(e.action, kind)]


@pytest.mark.parametrize("start", [0.5 / 30, 0.5, 0.5 * 30])
def test_a_wrong_rate_is_found(start: float) -> None:
    store = fly(Flight(), study(start))
    main = raised(store.view())
    assert main.state is RunState.COMPLETED
    assert 0.1 < main.params["lr"] < 2.5
    plain = fly(Flight(), study(start), policy=_Plain())
    worse = raised(plain.view()).curve.last
    if start != 0.5:
        assert not worse < 3 * main.curve.last
    else:
        assert main.curve.last < 2 * worse  # where the noise freezes is a matter of luck


@dataclass(frozen=True)
class _Plain:
    """The rate as it was given, linearly down to zero."""

    def decide(self, view: StudyView) -> Sequence[Action]:
        if view.runs:
            return []
        lr = view.study.space.domains["lr"].prior
        course = {"lr/course": ((0.0, 1.0), (float(STEPS), 0.0))}
        return [Start(params={"lr": lr}, to_step=STEPS, plan=((0.0, course),), reason="plain")]


def test_the_rate_follows_its_course_to_zero() -> None:
    flight = Flight()
    store = fly(flight, study())
    main = raised(store.view())
    points = main.params["lr/course"]
    top = points[-2][0]
    late = [(step, rate) for step, rate in flight.rates[-BATCHES * 50 :]]
    for step, rate in late[::BATCHES]:
        wanted = main.params["lr"] * (STEPS - (step - 1)) / (STEPS - top)
        assert rate == pytest.approx(wanted, rel=1e-9)
    assert len({rate for _, rate in late}) == len(late), "it moves from batch to batch"


def test_probes_stay_within_their_share() -> None:
    for start in (1e-6, 0.01, 0.5, 50.0):
        view = fly(Flight(), study(start)).view()
        main = raised(view)
        others = sum(run.step for run in view.runs.values() if run is not main)
        assert 0 < others <= c.CALIBRATION_SHARE[0] * STEPS


def test_a_budget_of_steps_is_kept() -> None:
    flight = Flight()
    store = fly(flight, study(0.01, budget=Budget(n_steps=STEPS)))
    assert flight.n_trained <= STEPS
    assert raised(store.view()).params["lr/course"][-1][0] == raised(store.view()).step


def test_probes_stay_within_the_constraints() -> None:
    space = make_space({"lr": Float(1e-7, 1e3, log=True, prior=0.01, live=True)}, ("lr <= 0.02",))
    store = fly(Flight(), Study("flight", space, "loss", max_steps=STEPS, seed=3))
    assert not [e for e in store.diary() if e.state == "refused"]
    assert raised(store.view()).state is RunState.COMPLETED


def test_it_begins_at_the_default_point() -> None:
    space = make_space({"lr": Float(1e-5, 10.0, log=True, live=True), "width": Float(1.0, 9.0)})
    question = Study("flight", space, "loss", max_steps=STEPS, seed=3)
    start = Autopilot(Random()).decide(StudyView(question, {}, {}, 1, 1))[0]
    assert isinstance(start, Start)
    assert start.params == space.default()


def test_an_ended_run_that_is_held_holds_nothing_up() -> None:
    view = fly(Flight(), study(), policy=None).view()
    probes = [run for run in view.runs.values() if run.state is RunState.STOPPED]
    main = raised(view)
    paused = replace(
        main, state=RunState.PAUSED, step=50.0, to_step=50.0, curve=main.curve.until(50)
    )
    runs = {**view.runs, probes[0].id: replace(probes[0], held=True), main.id: paused}
    actions = Autopilot(Random()).decide(replace(view, runs=runs, n_free=1))
    assert [type(action) for action in actions] == [Continue]


def test_probes_see_the_same_batches() -> None:
    store = fly(Flight(), study())
    seeds = {e.action.seed for e in store.diary() if isinstance(e.action, Fork)}
    assert seeds == {store.study.trial_seed(0)}


def test_a_batch_that_is_no_number_is_left_out() -> None:
    bad = frozenset({45 * BATCHES + 2})
    store = fly(Flight(bad=bad), study())
    main = raised(store.view())
    (back,) = [r for r in reasons(store, RollBack) if "not a number" in r]
    assert back.startswith("back: not a number at step 46: back to ")
    assert "lr x1" in back
    assert float(back.split("back to ")[1].split(",")[0]) >= 20
    assert main.state is RunState.COMPLETED
    assert math.isfinite(main.curve.last)
    assert main.params["batches/skip"][0][1] >= 46.0


def test_a_mistake_in_the_middle_is_taken_back() -> None:
    store = fly(Flight(mistake_at=50), study())
    main = raised(store.view())
    assert any("diverged" in r or "not a number" in r for r in reasons(store, RollBack))
    assert main.state is RunState.COMPLETED
    clean = raised(fly(Flight(), study()).view())
    assert main.curve.last < 3 * clean.curve.last


def test_after_so_many_rollbacks_a_person_is_asked() -> None:
    bad = frozenset(range(45 * BATCHES, STEPS * BATCHES))
    store = MemoryStore(study())
    try:
        Tuner(store, Autopilot(Random()), InlineExecutor(Flight(bad=bad))).run()
        main = raised(store.view())
        assert len(reasons(store, RollBack)) == c.N_ROLLBACKS
        assert main.state is RunState.PAUSED
        assert main.reason.startswith(ASKS)
        assert store.closed == ""  # it waits
        again = Tuner(store, Autopilot(Random()), InlineExecutor(Flight(bad=bad)))
        onward = Continue(run_id=main.id, to_step=STEPS, reason="go on", author=Author.HUMAN)
        again.enact(onward)
        again.run()
        assert len(reasons(store, RollBack)) == 2 * c.N_ROLLBACKS
        assert raised(store.view()).reason.startswith(ASKS)
    finally:
        store.close()


def test_a_run_that_is_held_is_left_alone_and_taken_back() -> None:
    asked: list[str] = []

    def hand(tuner: Tuner, view: StudyView) -> None:
        run = raised(view) if view.runs else None
        if run is None or run.to_step < STEPS or run.state is not RunState.RUNNING:
            return
        if run.step >= 40 and not asked:
            asked.append("hold")
            tuner.enact(Hold(run_id=run.id, reason="mine", author=Author.HUMAN))
        if run.step >= 60 and asked == ["hold"]:
            asked.append("release")
            tuner.enact(Release(run_id=run.id, reason="yours", author=Author.HUMAN))

    bad = frozenset({49 * BATCHES})
    store = fly(Flight(bad=bad), study(), hand)
    assert asked == ["hold", "release"]
    numbers = {type(e.action).__name__: e.number for e in store.diary()}
    own = [e for e in store.diary() if numbers["Hold"] < e.number < numbers["Release"]]
    assert not [e for e in own if e.action.author is Author.POLICY]
    (back,) = [e for e in store.diary() if "not a number" in e.action.reason]
    assert back.number > numbers["Release"]
    assert raised(store.view()).state is RunState.COMPLETED


@pytest.mark.parametrize("n_calls", [3, 9, 15, 30, 80])
def test_a_killed_tuner_decides_the_same(n_calls: int) -> None:
    whole = raised(fly(Flight(), study(0.01)).view())
    store = MemoryStore(study(0.01))
    executor = InlineExecutor(Flight())
    try:
        with pytest.raises(_Killed):
            Tuner(store, _DiesAfter(n_calls), executor).run()
        executor.close()
        active = [run.id for run in store.view().runs.values() if run.active]
        store.record([Ended(i, RunState.LOST, None, None, "tuner-lost") for i in active])
        Tuner(store, Autopilot(Random()), InlineExecutor(Flight())).run()
    finally:
        store.close()
    main = raised(store.view())
    assert main.state is RunState.COMPLETED
    assert main.params == whole.params
    assert main.curve.last == whole.curve.last


class _Killed(Exception):
    pass


@dataclass
class _DiesAfter:
    n_calls: int

    def decide(self, view: StudyView) -> Sequence[Action]:
        self.n_calls -= 1
        if self.n_calls < 0:
            raise _Killed
        return Autopilot(Random()).decide(view)


def test_a_space_without_a_live_rate_says_so() -> None:
    space = make_space({"lr": Float(1e-4, 1.0, log=True)})
    with pytest.raises(PolicyError, match="live=True"):
        Autopilot(Random()).decide(StudyView(Study("s", space, "loss", max_steps=9), {}, {}, 1, 1))


def test_without_an_end_the_rate_stays_until_it_cools_down() -> None:
    question = study()
    space = question.space
    endless = Study("flight", space, "loss", seed=3)

    class Endless(Flight):
        def __call__(self, run: Any) -> None:
            run.steps = lambda steps=run.steps: steps(2000)
            super().__call__(run)

    store = fly(Endless(), endless)
    main = raised(store.view())
    changes = reasons(store, Change)
    assert any(reason.startswith("cool:") for reason in changes)
    (mean,) = [e for e in store.diary() if e.action.reason.startswith("mean:")]
    assert mean.state == "refused", "there is no model of torch whose weights could be averaged"
    assert main.state is RunState.STOPPED
    assert main.step < 2000


def curve(values: Sequence[float]) -> Curve:
    return Curve(np.arange(1.0, len(values) + 1), np.array(values, dtype=float))


def test_trouble() -> None:
    rng = np.random.default_rng(0)
    falling = list(2.0 * np.exp(-np.arange(40) / 10) + 0.5 + rng.normal(0, 0.01, 40))
    assert trouble(curve(falling)) is None
    found = trouble(curve([*falling, math.nan, math.inf]))
    assert found is not None
    assert (found.kind, found.onset, found.last) == ("not a number", 41.0, 42.0)
    found = trouble(curve([*falling, 2.0, 2.2, 2.4]))
    assert found is not None
    assert (found.kind, found.onset) == ("diverged", 41.0)
    assert trouble(curve([*falling, 2.4, 0.6, 0.6])) is None, "a spike that has passed"
    slow = [*falling, *np.linspace(0.55, 2.2, 60)]
    assert trouble(curve(slow)) is None, "overfitting"
    assert overfits(curve(slow))
    assert not overfits(curve(falling))


def test_a_plateau() -> None:
    rngs = [np.random.default_rng(seed) for seed in range(20)]
    falling = np.linspace(2.0, 0.5, 40)
    assert sum(is_flat(curve(0.5 + rng.normal(0, 0.01, 40)), 10.0) for rng in rngs) >= 12
    assert not any(is_flat(curve(falling + rng.normal(0, 0.01, 40)), 10.0) for rng in rngs)


def test_students_distribution() -> None:
    # tables: 5 % one-sided
    assert student(6.314, 1) == pytest.approx(0.05, abs=1e-4)
    assert student(2.015, 5) == pytest.approx(0.05, abs=1e-4)
    assert student(-2.015, 5) == pytest.approx(0.95, abs=1e-4)


def test_paired_comparison() -> None:
    rng = np.random.default_rng(2)
    common = rng.normal(0, 0.1, 12)
    control = curve(1.0 + common)
    better = compare(control, curve(0.9 + common + rng.normal(0, 0.005, 12)), 2.0)
    assert better.p < 0.001
    assert better.relative == pytest.approx(0.1, rel=0.2)
    same = compare(control, curve(1.0 + common + rng.normal(0, 0.005, 12)), 2.0)
    assert same.p > 0.01
    assert compare(control, curve([*(1.0 + common[:-1]), math.nan]), 2.0).p == 1.0


class Drifting(Flight):
    """From step 26 on every update makes the held-out loss worse, the more the higher the rate."""

    def __call__(self, run: Any) -> None:
        model = Quadratic(run.params.lr)
        model.noise = 0.03
        drift = {"sum": 0.0}

        class Drift:
            def state_dict(self) -> dict[str, float]:
                return dict(drift)

            def load_state_dict(self, state: dict[str, float]) -> None:
                drift.update(state)

        run.attach(model=model, drift=Drift())
        for step in run.steps():
            for _ in run.batches(range(BATCHES)):
                model.update(1.0)
                drift["sum"] += 0.02 * model.param_groups[0]["lr"] * (step > 25)
            run.report(loss=model.loss() + drift["sum"])


def test_overfitting_is_tested_before_anything_is_changed() -> None:
    space = make_space({"lr": Float(1e-3, 1.0, log=True, prior=0.5, live=True)})
    store = fly(Drifting(), Study("flight", space, "loss", max_steps=200, seed=3))
    view = store.view()
    main = raised(view)
    tests = [e for e in store.diary() if e.action.reason.startswith("test: overfitting")]
    assert tests
    arms = [e for e in store.diary() if isinstance(e.action, Fork) and e.step == tests[0].step]
    assert [" ".join(e.action.reason.split()[1:3]) for e in arms] == ["control as", "lr down"]
    (accepted,) = [e for e in store.diary() if e.action.reason.startswith("accept:")]
    was = float(accepted.before["lr"])
    assert accepted.action.params["lr"] == pytest.approx(c.DOWN * was)  # type: ignore[union-attr]
    assert main.state is RunState.COMPLETED
    others = sum(
        run.step - (run.parent.step if run.parent else 0.0)
        for run in view.runs.values()
        if run is not main
    )
    assert others <= c.TOTAL_SHARE * 200


@pytest.mark.parametrize("stopped", [False, True])
def test_a_larger_budget_lengthens_the_course(stopped: bool) -> None:
    # a rollback leaves steps of the budget over, so that the policy itself ends the run
    bad = frozenset({30 * BATCHES + 1}) if stopped else frozenset()
    store = MemoryStore(study(budget=Budget(n_steps=60)))
    try:
        Tuner(store, Autopilot(Random()), InlineExecutor(Flight(bad=bad))).run()
        before = raised(store.view())
        assert before.params["lr/course"][-1] == (before.step, 0.0)
        same = Tuner(store, Autopilot(Random()), InlineExecutor(Flight(bad=bad)))
        same.run()
        assert raised(store.view()).step == before.step, "nothing new without a larger budget"
        store._ledger.study = replace(store.study, budget=Budget(n_steps=90))
        flight = Flight(bad=bad)
        Tuner(store, Autopilot(Random()), InlineExecutor(flight)).run()
        after = raised(store.view())
        assert after.step == before.step + 30
        assert after.params["lr/course"][-1] == (after.step, 0.0)
        (longer,) = [e for e in store.diary() if e.action.reason.startswith("longer: 30 steps")]
        assert longer.state == "obeyed"
        rates = [rate for step, rate in flight.rates if step > before.step]
        assert max(rates) == pytest.approx(c.REWARMED * after.params["lr"], rel=0.05)
        assert rates[-1] < 0.1 * max(rates)
    finally:
        store.close()


def rates(losses: dict[int, float]) -> Rates:
    return Rates({place: 3.0**place for place in losses}, losses, ())


def test_what_has_learned_nothing_tells_nothing() -> None:
    alike = rates({-2: 0.700, 0: 0.710, 2: 0.705})
    assert not alike.telling
    assert alike.best == 0, "the rate given, though another has a lower loss"
    assert rates({-2: 0.700, 0: 0.60, 2: 0.705}).telling
    assert rates({-2: 0.700, 0: 0.699, 2: 0.695}).telling, "the higher the better: go on upwards"
    assert rates({-2: 0.700, 0: 9.0, 2: 99.0}).telling, "all but the lowest have exploded"
    assert rates({-2: 0.700, 0: 9.0, -1: 0.705, 2: 99.0}).best == -1, "nearest that can be borne"


def test_the_rate_given_is_kept_where_no_probe_learns() -> None:
    def blind(run: Any) -> None:
        run.attach(model=Quadratic(run.params.lr))
        noise = np.random.default_rng(run.trial)
        for _ in run.steps():
            for _ in run.batches(range(BATCHES)):
                pass
            run.report(loss=0.7 + 0.001 * noise.random())

    store = fly(blind, study(0.5))  # type: ignore[arg-type]
    assert raised(store.view()).params["lr"] == 0.5
    assert not reasons(store, RollBack), "noise is no divergence"
    assert any("is kept, as no rate has learned enough" in r for r in reasons(store, Change))


def test_the_peak_is_lower_after_short_probes() -> None:
    space = make_space({"lr": Float(1e-7, 1e3, log=True, prior=0.5, live=True)})
    short = Study("flight", space, "loss", max_steps=20, seed=3)
    store = fly(Flight(), short)
    main = raised(store.view())
    (winner,) = (t.params["lr"] for t in store.view().trials.values() if t.number == main.trial)
    assert main.params["lr"] == pytest.approx(c.BOOST_SHORT * winner)
    long = raised(fly(Flight(), study(0.5)).view())
    assert long.params["lr"] >= 0.5


def test_a_checkpoint_comes_with_every_hundredth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("luthier.worker.saving.SAVE_GAP_S", 1000.0)  # none by the clock
    seen: set[float] = set()

    def watch(_: Tuner, view: StudyView) -> None:
        seen.update(k.step for run in view.runs.values() for k in run.checkpoints)

    main = raised(fly(Flight(), study(), watch).view())
    assert main.params["checkpoints/every"] == 1.0
    assert {float(step) for step in range(10, STEPS + 1)} <= seen


def test_after_a_mistake_late_on_it_goes_back_a_little_at_the_same_rate() -> None:
    store = fly(Flight(mistake_at=50), study())
    (back,) = [r for r in reasons(store, RollBack) if " at step 5" in r]
    assert "without the batches since, lr x1" in back
    assert "x0.33" not in back
    to_step = float(back.split("back to ")[1].split(",")[0])
    assert 47 <= to_step < 50
    main = raised(store.view())
    assert main.state is RunState.COMPLETED
    assert math.isfinite(main.curve.last)


def test_without_tests_nothing_is_tried_in_the_middle() -> None:
    space = make_space({"lr": Float(1e-3, 1.0, log=True, prior=0.5, live=True)})
    question = Study("flight", space, "loss", max_steps=200, seed=3)
    store = fly(Drifting(), question, policy=Autopilot(Random(), tests=False))
    assert not [e for e in store.diary() if e.action.reason.startswith(("test:", "arm:"))]
    assert raised(store.view()).state is RunState.COMPLETED
