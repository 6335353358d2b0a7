"""Children learn: from the best, from changes that helped or hurt, and make room when hopeless."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from luthier.core.action import Action, Author, Change, Pause, Start
from luthier.core.budget import Budget
from luthier.core.curve import Curve
from luthier.core.domain import Choice, Float, Value
from luthier.core.entry import Entry
from luthier.core.space import make_space
from luthier.core.study import Run, RunState, Study, StudyView, Trial
from luthier.policies.children import Children, hopeless, plateau
from luthier.policies.lessons import learn, plan_for, votes
from luthier.samplers.random import Random
from luthier.stores.memory import MemoryStore
from luthier.testing.paper import Formula, PaperExecutor
from luthier.tuner import Tuner

MAX_STEPS = 20
SPACE = make_space({
    "lr": Float(1e-4, 1.0, log=True, prior=1e-3, tier=1, live=True),
    "dropout": Float(0.0, 0.5, prior=0.1, tier=3, live=True),
    "kind": Choice("a", "b", tier=2),
})  # fmt: skip


def valley(params: Mapping[str, Value], step: float) -> float:
    """Best at lr 1e-1; falls with the steps."""
    return (math.log10(float(params["lr"])) + 1.0) ** 2 + float(params["dropout"]) + 1.0 / step


def raised(
    policy: Children, formula: Formula = valley, budget: Budget | None = None, workers: int = 1
) -> MemoryStore:
    study = Study("paper", SPACE, "loss", max_steps=MAX_STEPS, budget=budget or Budget(n_trials=9))
    store = MemoryStore(study)
    executor = PaperExecutor(formula, workers, max_steps=MAX_STEPS)
    try:
        Tuner(store, policy, executor, clock=executor.clock).run()
    finally:
        store.close()
    return store


def reasons(store: MemoryStore) -> list[str]:
    return [entry.action.reason for entry in store.diary()]


def test_the_first_is_the_default_and_the_next_go_where_it_is_better() -> None:
    store = raised(Children(Random(), 6))
    view = store.view()
    assert view.trials[0].params == SPACE.default()
    assert len(view.trials) == 6
    losses = [run.curve.best_loss for run in view.current().values()]
    assert min(losses) < losses[0] / 2  # the default is two decades off
    told = [words for words in reasons(store) if words.startswith("child ")]
    assert told[0] == "child 1: the default point"
    assert "from child 1" in told[1]
    assert "lr 0.001 → " in told[1]


def test_one_tier_at_a_time() -> None:
    view = raised(Children(Random(), 4)).view()
    for number in (1, 2):
        changed = {
            name
            for name, value in view.trials[number].params.items()
            if value != SPACE.default()[name]
        }
        assert changed == {"lr"}


def test_a_hopeless_child_makes_room() -> None:
    def only_the_default_learns(params: Mapping[str, Value], step: float) -> float:
        return 1.0 / step if params == SPACE.default() else 5.0 + 1.0 / step

    store = raised(Children(Random(), 3), only_the_default_learns)
    states = [run.state for run in store.view().current().values()]
    assert states == [RunState.COMPLETED, RunState.STOPPED, RunState.STOPPED]
    assert all(run.step < MAX_STEPS for run in list(store.view().runs.values())[1:])
    assert sum("hopeless: forecast" in words for words in reasons(store)) == 2


def test_a_loss_that_is_no_number_is_hopeless_at_once() -> None:
    store = raised(Children(Random(), 2), lambda params, step: math.nan)
    assert all(run.step <= 3 for run in store.view().runs.values())
    assert any("no number" in words for words in reasons(store))


def test_each_has_its_share_and_the_best_goes_on() -> None:
    """Three children, steps for one and a half: none is trained to the end at the others' cost."""
    budget = Budget(n_steps=1.5 * MAX_STEPS)
    store = raised(Children(Random(), 3), lambda p, step: 3.0 - step / 100 + 0 * len(p), budget)
    steps = [run.step for run in store.view().current().values()]
    assert len(steps) == 3
    assert max(steps) < MAX_STEPS
    assert min(steps) >= 8
    assert [e.action.reason for e in store.diary() if isinstance(e.action, Pause)
            and e.action.author is Author.POLICY] == ["share-end", "share-end"]  # fmt: skip


def test_no_more_than_asked_for() -> None:
    store = raised(Children(Random(), 2), budget=Budget(time_s=1000.0))
    assert len(store.view().trials) == 2
    several = raised(Children(Random(), 5), budget=Budget(time_s=1000.0), workers=2)
    assert len(several.view().trials) == 5


