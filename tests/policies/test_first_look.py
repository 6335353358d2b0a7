"""From which step on losses are believed."""

import math

import numpy as np
import pytest

from luthier.core.action import Start, Stop
from luthier.core.curve import Curve
from luthier.core.domain import Float
from luthier.core.space import make_space
from luthier.core.study import Run, RunState, Study, StudyView, Trial
from luthier.policies.first_look import LOOK_STEPS, N_LOOKS, looking, more_looks, telling_step
from luthier.policies.freeze_thaw import FreezeThaw
from luthier.policies.picture import _expected_steps
from luthier.samplers.random import Random

STEPS = 27


def run(number: int, losses: list[float], **more: object) -> Run:
    curve = Curve(np.arange(1.0, len(losses) + 1), np.array(losses))
    given = {"state": RunState.PAUSED, "step": len(losses), "curve": curve,
             "to_step": max(len(losses), 1), **more}  # fmt: skip
    return Run(f"{number}.0", number, {"x": number / 10}, **given)  # type: ignore[arg-type]


def looked(first: list[float], third: list[float]) -> list[Run]:
    return [run(n, [a, 5.0, b]) for n, (a, b) in enumerate(zip(first, third, strict=True))]


FALLING = [5.0, 4.0, 3.0, 2.0, 1.0]


@pytest.mark.parametrize(
    ("first", "step"),
    [(FALLING, 1), ([5.0, 3.0, 4.0, 2.0, 1.0], 1), (FALLING[::-1], LOOK_STEPS),
     ([2.3] * 5, LOOK_STEPS), ([math.nan] * 5, LOOK_STEPS)],
)  # fmt: skip
def test_ranks_decide(first: list[float], step: int) -> None:
    assert telling_step(looked(first, FALLING), STEPS) == step


def test_nothing_is_said_before_enough_is_known() -> None:
    runs = looked(FALLING[::-1], FALLING)
    assert telling_step(runs[:4], STEPS) == 1
    assert telling_step([*runs[:4], run(4, [1.0])], STEPS) == 1, "it has only begun"
    assert telling_step(runs, 17) == 1, "three steps are too much of it"
    assert telling_step(looked(FALLING, [2.3] * 5), STEPS) == 1, "no step tells them apart"


def test_later_runs_are_not_asked() -> None:
    later = [run(n, [float(n), 5.0, -float(n)]) for n in range(5, 40)]
    assert telling_step([*looked(FALLING, FALLING), *later], STEPS) == 1


def test_broken_runs_are_no_looks() -> None:
    broken = [run(0, [], state=RunState.FAILED), run(1, [1.0, math.nan])]
    whole = [run(n + 2, [a, 5.0, b]) for n, (a, b) in enumerate(zip(FALLING[::-1], FALLING,
                                                                    strict=True))]  # fmt: skip
    assert more_looks([*broken, *whole[:4]], STEPS)
    assert not more_looks([*broken, *whole], STEPS)
    assert looking([*broken, *whole, run(9, [1.0])], STEPS) == whole
    assert telling_step([*broken, *whole], STEPS) == LOOK_STEPS


def view_of(runs: list[Run], n_free: int, max_steps: int = STEPS) -> StudyView:
    study = Study("s", make_space({"x": Float(0.0, 5.0)}), "loss", max_steps=max_steps)
    trials = {one.trial: Trial(one.trial, one.params) for one in runs}
    return StudyView(study, trials, {one.id: one for one in runs}, n_free, 99)


def test_the_first_runs_look_and_the_others_begin_with_what_is_told() -> None:
    policy = FreezeThaw(Random())
    actions = policy.decide(view_of([], N_LOOKS + 3))
    assert [a.to_step for a in actions if isinstance(a, Start)] == [LOOK_STEPS] * N_LOOKS + [1] * 3
    assert [a.to_step for a in policy.decide(view_of([], 6, 9)) if isinstance(a, Start)] == [1] * 6
    many = [*looked(FALLING[::-1], FALLING), *(run(n, [1.0, 3.0, 2.0]) for n in range(5, 30))]
    starts = [a for a in policy.decide(view_of(many, 8)) if isinstance(a, Start)]
    assert starts
    assert {a.to_step for a in starts} == {LOOK_STEPS}


def test_a_look_is_not_cut_short_where_nothing_can_pause() -> None:
    runs = [
        run(n, [float(n)], state=RunState.RUNNING, pausable=False, to_step=STEPS) for n in range(12)
    ]
    stopped = [a.run_id for a in FreezeThaw(Random()).decide(view_of(runs, 0))
               if isinstance(a, Stop)]  # fmt: skip
    assert stopped
    assert not set(stopped) & {r.id for r in runs[:N_LOOKS]}


def test_the_rest_is_paid_only_by_what_goes_on() -> None:
    at, slice_end, end = np.zeros(3), np.ones(3), np.full(3, 21.0)
    steps = _expected_steps(at, slice_end, end, np.array([-9.0, 0.0, 9.0]))
    assert steps == pytest.approx([1.0, 11.0, 21.0])
