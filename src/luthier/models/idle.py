"""Runs that sit where many do from the first: at the level of one who knows nothing.

Where most networks predict the same for every input, that loss is soon almost the lowest of all,
and the runs that will learn look worse until they have passed it. So what stays at such a level
counts as hopeless, until one that sat there is seen to leave it downward. Near zero, where losses
are small beside poor ones, such a level has been learned; for a metric that is none but is negated,
as accuracy is, this cannot be told.
"""

import numpy as np
from numpy.typing import NDArray

from luthier.models.readings import Readings

_N_LEAST, _SHARE = 5, 0.15  # runs that make a crowd: five, and so many of all
_LOWER = 0.1  # of all runs, at most, were lower than the crowd by then: noise
_TIGHT = 0.02  # of the way up to a poor first loss: within this the crowd lies
_REACH = (0.02, 0.05)  # of that way, about the crowd: who counts as of it, at least and at most
_N_WIDTHS = 10  # of the crowd, between the two
_LEARNED = 0.5  # of a poor first loss: who is so far below it has learned
_N_FIRST = 20  # runs that tell what is poor for that: later ones are chosen


def at_chance(readings: Readings, n_runs: int) -> NDArray[np.bool_]:
    """Which readings belong to runs that sit there, (n,): their last two, or the only one, are at
    the level of the crowd. Who comes down to it later gets a second reading, for it may be
    passing."""
    run, loss = readings.run, readings.loss
    none = np.zeros(len(run), dtype=bool)
    is_first = np.append(True, run[1:] != run[:-1])[: len(run)]
    is_second = np.append(False, is_first[:-1])[: len(run)] & ~is_first
    crowd = _crowd(loss, is_first, is_second)
    if crowd is None:
        return none
    level, reach = crowd
    near = np.abs(loss - level) <= reach
    is_last = np.append(is_first[1:], True)
    one_before_last = np.append(is_last[1:], False) & ~is_last
    sat_from = np.full(n_runs, len(run))
    twice = np.flatnonzero(near & np.append(False, near[:-1]) & ~is_first)
    np.minimum.at(sat_from, run[twice], twice)
    below = np.flatnonzero(loss < level - reach)
    if (below > sat_from[run[below]]).any():
        return none
    leaves = np.zeros(n_runs, dtype=bool)
    leaves[run[~near & (is_last | one_before_last)]] = True
    sitting: NDArray[np.bool_] = ~leaves[run] & near
    return sitting


def _crowd(
    loss: NDArray[np.float64], is_first: NDArray[np.bool_], is_second: NDArray[np.bool_]
) -> tuple[float, float] | None:
    """Level of the tightest crowd near the lowest losses, and how far to either side it reaches;
    by each run's second reading, or its only one."""
    first = loss[is_first]
    known = first[np.isfinite(first)]
    early = first.copy()
    early[np.cumsum(is_first)[is_second] - 1] = loss[is_second]
    early = np.sort(np.where(np.isfinite(early), early, first))
    early = early[np.isfinite(early)]
    n_crowd = int(max(_N_LEAST, np.ceil(_SHARE * len(first))))
    if len(early) < n_crowd or not len(known):
        return None
    lowest = early[: len(early) - n_crowd + 1][: int(_LOWER * len(first)) + 1]
    widths = early[n_crowd - 1 :][: len(lowest)] - lowest
    poor = float(np.quantile(known, 0.75))
    tight = np.flatnonzero(widths <= _TIGHT * (poor - lowest))
    if not len(tight):
        return None
    at = tight[np.argmin(widths[tight])]
    level = float(lowest[at] + widths[at] / 2)
    usual = float(np.quantile(known[:_N_FIRST], 0.75))
    if usual - level > _LEARNED * abs(usual):
        return None
    least, most = (share * (poor - level) for share in _REACH)
    return level, float(np.clip(_N_WIDTHS * widths[at], least, most))
