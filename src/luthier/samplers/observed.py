"""What samplers that learn share: results, and points as arrays.

Losses are compared at one step for all: the highest that `n_least` runs have reached (BOHB's rule,
arXiv:1807.01774), so runs that were stopped early do no harm, and runs in training count as soon
as they have come so far. For runs without curves that is simply their result.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from operator import attrgetter, itemgetter
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.core.domain import Float, Value
from luthier.core.space import Space
from luthier.core.study import Run, RunState, StudyView

# many runs at a time: what makes a suggestion quick
_FIELDS = attrgetter("state", "step", "curve.steps", "curve.values")
_COMPLETED, _FAILED, _LOST = RunState.COMPLETED, RunState.FAILED, RunState.LOST


@final
@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """Trials with a result, in the order of their numbers, and those without."""

    numbers: NDArray[np.int64]  # (n,) of the trials
    points: Sequence[Mapping[str, Value]]  # n
    losses: NDArray[np.float64]  # (n,) lowest so far; inf: none was a number, or the run broke
    pending: Sequence[Mapping[str, Value]]  # points without a comparable result yet

    def __len__(self) -> int:
        return len(self.losses)

    @property
    def finite_losses(self) -> NDArray[np.float64]:  # (n,)
        """Losses with the worst number in place of infinity; zeros when there is no number."""
        finite = np.isfinite(self.losses)
        if not finite.any():
            return np.zeros(len(self.losses))
        return np.where(finite, self.losses, self.losses[finite].max())


def observed(view: StudyView, n_least: int = 1) -> Observed:
    """The picture as it can be learned from."""
    points = [trial.params for trial in view.trials.values()]
    current = view.current()
    losses, there = _losses([current.get(number) for number in view.trials], n_least)
    numbers = np.fromiter(view.trials, dtype=np.int64, count=len(points))
    return Observed(
        numbers[there], list(compress(points, there.tolist())), losses[there],
        list(compress(points, (~there).tolist())),
    )  # fmt: skip


def _losses(
    runs: Sequence[Run | None], n_least: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Losses (n,), and which of them are results (n,)."""
    losses = np.full(len(runs), np.inf)
    there = np.zeros(len(runs), dtype=bool)
    known = np.array([run is not None for run in runs], dtype=bool)
    if not known.any():
        return losses, there
    states, last, steps, values = zip(*map(_FIELDS, filter(None, runs)), strict=True)
    there[known] = [state is _FAILED or state is _LOST for state in states]
    lengths = np.fromiter(map(len, values), dtype=np.int64, count=len(values))
    which = np.flatnonzero(lengths)
    if not len(which):
        return losses, there
    starts = (np.cumsum(lengths) - lengths)[which]
    numbers = np.concatenate(values)
    numbers[~np.isfinite(numbers)] = np.inf
    best = np.minimum.reduceat(numbers, starts)
    # the step up to which a run can be compared; a complete one up to any
    reached = np.array(last, dtype=np.float64)
    reached[[state is _COMPLETED for state in states]] = np.inf
    reached = reached[which]
    ranked = np.sort(reached[np.isfinite(best)])[::-1]
    step = ranked[min(n_least, len(ranked)) - 1] if len(ranked) else np.inf
    if step < np.inf:
        numbers[np.concatenate(steps) > step] = np.inf
        best = np.minimum.reduceat(numbers, starts)
    rows = np.flatnonzero(known)[which]
    losses[rows] = best
    there[rows] |= reached >= step
    return losses, there


def units_of(space: Space, points: Sequence[Mapping[str, Value]]) -> NDArray[np.float64]:  # (n, d)
    """`space.to_unit` of many points at once."""
    units = np.empty((len(points), space.dimension))
    low, width = np.zeros(space.dimension), np.ones(space.dimension)
    for column, (name, values) in enumerate(zip(space.names, _columns(space, points), strict=True)):
        domain = space.domains[name]
        if isinstance(domain, Float):
            units[:, column] = np.log(values) if domain.log else values
            scale = math.log if domain.log else float
            low[column] = scale(domain.low)
            width[column] = scale(domain.high) - scale(domain.low)
        else:
            known = {(type(v), v): domain.to_unit(v) for v in set(values)}
            units[:, column] = [known[type(v), v] for v in values]
    units -= low
    units /= width
    return np.clip(units, 0.0, 1.0, out=units)


def _columns(
    space: Space, points: Sequence[Mapping[str, Value]]
) -> Iterable[Sequence[Value]]:  # d times (n,)
    names = space.names
    if not points or len(names) < 2 or any(space.domains[name].when for name in names):
        defaults = {name: space.domains[name].default() for name in names}
        return [[point.get(name, defaults[name]) for point in points] for name in names]
    return zip(*map(itemgetter(*names), points), strict=True)


def active_of(space: Space, points: Sequence[Mapping[str, Value]]) -> NDArray[np.bool_]:  # (n, d)
    """Which parameters each point has."""
    if not any(space.domains[name].when for name in space.names):
        return np.ones((len(points), space.dimension), dtype=bool)
    rows = [[name in point for name in space.names] for point in points]
    return np.array(rows, dtype=bool).reshape(len(points), space.dimension)


def on_grid(
    space: Space, rows: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:  # (n, d), (n, d)
    """Rows moved to where their points lie, inactive parameters to their default; what is active.

    Rows of a space of floating-point numbers without conditions are left as they are.
    """
    if all(isinstance(d := space.domains[name], Float) and not d.when for name in space.names):
        return rows, np.ones(rows.shape, dtype=bool)
    points = [space.from_unit(row) for row in rows]
    return units_of(space, points), active_of(space, points)
