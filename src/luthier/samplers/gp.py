"""Bayesian optimization: a Gaussian process and log expected improvement (arXiv:2310.20708).

For runs without curves: it looks at one loss per trial. Points still in training count as if they
had come out at the model's mean ("kriging believer", Ginsbourger et al. 2010).
"""

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, log1p, ndtr

from luthier.core.domain import Choice
from luthier.core.space import Space
from luthier.core.study import StudyView
from luthier.samplers.gaussian_process import Posterior, condition, fit
from luthier.samplers.observed import observed, on_grid, units_of

Array = NDArray[np.float64]
N_EVEN, N_NEAR, N_ROUNDS = 512, 256, 3  # candidates: even ones, and rounds around the best
_FAR = 3.0  # losses count as no worse than the median by this many times the way to it
_N_CENTRES = 5
_TIER_LENGTH = {1: 0.7, 2: 1.0, 3: 1.5}  # expected length of a dimension, as against others


@final
@dataclass(frozen=True, slots=True)
class Gp:
    """Random for `n_start` results, then where log expected improvement is highest.

    `n_most`: results the model looks at; beyond it the best half and the newest half.
    """

    n_start: int = 8
    n_most: int = 400

    def suggest(
        self, view: StudyView, n: int, rng: np.random.Generator
    ) -> NDArray[np.float64]:  # (n, d)
        """The best candidate first, then those with the next best expected improvement."""
        space = view.study.space
        even = rng.random((n, space.dimension))
        seen = observed(view, n_least=self.n_start)
        if not space.dimension or np.isfinite(seen.losses).sum() < self.n_start:
            return even
        kept = _kept(seen.losses, self.n_most)
        values = _standardized(seen.finite_losses[kept])
        units = units_of(space, [seen.points[i] for i in kept])
        points = _inputs(space, units)
        posterior = condition(fit(points, values, _lengths(space)), points, values)
        if seen.pending:
            waiting = _inputs(space, units_of(space, seen.pending[-self.n_most :]))
            believed = np.concatenate([values, posterior.at(waiting)[0]])
            posterior = condition(posterior.kernel, np.concatenate([points, waiting]), believed)
        best = float(posterior.at(points)[0].min())  # of the means: the luckiest result is noise
        rows, scores = _search(
            space, posterior, best, units[np.argsort(values, kind="stable")], rng
        )
        chosen = rows[np.argsort(-scores, kind="stable")[:n]]
        return np.concatenate([chosen, even[len(chosen) :]])


def _search(
    space: Space, posterior: Posterior, best: float, units: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Candidates (m, d) and their scores (m,); `units`: the results, from the best."""

    def scored(rows: Array) -> tuple[Array, Array]:
        rows = on_grid(space, rows)[0]
        mean, sd = posterior.at(_inputs(space, rows))
        return rows, log_ei(mean, sd, best)

    rows, scores = scored(rng.random((N_EVEN, space.dimension)))
    width = 0.1
    for _ in range(N_ROUNDS):
        top = rows[np.argsort(-scores, kind="stable")[:_N_CENTRES]]
        centres = np.concatenate([top, units[:_N_CENTRES]])
        near = centres[rng.integers(len(centres), size=N_NEAR)]
        moved = near + width * rng.standard_normal(near.shape)
        # few parameters at a time: some candidates keep most of what is good
        share = rng.choice([0.2, 0.5, 1.0], size=(N_NEAR, 1))
        near = np.clip(np.where(rng.random(near.shape) < share, moved, near), 0.0, 1.0)
        for column, name in enumerate(space.names):
            if isinstance(space.domains[name], Choice):
                again = rng.random(N_NEAR) < 0.2
                near[again, column] = rng.random(int(again.sum()))
        new_rows, new_scores = scored(near)
        rows, scores = np.concatenate([rows, new_rows]), np.concatenate([scores, new_scores])
        width /= 4.0
    return rows, scores


def log_ei(mean: Array, sd: Array, best: float) -> Array:  # (m,)
    """Logarithm of the expected improvement below `best`, exact far into the tail."""
    z = (best - mean) / sd
    near = np.maximum(z, -1.0)
    plain = np.log(np.exp(-0.5 * near * near) / math.sqrt(2 * math.pi) + near * ndtr(near))
    far = np.minimum(z, -1.0)
    # phi(z) + z Phi(z) = phi(z) (1 - |z| sqrt(pi / 2) erfcx(|z| / sqrt 2))
    ratio = -far * math.sqrt(math.pi / 2) * erfcx(-far / math.sqrt(2))
    tail = -0.5 * far * far - 0.5 * math.log(2 * math.pi) + log1p(-np.minimum(ratio, 1 - 1e-15))
    return np.asarray(np.where(z > -1.0, plain, tail) + np.log(sd))


def _standardized(losses: Array) -> Array:  # (n,)
    """Mean 0, variance 1; what diverged is bad, not an outlier that hides all the rest."""
    best, median = float(losses.min()), float(np.median(losses))
    far = median + _FAR * (median - best)
    if median > best:
        losses = np.minimum(losses, far)
    spread = float(losses.std())
    return np.asarray((losses - losses.mean()) / (spread if spread > 0 else 1.0))


def _inputs(space: Space, units: Array) -> Array:  # (n, d) -> (n, more)
    """Coordinates for the model: options of a choice become corners that are all equally far."""
    columns = []
    for column, name in enumerate(space.names):
        domain = space.domains[name]
        if isinstance(domain, Choice):
            k = len(domain.options)
            cell = np.minimum((units[:, column] * k).astype(int), k - 1)
            columns.append((cell[:, None] == np.arange(k)) / math.sqrt(2.0))
        else:
            columns.append(units[:, column : column + 1])
    return np.concatenate(columns, axis=1)


def _lengths(space: Space) -> Array | None:  # (more,)
    """What matters more (a lower tier) bends the loss over a shorter length; None without tiers."""
    tiers = [space.domains[name].tier for name in space.names]
    if len(set(tiers)) < 2:
        return None
    widths = [
        len(d.options) if isinstance(d := space.domains[name], Choice) else 1
        for name in space.names
    ]
    return np.repeat([_TIER_LENGTH[tier] for tier in tiers], widths)


def _kept(losses: Array, n_most: int) -> NDArray[np.int64]:  # (<= n_most,) indices
    n = len(losses)
    if n <= n_most:
        return np.arange(n)
    best = np.argsort(losses, kind="stable")[: n_most // 2]
    rest = np.setdiff1d(np.arange(n), best)
    return np.sort(np.concatenate([best, rest[-(n_most - len(best)) :]]))
