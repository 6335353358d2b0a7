"""From which step on losses are believed: what was told of earlier ones is left out.

The first step may say nothing (`first_step.py`), and a run that looked poor may have overtaken
those that looked good (`second_look.py`): then whatever came before that step deceives.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from luthier.core.entry import Entry
from luthier.core.study import Run, StudyView
from luthier.models.readings import Readings, log_grid
from luthier.policies.first_step import telling_step
from luthier.policies.second_look import LOOKS_POOR, looks_until

Array = NDArray[np.float64]
Index = NDArray[np.int64]


def believed_from(view: StudyView, runs: Sequence[Run]) -> int:
    """The step; `runs`: the newest of each trial."""
    return max(telling_step(runs, view.study.max_steps or 1), overtaken_at(view))


def overtaken_at(view: StudyView) -> int:
    """The step of the grid at which a trial that got a second look took the lead, of all that had
    not been looked at so and as far as they had been sent by then; the earliest where several did,
    1 where none did. Nothing is said before one of the others came as far as it."""
    looked = {_trial(view, e) for e in view.diary if e.action.reason == LOOKS_POOR} - {None}
    if not looked:
        return 1
    place_of = {trial: place for place, trial in enumerate(view.trials)}
    rivals = np.array([trial not in looked for trial in place_of], dtype=bool)
    far = looks_until(view)
    grid = log_grid(view.study.max_steps or 1)
    at, waits, lows = _seen(view, place_of, grid)
    grid, lows = grid[grid <= far], lows[:, grid <= far]
    sent, found = np.zeros(len(place_of)), []
    for entry in view.diary:
        trial = _trial(view, entry)
        if trial is None:
            continue
        place = place_of[trial]
        if entry.action.reason != LOOKS_POOR:
            sent[place] = max(sent[place], getattr(entry.action, "to_step", 0.0))
            continue
        there = rivals & (sent >= far) & (at >= far)
        on_the_way = rivals & waits & (at < np.minimum(sent, far))
        if at[place] >= far and there.any() and not on_the_way.any():
            found += _lead(lows[place], lows[rivals], sent[rivals], grid)
    return min(found, default=1)


def _seen(
    view: StudyView, place_of: Mapping[int, int], grid: Index
) -> tuple[Array, NDArray[np.bool_], Array]:
    """Of each trial, all attempts taken together: its last step, whether it trains, (trials, steps)
    its lowest loss so far."""
    runs = list(view.runs.values())
    places = np.array([place_of[run.trial] for run in runs])
    at, waits = np.zeros(len(place_of)), np.zeros(len(place_of), dtype=bool)
    np.maximum.at(at, places, [run.step for run in runs])
    waits[places[[run.active for run in runs]]] = True
    readings = Readings.of(runs, grid)
    lows = np.full((len(place_of), len(grid)), np.inf)
    np.minimum.at(lows, (places[readings.run], readings.step), readings.low)
    return at, waits, np.minimum.accumulate(lows, axis=1)


def _lead(own: Array, lows: Array, sent: Array, grid: Index) -> list[int]:
    """The step of the grid at which one took the lead for good; none where it never did, or was
    ahead from the first. `own` (steps,), `lows` (runs, steps) of the others."""
    last = np.maximum(np.searchsorted(grid, sent, side="right") - 1, 0)
    until = np.minimum(np.arange(len(grid)), last[:, None])
    behind = np.flatnonzero(own >= np.take_along_axis(lows, until, axis=1).min(axis=0))
    place = int(behind[-1]) + 1 if len(behind) else 0
    return [int(grid[place])] if 0 < place < len(grid) else []


def _trial(view: StudyView, entry: Entry) -> int | None:
    run = view.runs.get(entry.run_id)
    return None if run is None else run.trial
