"""Runs that sit where many do from the first: at the level of one who knows nothing.

Where most networks predict the same for every input, that loss is soon almost the lowest of all,
and the runs that will learn look worse until they have passed it. So what stays at such a level
counts as hopeless, until one that sat there is seen to leave it downward; from then on, who has not
sat as long tells nothing yet. Near zero, where losses are small beside poor ones, such a level has
been learned; for a metric that is none but is negated, as accuracy is, this cannot be told.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.models.readings import Readings

Index = NDArray[np.int64]

_N_LEAST, _SHARE = 5, 0.15  # runs that make a crowd: five, and so many of all
_LOWER = 0.1  # of all runs, at most, were lower than the crowd by then: noise
_TIGHT = 0.02  # of the way up to a poor first loss: within this the crowd lies
_REACH = (0.02, 0.05)  # of that way, about the crowd: who counts as of it, at least and at most
_N_WIDTHS = 10  # of the crowd, between the two
_LEARNED = 0.5  # of a poor first loss: who is so far below it has learned
_N_FIRST = 27  # runs that tell what is poor for that: later ones are chosen
_LATEST = 0.4  # of a training: nobody is waited for longer
_WORTH_IT = 1 / 3  # of those who waited, that must have left
_FALLS = 0.25  # of the reach, between two readings: who falls so fast may be passing


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Seats:
    """How readings lie about the level of a crowd."""

    nth: Index  # (n,) of its run
    to_come: Index  # (n,) of its run after it
    near: NDArray[np.bool_]  # (n,) the level
    falls: NDArray[np.bool_]  # (n,) from the one before, so fast that it may be passing
    below: Index  # readings
    left: Index  # of them those of runs that had sat there


def at_chance(readings: Readings, n_runs: int) -> NDArray[np.bool_]:
    """Which readings belong to runs that sit there, (n,): their last two, or the only one, are at
    the level of the crowd. Who comes down to it later gets a second reading, and who falls on gets
    more, for it may be passing. What such a run had before it sat counts no more than the rest."""
    run, seats = readings.run, _seats(readings, n_runs)
    if seats is None or len(seats.left):
        return np.zeros(len(run), dtype=bool)
    leaves = np.zeros(n_runs, dtype=bool)
    leaves[run[~seats.near & (seats.to_come < 2)]] = True
    leaves[run[seats.falls & (seats.to_come == 0) & (seats.nth > 1)]] = True
    leaves[run[seats.below]] = True  # it has learned, whatever became of it
    sitting: NDArray[np.bool_] = ~leaves[run]
    return sitting


def too_early(readings: Readings, n_runs: int) -> tuple[NDArray[np.bool_], int]:
    """Which readings belong to runs that sit where others have left, (n,), but not for as long as
    those did: they tell nothing yet. And the place in the grid where the last of the others had
    left; -1 as long as nobody has, or fewer than a third of those who sat there for as long."""
    run, seats = readings.run, _seats(readings, n_runs)
    if seats is None or not len(seats.left):
        return np.zeros(len(run), dtype=bool), -1
    first = np.full(n_runs, len(readings.grid))
    np.minimum.at(first, run[seats.left], readings.step[seats.left])
    latest = int(np.searchsorted(readings.grid, _LATEST * readings.grid[-1], "right")) - 1
    place = min(int(first[run[seats.left]].max()), latest)
    sits = (seats.to_come == 0) & seats.near
    n_left, n_in_vain = len(set(run[seats.left])), int((sits & (readings.step >= place)).sum())
    if n_left < _WORTH_IT * (n_left + n_in_vain):
        return np.zeros(len(run), dtype=bool), -1
    early = np.zeros(n_runs, dtype=bool)
    early[run[sits & (readings.step < place)]] = True
    return early[run], place


def _seats(readings: Readings, n_runs: int) -> _Seats | None:
    """None without a crowd."""
    run, loss = readings.run, readings.loss
    starts = np.flatnonzero(np.append(True, run[1:] != run[:-1])[: len(run)])
    counts = np.diff(np.append(starts, len(run)))
    nth = np.arange(len(run)) - np.repeat(starts, counts)
    crowd = _crowd(loss, nth)
    if crowd is None:
        return None
    level, reach = crowd
    near = np.abs(loss - level) <= reach
    with np.errstate(invalid="ignore"):  # from inf to inf
        falls = (nth > 0) & (np.append(np.inf, loss[:-1]) - loss > _FALLS * reach)[: len(run)]
    settled = near & np.append(False, near[:-1])[: len(run)] & ~falls & (nth > 0)
    sat_from = np.full(n_runs, len(run))
    np.minimum.at(sat_from, run[settled], np.flatnonzero(settled))
    below = np.flatnonzero(loss < level - reach)
    left = below[below > sat_from[run[below]]]
    return _Seats(nth, np.repeat(counts, counts) - 1 - nth, near, falls, below, left)


def moves_of(readings: Readings, sitting: NDArray[np.bool_]) -> float:
    """By how much those who sit move from one reading to the next: four of five times less."""
    loss = readings.loss
    known = np.isfinite(loss) & sitting
    pairs = np.flatnonzero(known[1:] & known[:-1] & (readings.run[1:] == readings.run[:-1]))
    moves = np.abs(loss[pairs + 1] - loss[pairs])
    return float(np.quantile(moves, 0.8)) if len(moves) else 0.0


def _crowd(loss: NDArray[np.float64], nth: NDArray[np.int64]) -> tuple[float, float] | None:
    """Level of the tightest crowd near the lowest losses, and how far to either side it reaches;
    by each run's second reading, or its only one."""
    is_first, is_second = nth == 0, nth == 1
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
