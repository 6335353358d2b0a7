"""Whether a model's predictions hold: what it said of runs, against what was to come."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from luthier.core.study import Run, RunState
from luthier.models.curves import CurveModel


def standard_scores(
    model: CurveModel,
    runs: Sequence[Run],
    x: NDArray[np.float64],
    truth: Callable[[Run, int], float],
    ahead: Sequence[int] = (1, 4, 1000),
) -> NDArray[np.float64]:
    """For each paused run, and for so many grid points ahead (the last at most): how many standard
    deviations the reading to come, `truth(run, step)`, lies above its prediction."""
    grid = model.readings.grid
    own, place, seen = [], [], []
    for number, run in enumerate(runs):
        if run.state is not RunState.PAUSED or not len(run.curve):
            continue
        here = int(np.searchsorted(grid, run.step, side="right")) - 1
        for at in sorted({min(here + k, len(grid) - 1) for k in ahead} - {here}):
            loss = truth(run, int(grid[at]))
            if not np.isnan(loss):
                own.append(number)
                place.append(at)
                seen.append(loss)
    if not own:
        return np.empty(0)
    numbers, places = np.array(own), np.array(place)
    mean, spread = model.predict(x[numbers], numbers, places)
    scores: NDArray[np.float64] = (model.warp(np.array(seen)) - mean) / spread
    return scores
