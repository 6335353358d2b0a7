"""From which step on losses are believed: what was told of earlier ones is left out.

The first step may say nothing (`first_step.py`), and a run that looked poor may have overtaken
those that looked good (`second_look.py`): then whatever came before that step deceives.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from luthier.core.entry import Entry
from luthier.core.study import Run, StudyView
from luthier.models.readings import log_grid
from luthier.policies.first_step import telling_step
from luthier.policies.second_look import LOOKS_POOR, looks_until

Array = NDArray[np.float64]
Index = NDArray[np.int64]


def believed_from(view: StudyView, runs: Sequence[Run]) -> int:
    """The step; `runs`: the newest of each trial."""
    return max(telling_step(runs, view.study.max_steps or 1), overtaken_at(view, runs))


def overtaken_at(view: StudyView, runs: Sequence[Run]) -> int:
    """The step of the grid at which a run that got a second look took the lead, of all that had not
    been looked at so and as far as they had been sent by then; the earliest where several did, 1
    where none did. It says nothing before one of the others came as far as it."""
    looks = [entry for entry in view.diary if entry.action.reason == LOOKS_POOR]
    if not looks:
        return 1
    place_of = {run.trial: place for place, run in enumerate(runs)}
    looked = {trial for look in looks if (trial := _trial(view, look)) in place_of}
    rivals = np.array([run.trial not in looked for run in runs], dtype=bool)
    far = looks_until(view)
    grid = log_grid(view.study.max_steps or 1)
    grid = grid[grid <= far]
    lows = np.array([_lows(run, grid) for run in runs]).reshape(len(runs), len(grid))
    at = np.array([run.step for run in runs])
    waits = np.array([run.active for run in runs])
    sent, found = np.zeros(len(runs)), []
    for entry in view.diary:
        place = place_of.get(_trial(view, entry))
        if place is None:
            continue
        if entry.action.reason != LOOKS_POOR:
            sent[place] = max(sent[place], getattr(entry.action, "to_step", 0.0))
            continue
        run = _attempt(view, entry, runs[place], far)
        there = rivals & (sent >= far) & (at >= far)
        on_the_way = rivals & waits & (at < np.minimum(sent, far))
        if run is not None and there.any() and not on_the_way.any():
            found += _lead(_lows(run, grid), lows[rivals], sent[rivals], grid)
    return min(found, default=1)


def _lead(own: Array, lows: Array, sent: Array, grid: Index) -> list[int]:
    """The step of the grid at which one took the lead for good; none where it never did, or was
    ahead from the first. `own` (steps,), `lows` (runs, steps) of the others."""
    last = np.maximum(np.searchsorted(grid, sent, side="right") - 1, 0)
    until = np.minimum(np.arange(len(grid)), last[:, None])
    behind = np.flatnonzero(own >= np.take_along_axis(lows, until, axis=1).min(axis=0))
    place = int(behind[-1]) + 1 if len(behind) else 0
    return [int(grid[place])] if 0 < place < len(grid) else []


def _trial(view: StudyView, entry: Entry) -> int:
    run = view.runs.get(entry.run_id)
    return run.trial if run is not None else -1


def _attempt(view: StudyView, look: Entry, newest: Run, far: float) -> Run | None:
    """The run that was looked at, or the one that took over from it; None where neither came so
    far."""
    both = (view.runs[look.run_id], newest)
    return next((run for run in both if run.step >= far), None)


def _lows(run: Run, grid: Index) -> Array:
    """(steps,) lowest loss so far; +inf where there is none."""
    curve = run.curve.until(grid[-1])
    low = np.minimum.accumulate(np.where(np.isfinite(curve.values), curve.values, np.inf))
    return np.append(np.inf, low)[np.searchsorted(curve.steps, grid, side="right")]
