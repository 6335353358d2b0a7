"""What a study has seen, thinned to a logarithmic grid of steps."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.core.curve import Curve
from luthier.core.study import Run, RunState

Array = NDArray[np.float64]
Index = NDArray[np.int64]
_GROWTH = 1.35
_N_KNOWN = 8192
_known: OrderedDict[tuple[object, ...], tuple[Curve, Index, Array, Array]] = OrderedDict()


def log_grid(last: int) -> Index:
    """Steps 1, 2, 3, 4, 5, 7, 10, 13, … up to `last`, each about a third further."""
    steps, at = [1], 1.0
    while steps[-1] < last:
        at = max(at * _GROWTH, steps[-1] + 1.0)
        steps.append(round(min(at, last)))
    return np.array(steps, dtype=np.int64)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """Losses of runs at steps of a grid, up to where a run broke or diverged."""

    grid: Index  # (g,) steps
    run: Index  # (n,) into the runs given
    step: Index  # (n,) into the grid
    loss: Array  # (n,)
    low: Array  # (n,) the run's lowest loss up to there; +inf where the loss is

    @classmethod
    def of(cls, runs: Sequence[Run], grid: Index, first_step: int = 1) -> "Readings":
        """The newest loss at each grid step that a run has passed, from `first_step` on, and the
        end of a run that ended between two. What a fork inherits is its parent's."""
        gaps = has_gaps(runs)
        each = [_of_one(run, grid, first_step, gaps) for run in runs]
        if not each:
            none = np.empty(0)
            return cls(grid, np.empty(0, np.int64), np.empty(0, np.int64), none, none)
        steps, losses, lows = map(np.concatenate, zip(*each, strict=True))
        of_run = np.repeat(np.arange(len(each)), [len(one[0]) for one in each])
        return cls(grid, of_run, steps, losses, lows)

    def at(self, part: Index | NDArray[np.bool_]) -> "Readings":
        """Some of them."""
        own = self.run[part], self.step[part], self.loss[part], self.low[part]
        return Readings(self.grid, *own)


def _of_one(run: Run, grid: Index, first_step: int, gaps: bool) -> tuple[Index, Array, Array]:
    """A run's readings; worked out once for as long as the run stays as it is."""
    key = (run.id, run.state, run.step, len(grid), first_step, gaps)
    known = _known.get(key)
    if known is None or known[0] is not run.curve:
        place, loss, low = _read(run, grid, first_step, gaps)
        believed = grid[place] >= first_step
        known = _known[key] = (run.curve, place[believed], loss[believed], low[believed])
        if len(_known) > _N_KNOWN:
            _known.popitem(last=False)
    return known[1:]


def _read(run: Run, grid: Index, first_step: int, gaps: bool) -> tuple[Index, Array, Array]:
    curve = _without_gaps(run, gaps)
    bad = ~np.isfinite(curve.values)
    begun = run.parent.step if run.parent else 0.0
    own = ~bad & (curve.steps > begun) & (curve.steps >= first_step)
    low = np.minimum.accumulate(np.where(own, curve.values, np.inf))
    if run.state is RunState.FAILED or (bad.any() and not run.active):
        # what came before it went wrong stands; how likely that is, is told by `Reliability`
        n_good = int(np.argmax(bad)) if bad.any() else len(curve)
        broke = curve.steps[n_good] if n_good < len(curve) else run.step + 1
        good = np.searchsorted(curve.steps[:n_good], grid, side="right") - 1
        known = np.flatnonzero((good >= 0) & (grid > begun) & (grid < broke))
        return known, curve.values[good[known]], low[good[known]]
    last = run.step if len(curve) else 0.0
    known = np.flatnonzero((grid > begun) & (grid <= last))
    if run.state in (RunState.COMPLETED, RunState.STOPPED) and len(curve) and last < grid[-1]:
        ahead = int(np.searchsorted(grid, last))
        known = np.unique(np.append(known, ahead))  # the end of a run that was shorter
    place = np.searchsorted(curve.steps, grid[known], side="right") - 1
    known, place = known[place >= 0], place[place >= 0]
    values = curve.values[place]
    finite = np.isfinite(values)
    lowest = np.minimum(low[place], values)  # read there, it may have been told before
    return known, np.where(finite, values, np.inf), np.where(finite, lowest, np.inf)


def has_gaps(runs: Sequence[Run]) -> bool:
    """Whether NaN was followed by a number: then it says that nothing was measured at a step."""
    return any(_has_gap(run.curve.values) for run in runs)


def _has_gap(values: Array) -> bool:
    missing = np.isnan(values)
    return bool(missing.any()) and bool((missing[:-1] & np.isfinite(values[1:])).any())


def _without_gaps(run: Run, gaps: bool) -> Curve:
    curve, missing = run.curve, np.isnan(run.curve.values)
    if not gaps or not missing.any() or run.state is RunState.FAILED:
        return curve
    return Curve(curve.steps[~missing], curve.values[~missing])