def test_a_calibrated_run_is_raised_on() -> None:
    paused = run_of(0, np.array([2.0]), state=RunState.PAUSED, to_step=1.0, reason="slice-end")
    actions = Children(Random()).decide(view_of([paused], n_free=1, n_new=1))
    assert [type(action).__name__ for action in actions] == ["Continue"]


def test_a_person_s_pause_is_left_alone() -> None:
    paused = run_of(0, np.array([2.0]), state=RunState.PAUSED, to_step=9.0, reason="lunch")
    pause = Pause(run_id="0.0", reason="lunch", author=Author.HUMAN)
    diary = (Entry(1, pause, 0.0, "0.0", state="obeyed"),)
    asked = run_of(0, np.array([2.0]), state=RunState.PAUSED, to_step=9.0, reason="asks: what now?")
    policy = Children(Random(), 1)
    assert policy.decide(view_of([paused], diary=diary, n_free=1, n_new=0)) == []
    assert policy.decide(view_of([asked], n_free=1, n_new=0)) == []
    assert policy.decide(view_of([paused], n_free=1, n_new=0)), "not by a person: it goes on"


def run_of(number: int, losses: np.ndarray, **fields: object) -> Run:
    curve = Curve(np.arange(1.0, len(losses) + 1), losses)
    given = {"state": RunState.COMPLETED, "to_step": float(MAX_STEPS)} | fields
    return Run(f"{number}.0", number, SPACE.default(), step=float(len(losses)), curve=curve,
               **given)  # type: ignore[arg-type]  # fmt: skip


def view_of(
    runs: list[Run],
    points: list[dict[str, Value]] | None = None,
    diary: tuple[Entry, ...] = (),
    **counts: int,
) -> StudyView:
    study = Study("paper", SPACE, "loss", max_steps=MAX_STEPS)
    points = points or [SPACE.default()] * len(runs)
    trials = {run.trial: Trial(run.trial, point) for run, point in zip(runs, points, strict=True)}
    return StudyView(study, trials, {run.id: run for run in runs}, diary=diary, **counts)


def changed(number: int, run: Run, step: float, before: float, after: float) -> Entry:
    """A live change of the dropout."""
    action = Change(run_id=run.id, params={"dropout": after}, reason="tried")
    return Entry(number, action, 0.0, run.id, "obeyed", step, before={"dropout": before})


def test_what_helped_is_kept_and_what_hurt_is_left() -> None:
    falling = 2.0 + np.exp(-np.arange(10.0) / 3.0)
    helped = run_of(0, np.concatenate([falling, np.full(10, 1.0)]))
    hurt = run_of(1, np.concatenate([falling, np.full(10, 4.0)]))
    diary = (changed(1, helped, 10.0, 0.1, 0.3), changed(2, hurt, 10.0, 0.1, 0.05))
    view = view_of([helped, hurt], diary=diary)
    lesson = learn(view)
    assert lesson is not None
    assert lesson.base is helped
    assert lesson.plan == ((10.0, {"dropout": 0.3}),)
    assert "dropout 0.1 → 0.3 helped" in lesson.words()
    assert "dropout 0.1 → 0.05 hurt" in lesson.words()
    column = SPACE.names.index("dropout")
    units = np.tile(SPACE.to_unit(lesson.point), (2, 1))
    units[:, column] += [-0.1, 0.1]  # down, where it hurt, and up, where it helped
    down, up = votes(view, lesson, units)
    assert up > down
    [start] = Children(Random()).decide(view_of([helped, hurt], diary=diary, n_free=1, n_new=1))
    assert isinstance(start, Start)
    assert start.params["dropout"] == 0.1
    assert start.plan == ((10.0, {"dropout": 0.3}),)  # begins as the best did, and repeats it
    assert "helped" in start.reason


def test_what_a_person_did_in_vain_is_not_repeated() -> None:
    falling = 2.0 + np.exp(-np.arange(10.0) / 3.0)
    run = run_of(0, np.concatenate([falling, np.full(10, 3.0)]))
    entry = changed(1, run, 10.0, 0.1, 0.3)
    diary = (replace(entry, action=replace(entry.action, author=Author.HUMAN)),)
    lesson = learn(view_of([run], diary=diary))
    assert lesson is not None
    assert lesson.plan == ()


