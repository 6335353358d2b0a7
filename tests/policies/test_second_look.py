"""Half a training for runs that look poor."""

from dataclasses import replace

import numpy as np

from luthier.core.action import Continue, Start
from luthier.core.curve import Curve
from luthier.core.domain import Float
from luthier.core.entry import Entry
from luthier.core.space import make_space
from luthier.core.study import Budget, Run, RunState, Study, StudyView, Trial
from luthier.policies.freeze_thaw import FreezeThaw
from luthier.policies.second_look import LOOKS_POOR, may_look_again, second_look
from luthier.samplers.random import Random

LAST = 20
STUDY = Study("s", make_space({"x": Float(0.0, 1.0)}), "loss", max_steps=LAST)


def view_of(depths: dict[int, int], *later: Entry) -> StudyView:
    """Runs that trained so far, each in one slice, the first of them the best; then more."""
    runs, trials, diary = {}, {}, []
    for n, depth in depths.items():
        steps = np.arange(1.0, depth + 1)
        runs[f"{n}.0"] = Run(f"{n}.0", n, {"x": n / 99}, depth, state=RunState.PAUSED, step=depth,
                             curve=Curve(steps, n + 1 / steps))  # fmt: skip
        trials[n] = Trial(n, {"x": n / 99})
        diary.append(Entry(n, Start(params={"x": n / 99}, to_step=depth, reason="new-point"), 0.0,
                           f"{n}.0"))  # fmt: skip
    return StudyView(STUDY, trials, runs, 1, 1, 0.0, (*diary, *later))


def look(run_id: str) -> Entry:
    action = Continue(run_id=run_id, to_step=10.0, reason=LOOKS_POOR)
    return Entry(90, action, 0.0, run_id, step=2.0)


def test_only_once_two_trainings_have_brought_nothing_better() -> None:
    for n_others, so_long in ((19, False), (20, True)):
        view = view_of({0: 80} | dict.fromkeys(range(1, n_others + 1), 2))
        assert may_look_again(view, view.runs["0.0"]) == so_long


def test_a_tenth_of_all_steps_unless_a_look_has_paid() -> None:
    few = view_of({0: 20} | dict.fromkeys(range(1, 31), 2))
    many = {0: 20} | dict.fromkeys(range(1, 51), 2)
    assert not may_look_again(few, few.runs["0.0"]), "half a training is more than a tenth of 80"
    view = view_of(many)
    assert may_look_again(view, view.runs["0.0"])
    again = view_of(many, look("7.0"))
    assert not may_look_again(again, again.runs["0.0"])
    slices = [Entry(91, Continue(run_id=f"{n}.0", to_step=10.0, reason="most-promising"), 0.0,
                    f"{n}.0", step=2.0) for n in range(1, 6)]  # fmt: skip
    found = view_of(many, replace(look("0.0"), step=0.0), *slices)
    assert may_look_again(found, found.runs["0.0"]), "the best is one that looked poor"


def test_with_several_workers_a_leader_that_goes_on_leading_brings_nothing() -> None:
    view = view_of({1: 2, 0: 20} | dict.fromkeys(range(2, 91), 2))
    lead = view.runs["0.0"]
    slices = [Entry(200, Continue(run_id="0.0", to_step=20.0, reason="most-promising"), 0.0, "0.0",
                    step=2.0)]  # fmt: skip
    goes_on = replace(view, diary=(*view.diary, *slices))
    assert not may_look_again(goes_on, lead), "its newest slice made it better still"
    assert may_look_again(replace(goes_on, n_free=8), lead), "it led from its first step on"
    behind = Run("95.0", 95, {"x": 0.95}, 2, state=RunState.PAUSED, step=2,
                 curve=Curve(np.array([1.0, 2.0]), np.array([0.3, 0.07])))  # fmt: skip
    taken = replace(goes_on, n_free=8, runs=goes_on.runs | {"95.0": behind})
    assert not may_look_again(taken, lead), "it took the lead in its newest slice"


def test_early_ones_are_paid_by_a_large_budget_and_each_waits_for_two_trainings() -> None:
    few = view_of({0: 20} | dict.fromkeys(range(1, 21), 2))
    for n_trainings, may in ((9, False), (10, True), (14, True)):
        view = replace(few, study=replace(STUDY, budget=Budget(n_steps=n_trainings * LAST)))
        assert may_look_again(view, view.runs["0.0"]) == may
    for n_trainings, n_since, may in ((20, 19, False), (13, 20, False), (20, 20, True)):
        later = [Entry(91 + n, Start(params={}, to_step=2.0, reason="new-point"), 0.0, "99.0")
                 for n in range(n_since)]  # fmt: skip
        view = view_of({0: 20} | dict.fromkeys(range(1, 21), 2), look("7.0"), *later)
        view = replace(view, study=replace(STUDY, budget=Budget(n_steps=n_trainings * LAST)))
        assert may_look_again(view, view.runs["0.0"]) == may


def test_several_free_places_do_not_all_get_one() -> None:
    view = view_of({0: 20} | dict.fromkeys(range(1, 91), 2))
    view = replace(view, n_free=8, n_new=8, study=replace(STUDY, budget=Budget(n_steps=20 * LAST)))
    asked = FreezeThaw(Random()).decide(view)
    assert [action.reason for action in asked].count(LOOKS_POOR) == 1


def test_none_when_nothing_could_be_made_of_it() -> None:
    view = view_of({0: 20} | dict.fromkeys(range(1, 91), 2))
    for n_left, may in ((59, False), (60, True)):
        budget = Budget(n_steps=200 + n_left)
        ending = replace(view, study=replace(STUDY, budget=budget))
        assert may_look_again(ending, ending.runs["0.0"]) == may


def test_any_of_the_worse_half_goes_to_half_a_training() -> None:
    view = view_of({0: 12, 1: 2, 2: 2, 3: 2, 4: 12})
    runs, lowest = list(view.runs.values()), np.arange(5.0)
    chosen = set()
    for seed in range(30):
        rng = np.random.default_rng(seed)
        action = second_look(view, runs, lowest, np.arange(5), rng)
        assert action is not None
        assert action.to_step == LAST / 2
        chosen.add(action.run_id)
    assert chosen == {"2.0", "3.0"}, "1.0 is of the better half, 4.0 has been there"
    rng = np.random.default_rng(0)
    assert second_look(view, runs, lowest, np.arange(0), rng) is None
    assert second_look(view, runs, np.full(5, np.inf), np.arange(5), rng) is not None
