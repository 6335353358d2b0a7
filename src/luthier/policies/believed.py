"""From which step on losses are believed: what is told of earlier ones is left out.

The first step may say nothing (`first_step.py`), and a run that looked poor may have overtaken
those that looked good (`second_look.py`): then whatever came before that step deceives.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from luthier.core.study import Run, StudyView
from luthier.models.readings import log_grid
from luthier.policies.first_step import telling_step
from luthier.policies.second_look import LOOKS_POOR, looks_until

Array = NDArray[np.float64]


def believed_from(view: StudyView, runs: Sequence[Run]) -> int:
    """The step; `runs`: the newest of each trial."""
    return max(telling_step(runs, view.study.max_steps or 1), _overtaken_at(view, runs))


def _overtaken_at(view: StudyView, runs: Sequence[Run]) -> int:
    """From which on a run that got a second look was ahead of all that had been sent as far before
    it; the earliest where several were, 1 where none was."""
    by_id = {run.id: run for run in runs}
    far = looks_until(view)
    steps = _steps_until(far)
    before: dict[str, Array] = {}
    overtaken = []
    for entry in view.diary if any(e.action.reason == LOOKS_POOR for e in view.diary) else ():
        run = by_id.get(entry.run_id)
        if run is None or run.step < far or getattr(entry.action, "to_step", 0.0) < far:
            continue
        lows = _lows(run, steps)
        others = [low for name, low in before.items() if name != run.id]
        if entry.action.reason != LOOKS_POOR:
            before[run.id] = lows
        elif others:
            behind = np.flatnonzero(lows >= np.min(others, axis=0))
            place = int(behind[-1]) + 1 if len(behind) else 0
            overtaken += [int(step) for step in steps[place : place + 1]]
    return min(overtaken, default=1)


def _steps_until(far: float) -> NDArray[np.int64]:
    return log_grid(int(far))


def _lows(run: Run, steps: NDArray[np.int64]) -> Array:
    """(steps,) lowest loss so far; +inf where there is none."""
    curve = run.curve
    low = np.minimum.accumulate(np.where(np.isfinite(curve.values), curve.values, np.inf))
    return np.append(np.inf, low)[np.searchsorted(curve.steps, steps, side="right")]