def test_a_plan_is_scaled_with_the_rate() -> None:
    run = run_of(0, np.linspace(2.0, 1.0, 20))
    action = Change(run_id=run.id, params={"lr": 2e-3, "dropout": 0.2}, reason="main")
    diary = (Entry(1, action, 0.0, run.id, "obeyed", 2.0, before={"lr": 1e-3, "dropout": 0.1}),)
    lesson = learn(view_of([run], diary=diary))
    assert lesson is not None
    [(step, params)] = plan_for(SPACE, lesson, {**SPACE.default(), "lr": 5e-3})
    assert step == 2.0
    assert params["lr"] == pytest.approx(1e-2)
    assert params["dropout"] == 0.2
    [(_, params)] = plan_for(SPACE, lesson, {**SPACE.default(), "dropout": 0.4})
    assert params == {"lr": 2e-3}  # its dropout is its own
    [(_, params)] = plan_for(SPACE, lesson, {**SPACE.default(), "lr": 0.9})
    assert params["lr"] == 1.0  # the domain ends there


@dataclass(frozen=True)
class Nurse:
    """Raises the default point, and tries another beside it."""

    def decide(self, view: StudyView) -> Sequence[Action]:
        if not view.trials:
            return [Start(params=SPACE.default(), to_step=MAX_STEPS, reason="main: of the nurse")]
        if len(view.trials) == 1 and view.n_free:
            other = {**SPACE.default(), "lr": 1e-2}
            return [Start(params=other, to_step=3.0, reason="probe: of the nurse")]
        return []


def test_a_nurse_raises_the_first_child() -> None:
    store = raised(Children(Random(), 3, Nurse()))
    view = store.view()
    assert len(view.trials) == 4  # what the nurse tried belongs to the first child
    assert reasons(store)[:2] == ["main: of the nurse", "probe: of the nurse"]
    assert sum(words.startswith("child ") for words in reasons(store)) == 2
    assert view.runs["1.0"].step == 3.0  # not raised on: it was the nurse's
    assert "from child 1" in reasons(store)[2]


def test_away_from_what_did_badly() -> None:
    calm = np.concatenate([np.linspace(2, 1, 7), np.full(3, 1.1)])  # asks for no other rate
    good, bad = run_of(0, calm), run_of(1, calm + 1.0)
    points: list[dict[str, Value]] = [SPACE.default(), {**SPACE.default(), "lr": 1e-2}]
    view = view_of([good, bad], points)
    lesson = learn(view)
    assert lesson is not None
    near_bad, far = ({**SPACE.default(), "lr": lr} for lr in (1e-2, 1e-4))
    assert np.diff(votes(view, lesson, np.array([SPACE.to_unit(near_bad), SPACE.to_unit(far)]))) > 0


def test_a_curve_asks_for_its_rate() -> None:
    still_falling = run_of(0, np.linspace(2.0, 1.0, 20))
    early = run_of(0, np.concatenate([np.linspace(2, 1, 5), np.linspace(1.1, 3, 15)]))
    rates = [learn(view_of([run])) for run in (still_falling, early)]
    assert [lesson.rate for lesson in rates if lesson] == [1.0, -1.0]


def test_judgement_needs_enough_to_go_by() -> None:
    best = run_of(0, 1.0 / np.arange(1.0, 21.0))
    bad = 5.0 + 1.0 / np.arange(1.0, 21.0)
    young = run_of(1, bad[:4], state=RunState.RUNNING)
    older = run_of(1, bad[:8], state=RunState.RUNNING)
    assert hopeless(view_of([best, young]), young) == ""
    assert hopeless(view_of([best, older]), older).startswith("hopeless: forecast 5")
    flat = run_of(1, np.concatenate([[2.0, 1.0], np.full(9, 1.1)]), state=RunState.RUNNING)
    assert plateau(view_of([flat]), flat) == "plateau: no better since step 2"
    falling = run_of(1, 1.0 / np.arange(1.0, 12.0), state=RunState.RUNNING)
    assert plateau(view_of([falling]), falling) == ""


def test_a_finite_space_is_used_up() -> None:
    space = make_space({"kind": Choice("a", "b", "c")})
    study = Study("paper", space, "loss", max_steps=3, budget=Budget(n_trials=9))
    store = MemoryStore(study)
    executor = PaperExecutor(lambda p, step: 1.0 / step, 1, max_steps=3)
    try:
        Tuner(store, Children(Random()), executor, clock=executor.clock).run()
    finally:
        store.close()
    assert len(store.view().trials) == 3


def test_the_best_of_flat_children_goes_on_to_the_end_once() -> None:
    store = raised(Children(Random(), 3), lambda p, step: max(1.0 / step, 0.5))
    view = store.view()
    assert any(run.state is RunState.COMPLETED for run in view.runs.values())
    found = [e.action.reason for e in store.diary() if isinstance(e.action, Pause)]
    assert "plateau: no better since step 2" in found
    assert reasons(store).count("best-goes-on") == 1
