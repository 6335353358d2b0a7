"""Runs that look poor get half a training, now and then, once the search has come to a stop.

Where good runs look poor early, all that is learned from those that look good tells nothing of
them: neither the model nor halving, which rank by what was seen, would ever train one far. What a
look has shown is used in `believed.py`.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from luthier.core.action import Continue
from luthier.core.study import Run, StudyView
from luthier.policies.purse import asked_steps, is_of, left_for, n_workers, steps_in_vain, whole_for

LOOKS_POOR = "looks-poor"  # the reason of such a slice
_STALLED = 2.0  # trainings that have brought nothing better, since the look before
_FAR = 0.5  # of a training, to which they go in one piece
_SHARE = 0.1  # of all steps, that may go there in vain,
_LATER = 5.0  # or of those of the whole budget that come after so many trainings
_LEFT = 3.0  # trainings, at least: later nothing could be made of what a look shows

Array = NDArray[np.float64]
Index = NDArray[np.int64]


def looks_until(view: StudyView) -> float:
    """The step to which runs go on a second look."""
    return float(np.ceil(_FAR * (view.study.max_steps or 1)))


def may_look_again(view: StudyView, best: Run) -> bool:
    """Whether nothing better has come for long, looks have paid or cost little so far, and enough
    is left to make something of it."""
    last = view.study.max_steps or 1
    n_at_a_time = view.n_free + len(view.runs)
    left, whole = left_for(view, n_at_a_time), whole_for(view, n_at_a_time)
    if not _in_vain(view, best, _STALLED * last) or (left is not None and left < _LEFT * last):
        return False
    n_steps = max(sum(run.step for run in view.runs.values()), (whole or 0.0) - _LATER * last)
    return steps_in_vain(view, LOOKS_POOR, best) + _FAR * last <= _SHARE * n_steps


def second_look(
    view: StudyView, runs: Sequence[Run], lowest: Array, paused: Index, rng: np.random.Generator
) -> Continue | None:
    """Half a training for any of the paused runs in the worse half by their lowest losses."""
    far = looks_until(view)
    middle = np.median(lowest[paused]) if len(paused) else 0.0
    poor = [runs[i] for i in paused if lowest[i] >= middle and runs[i].step < far]
    if not poor:
        return None
    run = poor[int(rng.integers(len(poor)))]
    return Continue(run_id=run.id, to_step=far, reason=LOOKS_POOR)


def _in_vain(view: StudyView, best: Run, n_steps: float) -> bool:
    """Whether so many steps were asked for since the slice that brought the best run, and since the
    look before."""
    at = _came_at(view, best)
    for entry in reversed(view.diary):
        found = is_of(view, entry, best) and (entry.step or 0.0) < at
        if n_steps <= 0.0 or found or entry.action.reason == LOOKS_POOR:
            break
        n_steps -= asked_steps(entry)
    return n_steps <= 0.0


def _came_at(view: StudyView, best: Run) -> float:
    """The step of the lowest loss; where several train at once, and a look keeps only one of them
    from what looks good, that at which it came below all that the others have reached."""
    if n_workers(view) <= 1:
        return best.curve.best_step
    others = [run.best_loss for run in view.current().values() if run.id != best.id]
    below = best.curve.values < min(filter(math.isfinite, others), default=math.inf)
    return float(best.curve.steps[np.argmax(below)]) if below.any() else best.curve.best_step
