"""Curves that rise and come down again: their lowest loss so far says more than their newest.

Where a schedule restarts or losses are noisy, the newest loss depends on the step it was read at.
Elsewhere it is the better one: a run that turns up for good shows it, and its lowest does not.
"""

import numpy as np
from numpy.typing import NDArray

from luthier.models.readings import Readings

_N_RUNS, _N_READINGS = 4, 4  # so many runs with so many readings, at least
_RISE = 0.15  # of the spread between good runs: what a typical one rises and comes down again


def is_ragged(readings: Readings, sitting: NDArray[np.bool_]) -> bool:
    """Whether the better half of the runs rose by as much as tells them apart, and then fell below
    where they had been. `sitting` (n,): readings of runs at chance, which are passed over."""
    part = readings.at(~sitting & np.isfinite(readings.loss))
    run, low = part.run, part.low
    start = np.flatnonzero(np.append(True, run[1:] != run[:-1])[: len(run)])
    if not len(start):
        return False
    n_readings = np.diff(np.append(start, len(run)))
    lowest = np.minimum.reduceat(low, start)
    back_down = np.where(low > np.repeat(lowest, n_readings), part.loss - low, 0.0)
    risen = np.maximum.reduceat(back_down, start)
    known = n_readings >= _N_READINGS
    if known.sum() < _N_RUNS:
        return False
    lowest, risen = lowest[known], risen[known]
    better = np.argsort(lowest, kind="stable")[: max(3, (len(lowest) + 1) // 2)]
    return bool(np.median(risen[better]) > _RISE * lowest[better].std())
