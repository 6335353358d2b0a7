"""Tree-structured Parzen estimator (Bergstra et al. 2011), multivariate as in arXiv:1807.01774.

    l(x)   density of the best `gamma` of the results: a mixture of one kernel per point and one
           that is even over the cube
    g(x)   the same of all other points, those still in training included
    next   of `n_candidates` drawn from l, the one with the highest l(x) / g(x)

A kernel is a product over the parameters: a normal cut off at 0 and 1 for numbers, and for a choice
a share for the other options. Where the point lacks a parameter its kernel is even there.
"""

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from luthier.core.domain import Choice
from luthier.core.space import Space
from luthier.core.study import StudyView
from luthier.samplers.observed import active_of, observed, on_grid, units_of

# Width of the kernels: WIDTH * n**(-1 / (d + 4)) of the cube's side (Scott's rule), at least 1 / n.
WIDTH, MAX_INVERSE_WIDTH = 0.2, 100
N_BEST = 25  # the best group never has more points
# The other group is as well known by a sample; of points without a result the newest count.
N_OTHERS = 250
_BLOCK = 64  # rows proposed at a time, which bounds the memory


@final
@dataclass(frozen=True, slots=True)
class Tpe:
    """Random for `n_start` results, then by the ratio of densities.

    `random_share`: how often a point is drawn evenly all the same (BOHB: 1/3).
    """

    n_start: int = 10
    gamma: float = 0.1
    n_candidates: int = 24
    random_share: float = 0.0

    def suggest(
        self, view: StudyView, n: int, rng: np.random.Generator
    ) -> NDArray[np.float64]:  # (n, d)
        """Points, each the best of its own candidates."""
        space = view.study.space
        rows = rng.random((n, space.dimension))
        seen = observed(view, n_least=self.n_start)
        finite = int(np.isfinite(seen.losses).sum())
        if not space.dimension or finite < max(2, self.n_start):
            return rows
        order = np.argsort(seen.losses, kind="stable")
        n_best = min(math.ceil(self.gamma * len(seen)), N_BEST, finite - 1)
        rest = order[n_best:]
        if len(rest) > N_OTHERS:
            rest = rng.choice(rest, N_OTHERS, replace=False)
        points = [seen.points[i] for i in (*order[:n_best], *rest)]
        points += seen.pending[-N_OTHERS:]
        units, active = units_of(space, points), active_of(space, points)
        good = _Density(space, units[:n_best], active[:n_best])
        poor = _Density(space, units[n_best:], active[n_best:])
        modelled = np.flatnonzero(rng.random(n) >= self.random_share)
        for first in range(0, len(modelled), _BLOCK):
            block = modelled[first : first + _BLOCK]
            drawn = good.draw(len(block) * self.n_candidates, rng)
            drawn, there = on_grid(space, drawn)
            ratio = good.log(drawn, there) - poor.log(drawn, there)
            chosen = ratio.reshape(len(block), -1).argmax(axis=1)
            rows[block] = drawn[np.arange(len(block)) * self.n_candidates + chosen]
        return rows


@final
class _Density:
    """A mixture of kernels around n points of the cube, and one that is even."""

    def __init__(self, space: Space, units: NDArray[np.float64], active: NDArray[np.bool_]) -> None:
        self._units, self._active = units, active
        n, d = units.shape
        domains = [space.domains[name] for name in space.names]
        n_options = np.array([len(x.options) if isinstance(x, Choice) else 0 for x in domains])
        self._width = max(WIDTH * max(n, 1) ** (-1 / (d + 4)), 1 / min(1 + n, MAX_INVERSE_WIDTH))
        self._numbers = np.flatnonzero(n_options == 0)
        self._choices = [(int(j), int(n_options[j])) for j in np.flatnonzero(n_options)]
        self._same = 1.0 - self._width  # a choice keeps its option with this weight

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:  # (n, d)
        """Independent points."""
        rows = rng.random((n, self._units.shape[1]))
        kernel = rng.integers(len(self._units) + 1, size=n)  # the last is the even one
        at = np.flatnonzero(kernel < len(self._units))
        units, active = self._units[kernel[at]], self._active[kernel[at]]
        low, high = ndtr(-units / self._width), ndtr((1.0 - units) / self._width)
        moved = units + self._width * ndtri(low + rows[at] * (high - low))
        moved = np.clip(moved, 0.0, 1.0)
        for j, _ in self._choices:
            keep = rng.random(len(at)) < self._same
            moved[:, j] = np.where(keep, units[:, j], rows[at, j])
        rows[at] = np.where(active, moved, rows[at])
        return rows

    def log(
        self, rows: NDArray[np.float64], active: NDArray[np.bool_]
    ) -> NDArray[np.float64]:  # (m,)
        """Logarithm of the density at rows (m, d); parameters a row lacks count as even."""
        numbers, width = self._numbers, self._width
        x, mu = rows[:, numbers], self._units[:, numbers]
        inside = ndtr((1.0 - mu) / width) - ndtr(-mu / width)
        log_scale = np.log(inside * (width * np.sqrt(2.0 * np.pi)))
        # sums over parameters as products of matrices, so that masks cost no loop
        if active.all() and self._active.all():
            squares = (x * x).sum(axis=1)[:, None] - 2.0 * x @ mu.T + (mu * mu).sum(axis=1)
            logs = -0.5 / width**2 * squares - log_scale.sum(axis=1)  # (m, n)
        else:
            there = active[:, numbers].astype(float)
            here = self._active[:, numbers].astype(float)
            squares = (x * x * there) @ here.T - 2.0 * (x * there) @ (here * mu).T
            squares += there @ (here * mu * mu).T
            logs = -0.5 / width**2 * squares - there @ (here * log_scale).T
        for j, k in self._choices:
            options = np.arange(k)
            ours = np.minimum((rows[:, j] * k).astype(int), k - 1)[:, None] == options
            theirs = np.minimum((self._units[:, j] * k).astype(int), k - 1)[:, None] == options
            both = np.outer(active[:, j], self._active[:, j])
            same = ours.astype(float) @ theirs.astype(float).T
            odds = np.where(same > 0, k * self._same + 1 - self._same, 1 - self._same)
            logs += np.where(both, np.log(odds), 0.0)
        top = logs.max(axis=1, initial=0.0)  # 0: the even kernel
        logs -= top[:, None]
        sums = np.exp(logs, out=logs).sum(axis=1) + np.exp(-top)
        return np.asarray(top + np.log(sums / (len(self._units) + 1)))
