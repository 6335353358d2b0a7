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
    deviations the reading to come lies above its prediction. `truth(run, step)` is the loss there;
    the reading is the lowest so far where curves are ragged."""
    grid = model.readings.grid
    own, place, seen = [], [], []
    for number, run in enumerate(runs):
        if run.state is not RunState.PAUSED or not len(run.curve):
            continue
        here = int(np.searchsorted(grid, run.step, side="right")) - 1
        for at in sorted({min(here + k, len(grid) - 1) for k in ahead} - {here}):
            step = int(grid[at])
            loss = truth(run, step)
            if model.ragged and not np.isnan(loss):
                between = [truth(run, s) for s in range(int(run.step) + 1, step + 1)]
                loss = min([run.curve.best_loss, *between])
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
