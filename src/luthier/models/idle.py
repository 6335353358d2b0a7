"""Runs that sit where many do from the first: at the level of one who knows nothing.

Where most networks predict the same for every input, that loss is soon the lowest of all, and the
runs that will learn look worse until they have passed it. So what stays at such a level counts as
hopeless for as long as nothing is below it.
"""

import numpy as np
from numpy.typing import NDArray

from luthier.models.readings import Readings

_N_LEAST, _SHARE = 5, 0.15  # runs that come to the level with their first two readings
_NEAR = 0.02  # of the way up to a poor first loss (the upper quartile): as good as the same


def at_chance(readings: Readings, n_runs: int) -> NDArray[np.bool_]:
    """Which readings belong to runs that sit there, (n,): their last two, or the only one, are at
    the level of the lowest loss seen, to which at least 15 % of all runs came with one of their
    first two. Who comes down to it later gets a second reading, for it may be passing."""
    run, loss = readings.run, readings.loss
    none = np.zeros(len(run), dtype=bool)
    is_first = np.append(True, run[1:] != run[:-1])[: len(run)]
    first = loss[is_first]
    known = first[np.isfinite(first)]
    if len(known) < _N_LEAST:
        return none
    lowest = float(loss[np.isfinite(loss)].min())
    level = lowest + _NEAR * (float(np.quantile(known, 0.75)) - lowest)
    near = loss <= level
    is_second = np.append(False, is_first[:-1]) & ~is_first
    soon = np.unique(run[near & (is_first | is_second)])
    if len(soon) < max(_N_LEAST, _SHARE * is_first.sum()):
        return none
    is_last = np.append(is_first[1:], True)
    one_before_last = np.append(is_last[1:], False) & ~is_last
    leaves = np.zeros(n_runs, dtype=bool)
    leaves[run[~near & (is_last | one_before_last)]] = True
    sitting: NDArray[np.bool_] = ~leaves[run] & near
    return sitting
