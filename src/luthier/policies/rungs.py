"""What successive-halving policies share: rungs, and the standing of runs on them."""

import math
from collections.abc import Iterable

from luthier.core.errors import PolicyError
from luthier.core.study import Run, RunState, StudyView


def rung_steps(view: StudyView, first_step: int, eta: int) -> list[int]:
    """Steps at which runs are compared: first, first * eta, … and the study's last step."""
    last = view.study.max_steps
    if last is None:
        raise PolicyError(
            "this policy compares runs at rungs up to max_steps, and the study has none; "
            "write @luthier.tune(max_steps=30, …) or choose --policy random."
        )
    steps = []
    step = min(first_step, last)
    while step < last:
        steps.append(step)
        step *= eta
    return [*steps, last]


def standing(run: Run, step: float) -> float:
    """Loss of a run at a rung, worst for NaN and for runs that ended badly before it."""
    loss = run.curve.at(step)
    return math.inf if math.isnan(loss) else loss


def reached(run: Run, step: float) -> bool:
    """Whether the run has been at the rung, or ended where it never will be."""
    return run.step >= step or run.state in (RunState.FAILED, RunState.STOPPED, RunState.LOST)


def ranked(runs: Iterable[Run], step: float) -> list[Run]:
    """From the lowest loss to the highest; ties go to the earlier trial."""
    return sorted(runs, key=lambda run: (standing(run, step), run.trial))
