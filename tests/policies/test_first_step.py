"""From which step on losses are believed."""

import math
from dataclasses import replace

import numpy as np
import pytest

from luthier.core.action import Continue, Start, Stop
from luthier.core.curve import Curve
from luthier.core.domain import Float
from luthier.core.space import make_space
from luthier.core.study import Run, RunState, Study, StudyView, Trial
from luthier.policies.first_step import SECOND, telling_step
from luthier.policies.freeze_thaw import FreezeThaw
from luthier.policies.picture import _expected_steps
from luthier.samplers.random import Random

STEPS = 27


def run(number: int, losses: list[float], **more: object) -> Run:
    curve = Curve(np.arange(1.0, len(losses) + 1), np.array(losses))
    given = {"state": RunState.PAUSED, "step": len(losses), "curve": curve,
             "to_step": max(len(losses), 1), **more}  # fmt: skip
    return Run(f"{number}.0", number, {"x": number / 10}, **given)  # type: ignore[arg-type]


def seen(first: list[float], second: list[float]) -> list[Run]:
    return [run(n, [a, b]) for n, (a, b) in enumerate(zip(first, second, strict=True))]


FALLING = [5.0, 4.0, 3.0, 2.0, 1.0]
SWAPPED = [5.0, 4.0, 2.0, 3.0, 1.0]


@pytest.mark.parametrize(
    ("first", "step"),
    [(FALLING, 1), (FALLING[::-1], SECOND), (SWAPPED, SECOND), ([2.3] * 5, SECOND),
     ([math.nan] * 5, SECOND)],
)  # fmt: skip
def test_ranks_decide(first: list[float], step: int) -> None:
    assert telling_step(seen(first, FALLING), STEPS) == step


def test_one_pair_that_changes_places_needs_more_runs_to_outweigh_it() -> None:
    rest = [float(n) for n in range(6, 20)]
    assert telling_step(seen(SWAPPED + rest, FALLING + rest), STEPS) == 1


def test_nothing_is_believed_before_enough_is_known() -> None:
    runs = seen(FALLING, FALLING)
    assert telling_step([], STEPS) == SECOND
    assert telling_step(runs[:3], STEPS) == SECOND
    assert telling_step([*runs[:3], run(3, [1.0]), runs[4]], STEPS) == SECOND, "it has only begun"
    assert telling_step(runs[:4], STEPS) == 1
    assert telling_step(seen(FALLING[::-1], FALLING), 17) == 1, "two steps are too much of it"
    assert telling_step(seen(FALLING, [2.3] * 5), STEPS) == SECOND, "no step tells them apart"


def test_what_came_after_it_was_believed_is_not_asked() -> None:
    later = [run(n, [float(n), -float(n)]) for n in range(5, 40)]
    assert telling_step([*seen(FALLING, FALLING), *later], STEPS) == 1


def test_broken_runs_are_passed_over() -> None:
    broken = [run(0, [], state=RunState.FAILED), run(1, [1.0, math.nan])]
    whole = [run(n + 2, [loss, loss]) for n, loss in enumerate(FALLING)]
    assert telling_step([*broken, *whole[:3]], STEPS) == SECOND
    assert telling_step([*broken, *whole[:4]], STEPS) == 1


def view_of(runs: list[Run], n_free: int, max_steps: int = STEPS) -> StudyView:
    study = Study("s", make_space({"x": Float(0.0, 5.0)}), "loss", max_steps=max_steps)
    trials = {one.trial: Trial(one.trial, one.params) for one in runs}
    return StudyView(study, trials, {one.id: one for one in runs}, n_free, 99)


def test_runs_begin_with_the_step_that_tells() -> None:
    policy = FreezeThaw(Random())
    assert {a.to_step for a in policy.decide(view_of([], 6)) if isinstance(a, Start)} == {SECOND}
    assert {a.to_step for a in policy.decide(view_of([], 6, 9)) if isinstance(a, Start)} == {1}
    for first, step in ((FALLING, 1), (FALLING[::-1], SECOND)):
        many = [*seen(first, FALLING), *(run(n, [1.0, 3.0]) for n in range(5, 30))]
        starts = [a for a in policy.decide(view_of(many, 20)) if isinstance(a, Start)]
        assert {a.to_step for a in starts} == {step}


def test_no_run_that_cannot_pause_is_stopped_before_its_second_step() -> None:
    runs = [run(n, [float(n)], state=RunState.RUNNING, pausable=False, to_step=STEPS)
            for n in range(12)]  # fmt: skip
    further = [run(n, [float(n), float(-n)], state=RunState.RUNNING, pausable=False,
                   to_step=STEPS) for n in range(12)]  # fmt: skip

    def stopped(of: list[Run]) -> list[str]:
        return [a.run_id for a in FreezeThaw(Random()).decide(view_of(of, 0))
                if isinstance(a, Stop)]  # fmt: skip

    assert not stopped(runs)
    assert "0.0" in stopped(further), "the worst at the second step, the best at the first"


def test_the_rest_is_paid_only_by_what_goes_on() -> None:
    at, slice_end, end = np.zeros(3), np.ones(3), np.full(3, 21.0)
    steps = _expected_steps(at, slice_end, end, np.array([0.0, 0.5, 1.0]))
    assert steps == pytest.approx([1.0, 11.0, 21.0])


def test_who_sits_at_chance_goes_on_only_when_no_new_point_may_start() -> None:
    sitting = [run(n, [0.9, 0.69, 0.6901 + n * 1e-4]) for n in range(20)]
    others = [run(n, [1.2, 1.0 - n / 100, 0.95 - n / 100]) for n in range(20, 30)]
    view = view_of([*sitting, *others], 6)
    policy = FreezeThaw(Random(), halving=0.0)

    def continued(of: StudyView) -> set[str]:
        return {a.run_id for a in policy.decide(of) if isinstance(a, Continue)}

    idle = {one.id for one in sitting}
    assert not continued(view) & idle
    assert continued(replace(view, n_new=0)) & idle
