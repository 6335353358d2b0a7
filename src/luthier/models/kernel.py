"""Covariance of losses over (point, step): what points share, and what is one run's own.

K = (kx + w) (a + b ku + e u u') + [same run] (c + d kr + f u u') + [same reading] noise

kx is Matern-5/2 over points, ku and kr Matern-3/2 over u = log(step) / log(last step) + the point's
lead. `w` is the shape all curves share, `a` the lasting effect of a point, `b` and `e` how it bends
the curve, and the second bracket what a run does that its point does not explain. The linear terms
carry slopes on: a power law is a line in logarithmic time (freeze-thaw: arXiv:1406.3896).

A larger learning rate may be further along the same curve at the same step. Whether one is, and how
far, is fitted as well (`pace`): so who learns slowly is not taken for who will end poorly.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]
_ROOT3, _ROOT5 = np.sqrt(3.0), np.sqrt(5.0)
N_SHARED = 10  # parameters beside the length scales
# what fits to 60 runs each of 20 stored tables of three families agreed on
_MEDIANS = (0.25, 0.25, 0.012, 0.03, 2e-3, 0.7, 0.35, 0.32, 0.4, 0.03)
_SPREADS = (0.8, 0.8, 0.8, 0.8, 1.2, 0.5, 0.5, 0.5, 0.8, 1.0)
_PACE_SPREAD = 1.0  # in lengths of a training (of its logarithm) for the range of a number


@final
@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """A covariance; `theta` are the logarithms of length scales, then a, b, c, d, noise, the two
    lengths of u, w, e, f."""

    theta: Array  # (n_parameters + 10,)
    pace: Array  # (columns,) by how much one more of each leads in u
    middle: Array  # (columns,) points that neither lead nor lag
    groups: Index  # for each column of the points, its length scale

    @property
    def noise(self) -> float:
        """Variance of one reading."""
        return float(np.exp(self.theta[-6])) + 1e-6

    def between_points(self, x1: Array, x2: Array) -> Array:
        """kx, (n1, n2)."""
        scale = np.exp(-self.theta[self.groups])
        return _matern52(_squares(x1 * scale, x2 * scale))[0]

    def lead(self, x: Array) -> Array:
        """What is added to u for points, (n,)."""
        lead: Array = (x - self.middle) @ self.pace
        return lead

    @property
    def common(self) -> float:
        """w."""
        return float(np.exp(self.theta[-3]))

    def shared(self, u1: Array, u2: Array) -> Array:
        """The first bracket; of places that broadcast."""
        a, b, _, _, _, length, _, _, e, _ = np.exp(self.theta[-N_SHARED:])
        r = np.abs(u1 - u2) * (_ROOT3 / length)
        values: Array = np.exp(-r)
        r += 1.0  # in place: these may be a million
        values *= r
        values *= b
        values += a
        values += u1 * (e * u2)
        return values

    def own(self, u1: Array, u2: Array) -> Array:
        """The second bracket; of places that broadcast."""
        _, _, c, d, _, _, length, _, _, f = np.exp(self.theta[-N_SHARED:])
        values: Array = c + d * _matern32(np.abs(u1 - u2) / length)[0] + f * (u1 * u2)
        return values


def prior(length_scales: Array, n_columns: int) -> tuple[Array, Array]:
    """Means and standard deviations of `theta` and of the pace, which are normal before anything is
    seen."""
    means = np.concatenate([np.log(length_scales), np.log(_MEDIANS), np.zeros(n_columns)])
    spreads = np.concatenate(
        [np.full(len(length_scales), 0.8), _SPREADS, np.full(n_columns, _PACE_SPREAD)]
    )
    return means, spreads


def covariance_and_slopes(
    theta: Array, pace: Array, groups: Index, x: Array, u: Array, same: Array
) -> tuple[Array, "Slopes"]:
    """K without noise, (n, n), and what its derivatives are made of; `x` (n, columns) from the
    middle, `u` (n,) without leads."""
    a, b, c, d, _, length, length_own, w, e, f = np.exp(theta[-N_SHARED:])
    scaled = x * np.exp(-theta[groups])
    kx, dkx = _matern52(_squares(scaled, scaled))
    u = u + x @ pace
    ahead, product = u[:, None] - u[None, :], u[:, None] * u[None, :]
    apart = np.abs(ahead)
    ku, dku = _matern32(apart / length)
    kr, dkr = _matern32(apart / length_own)
    shared = a + b * ku + e * product
    full = kx + w
    k = full * shared + same * (c + d * kr + f * product)
    level = b * full * dku + d * same * dkr
    by_u = (e * full + f * same) * u - np.divide(level, ahead, np.zeros_like(k), where=apart > 0)
    slopes = Slopes(
        x, scaled, dkx * shared, by_u,
        (full * a, full * (b * ku), same * c, same * (d * kr), None, full * (b * dku),
         same * (d * dkr), w * shared, full * (e * product), same * (f * product)),
    )  # fmt: skip
    return k, slopes


@final
@dataclass(frozen=True, slots=True, eq=False)
class Slopes:
    """Derivatives of K by `theta` and the paces, contracted with a matrix when asked."""

    x: Array  # (n, columns)
    scaled: Array  # (n, columns)
    by_distance: Array  # (n, n)
    by_u: Array  # (n, n) by the u of the row
    by_shared: tuple[Array | None, ...]

    def against(self, weights: Array, noise: float, groups: Index, n: int) -> Array:
        """sum(weights * dK / d theta_k) for every k, then for every column's pace; `weights`
        symmetric."""
        m = weights * self.by_distance
        # sum_ij m_ij (x_i - x_j)^2 for all columns at once
        per_column = 2.0 * (
            m.sum(axis=1) @ self.scaled**2 - (self.scaled * (m @ self.scaled)).sum(axis=0)
        )
        by_length = np.bincount(groups, weights=per_column, minlength=n)
        rest = [
            noise * float(np.trace(weights)) if g is None else float(np.vdot(weights, g))
            for g in self.by_shared
        ]
        by_pace = 2.0 * (weights * self.by_u).sum(axis=1) @ self.x
        return np.concatenate([by_length, rest, by_pace])

    def information(self, inverse: Array) -> Array:
        """What readings are expected to tell of each column's pace alone, (columns,): Fisher's;
        `inverse` of K with noise."""
        onward = self.by_u @ inverse  # dK = diag(x) by_u, and that transposed
        pairs = onward * onward.T + (onward @ self.by_u.T) * inverse
        told: Array = (self.x * (pairs @ self.x)).sum(axis=0)
        return told


def _squares(a: Array, b: Array) -> Array:
    """Squared distances, (n1, n2)."""
    square: Array = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2.0 * (a @ b.T)
    return np.maximum(square, 0.0)


def _matern52(square: Array) -> tuple[Array, Array]:
    """Value, and -2 times its derivative by the squared distance."""
    r = _ROOT5 * np.sqrt(square + 1e-18)
    decay = np.exp(-r)
    return (1.0 + r + r * r / 3.0) * decay, (5.0 / 3.0) * (1.0 + r) * decay


def _matern32(apart: Array) -> tuple[Array, Array]:
    """Value, and its derivative by the logarithm of the length."""
    r = _ROOT3 * apart
    decay = np.exp(-r)
    return (1.0 + r) * decay, r * r * decay
