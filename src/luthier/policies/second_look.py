"""Runs that look poor get half a training, now and then, once the search has come to a stop.

Where good runs look poor early, all that is learned from those that look good tells nothing of
them: neither the model nor halving, which rank by what was seen, would ever train one far.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from luthier.core.action import Continue
from luthier.core.study import Run, StudyView
from luthier.policies.purse import asked_steps, left_for, steps_in_vain

LOOKS_POOR = "looks-poor"  # the reason of such a slice
_STALLED = 2.0  # trainings that have brought nothing better
_FAR = 0.5  # of a training, to which they go in one piece
_SHARE = 0.1  # of all steps, that may go there in vain

Array = NDArray[np.float64]
Index = NDArray[np.int64]


def may_look_again(view: StudyView, best: Run) -> bool:
    """Whether nothing better has come for long, and looks have paid or cost little so far; not when
    less than a training is left."""
    last = view.study.max_steps or 1
    left = left_for(view, view.n_free + len(view.runs))
    if not _in_vain(view, best, _STALLED * last) or (left is not None and left < last):
        return False
    n_steps = sum(run.step for run in view.runs.values())
    return steps_in_vain(view, LOOKS_POOR, best) + _FAR * last <= _SHARE * n_steps


def second_look(
    view: StudyView, runs: Sequence[Run], lowest: Array, paused: Index, rng: np.random.Generator
) -> Continue | None:
    """Half a training for any of the paused runs in the worse half by their lowest losses; None
    while another has it."""
    far = float(np.ceil(_FAR * (view.study.max_steps or 1)))
    if not len(paused) or any(run.active and run.to_step == far for run in runs):
        return None
    middle = np.median(lowest[paused])
    poor = [runs[i] for i in paused if lowest[i] >= middle and runs[i].step < far]
    if not poor:
        return None
    run = poor[int(rng.integers(len(poor)))]
    return Continue(run_id=run.id, to_step=far, reason=LOOKS_POOR)


def _in_vain(view: StudyView, best: Run, n_steps: float) -> bool:
    """Whether so many steps were asked for since the slice in which the best came by its loss."""
    at = float(best.curve.steps[np.nanargmin(best.curve.values)])
    for entry in reversed(view.diary):
        if n_steps <= 0.0 or (entry.run_id == best.id and (entry.step or 0.0) < at):
            break
        n_steps -= asked_steps(entry)
    return n_steps <= 0.0
