"""What a study's curves lead to expect: readings, a kernel that suits them, predictions.

Nothing is kept between questions but results that follow from their arguments alone.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.core.study import Run
from luthier.models.encoding import Encoding
from luthier.models.fitting import fit
from luthier.models.idle import at_chance, moves_of, too_early
from luthier.models.kernel import Kernel
from luthier.models.process import Process
from luthier.models.ragged import is_ragged
from luthier.models.readings import Readings
from luthier.models.warp import WARPS, Warp

Array = NDArray[np.float64]
Index = NDArray[np.int64]

N_FIT, N_ITERATIONS = 90, 12  # readings that a kernel is fitted to, and steps of the fit
N_READINGS = 600  # readings that a prediction rests on
_GROWTH = 1.25  # a kernel is fitted anew when there are so many times more runs
_N_KEPT = 16
_LEAST = 1e-3  # deviation of a prediction
_LOWEST, _HIGHEST = 0.5, 4.0  # widening
Z80 = 1.2816  # standard deviations to either side that hold 80 % of a normal distribution

_SECOND_RUNG = 3  # a first step up to here has a rung near enough
_USUAL_WIDENING, _N_USUAL = 1.25, 20  # believed before, and how many scores that is worth
_FURTHER = 1.2  # what is to come lies further off than what was hidden: runs that were left
_POWER = 0.27  # how it grows with the points of the grid that lie between

_kernels: OrderedDict[bytes, tuple[Kernel, float]] = OrderedDict()


@final
@dataclass(frozen=True, slots=True, eq=False)
class CurveModel:
    """Predictions for runs and points, in the warped scale `warp`."""

    process: Process
    warp: Warp
    readings: Readings
    lowest: Array  # (runs,) lowest reading of each run
    newest: Index  # (runs,) place in the grid of the newest; -1 where there is none
    widening: float  # of the standard deviations, so that 80 % intervals held on what was hidden
    seat: Array  # (runs,) newest loss
    stir: float  # by how much those who sit at chance move, a standard deviation of the loss
    idle: NDArray[np.bool_]  # (runs,) that sit at the level of one who knows nothing
    ragged: bool  # curves are read, and predicted, by their lowest loss so far
    early: NDArray[np.bool_]  # (runs,) that sit there, but not yet as long as others who left
    take_off: int  # place in the grid by which those had; -1 where there are none

    def predict(self, x: Array, own: Index, step: Index) -> tuple[Array, Array]:
        """Mean and standard deviation of readings to come, warped; as in `Process.predict`."""
        mean, spread = self.process.predict(x, own, step)
        of_run = own.reshape(-1, *(1,) * (step.ndim - 1))
        wider = _wider(step - np.append(self.newest, -1)[of_run])
        spread = self.widening * wider * np.sqrt(spread**2 + self.process.kernel.noise)
        sits = np.append(self.idle, False)[of_run]
        if sits.any():  # hopeless to the search, which asks `process`; expected to stay there
            seat, stir = np.append(self.seat, np.nan)[of_run], self.stir * wider
            low, high = self.warp(seat - stir), self.warp(seat + stir)
            mean = np.where(sits, self.warp(seat), mean)
            spread = np.where(sits, np.maximum((high - low) / 2.0, _LEAST), spread)
        return mean, spread

    @classmethod
    def of(
        cls,
        runs: Sequence[Run],
        x: Array,
        encoding: Encoding,
        grid: Index,
        kind: str,
        first_step: int = 1,
        *,
        with_idle: bool = False,
    ) -> "CurveModel | None":
        """From runs at encoded points `x`, from a step on; None while no loss is a number.

        `with_idle`: runs that sit at chance count by their losses, as all others do.
        """
        readings, early = Readings.of(runs, grid, first_step), np.zeros(len(runs), dtype=bool)
        sitting, take_off = np.zeros(len(readings.run), dtype=bool), -1
        if not with_idle:
            sitting = at_chance(readings, len(runs))
            mute, take_off = too_early(readings, len(runs))
            early[readings.run[mute]] = True
            readings, sitting = readings.at(~mute), sitting[~mute]
        ragged = is_ragged(readings, sitting)
        newest, seat = np.full(len(runs), -1), np.full(len(runs), np.nan)
        newest[readings.run], seat[readings.run] = readings.step, readings.loss  # the last counts
        stir = moves_of(readings, sitting) / Z80
        loss = np.where(sitting, np.inf, readings.low if ragged else readings.loss)
        readings = replace(readings, loss=loss, low=np.where(sitting, np.inf, readings.low))
        if not np.isfinite(readings.loss).any():
            return None
        idle = np.zeros(len(runs), dtype=bool)
        idle[readings.run[sitting]] = True
        u = np.log(grid) / np.log(max(grid[-1], 2))
        believed = int(np.searchsorted(grid, first_step)) if first_step > _SECOND_RUNG else 0
        rungs = np.unique(np.append(_rungs(grid), believed))
        kernel, widening = _fitted(readings, rungs, x, u, encoding, kind)
        warp, lowest = _warp(readings, len(runs), kind)
        kept = _thinned(readings, lowest)
        process = Process.condition(
            kernel, x, u, readings.run[kept], readings.step[kept], warp(readings.loss[kept])
        )
        ahead = [(i, max(k, believed)) for i, run in enumerate(runs) if run.active
                 for k in [_next_step(run, readings, i)] if k < len(grid)]  # fmt: skip
        pending = np.array(ahead, dtype=np.int64).reshape(-1, 2)
        process = process.expecting(pending[:, 0], pending[:, 1])
        return cls(process, warp, readings, lowest, newest, widening, seat, stir, idle, ragged,
                   early, take_off)  # fmt: skip


def _next_step(run: Run, readings: Readings, number: int) -> int:
    """Place in the grid of the next reading of a run under way."""
    own = readings.step[readings.run == number]
    return int(own[-1]) + 1 if len(own) else int(np.searchsorted(readings.grid, run.step, "right"))


def _warp(readings: Readings, n_runs: int, kind: str) -> tuple[Warp, Array]:
    first, lowest = np.full(n_runs, np.inf), np.full(n_runs, np.inf)
    backwards = np.arange(len(readings.run))[::-1]
    first[readings.run[backwards]] = readings.loss[backwards]
    np.minimum.at(lowest, readings.run, readings.loss)
    return WARPS[kind].of(readings.loss, first, lowest), lowest


def _fitted(
    readings: Readings, rungs: Index, x: Array, u: Array, encoding: Encoding, kind: str
) -> tuple[Kernel, float]:
    """The kernel for what was seen up to the last milestone, and by how much it is too sure.

    Fitting costs much and changes little, so it looks only at every third power of a step and at
    the runs up to a round number: that part of a picture changes seldom.
    """
    n_runs = int(readings.run.max()) + 1
    n_first = int(_GROWTH ** np.floor(np.log(max(n_runs, 1)) / np.log(_GROWTH) + 1e-9))
    part = np.flatnonzero((readings.run < max(n_first, 4)) & np.isin(readings.step, rungs))
    part = _longest(readings, part)
    loss, run, step = readings.loss[part], readings.run[part], readings.step[part]
    if not np.isfinite(loss).any():
        part = np.arange(len(readings.run))
        loss, run, step = readings.loss, readings.run, readings.step
    key = b"".join([kind.encode(), loss.tobytes(), step.tobytes(), run.tobytes(), x[run].tobytes()])
    if key not in _kernels:
        warp, _ = _warp(readings.at(part), n_runs, kind)
        scales = encoding.length_scales()
        z = warp(loss)
        kernel = fit(x[run], u[step], run, z, encoding.groups, scales, N_ITERATIONS)
        _kernels[key] = kernel, _widening(kernel, x, u, run, step, z)
        if len(_kernels) > _N_KEPT:
            _kernels.popitem(last=False)
    _kernels.move_to_end(key)
    return _kernels[key]


def _widening(kernel: Kernel, x: Array, u: Array, run: Index, step: Index, z: Array) -> float:
    """How much wider 80 % intervals must be to hold readings that are hidden: of every second run
    that went on all but the first, of the others the last."""
    first = np.append(True, run[1:] != run[:-1])
    last = np.append(first[1:], True)
    hidden = np.where(run % 2 == 0, last & ~first, ~first)
    n = int(hidden.sum())
    if not n:
        return _USUAL_WIDENING
    shown = ~hidden
    process = Process.condition(kernel, x, u, run[shown], step[shown], z[shown])
    mean, spread = process.predict(x[run[hidden]], run[hidden], step[hidden])
    before = np.maximum.accumulate(np.where(shown, np.arange(len(run)), 0))  # shown of its run
    ahead = _wider(step - step[before])[hidden]
    scores = np.abs(z[hidden] - mean) / (ahead * np.sqrt(spread**2 + kernel.noise))
    needed = _FURTHER * float(np.quantile(scores, 0.8)) / Z80
    return float(
        np.clip((n * needed + _N_USUAL * _USUAL_WIDENING) / (n + _N_USUAL), _LOWEST, _HIGHEST)
    )


def _wider(ahead: Index) -> Array:
    """What lies far ahead is less certain than a model thinks, and the next point more."""
    wider: Array = np.maximum(ahead, 1) ** _POWER
    return wider


def _rungs(grid: Index) -> Index:
    """Places of the grid nearest to 1, 3, 9, 27, … and the last."""
    steps = 3.0 ** np.arange(int(np.log(max(grid[-1], 1)) / np.log(3.0)) + 1)
    return np.unique(np.append(np.searchsorted(grid, steps), len(grid) - 1))


def _longest(readings: Readings, part: Index) -> Index:
    """At most N_FIT readings: whole runs, those with most readings first."""
    if len(part) <= N_FIT:
        return part
    runs, counts = np.unique(readings.run[part], return_counts=True)
    scattered = (runs * 2654435761) % 2**32  # a fixed shuffle, so that the choice is stable
    order = np.lexsort((scattered, -counts))
    n_long = int(np.searchsorted(np.cumsum(counts[order]), N_FIT // 2))
    rest = order[n_long:][np.argsort(scattered[order[n_long:]], kind="stable")]
    chosen = np.concatenate([order[:n_long], rest])
    fits = np.cumsum(counts[chosen]) <= N_FIT
    return part[np.isin(readings.run[part], runs[chosen[fits]])]


def _thinned(readings: Readings, lowest: Array) -> Index:
    """All readings, or of the better runs all and of the others the last, N_READINGS at most."""
    n = len(readings.run)
    if n <= N_READINGS:
        return np.arange(n)
    is_last = np.append(readings.run[1:] != readings.run[:-1], True)
    merit = np.argsort(np.argsort(lowest, kind="stable"), kind="stable")[readings.run]
    order = np.lexsort((~is_last, merit))  # better runs first
    n_whole = N_READINGS // 2
    whole, others = order[:n_whole], order[n_whole:]
    lasts = others[is_last[others]]
    scattered = np.argsort((readings.run[lasts] * 2654435761) % 2**32, kind="stable")
    return np.sort(np.concatenate([whole, lasts[scattered][: N_READINGS - n_whole]]))
