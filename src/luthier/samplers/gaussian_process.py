"""A Gaussian process for samplers.

    k(a, b) = s^2 m(r),  r^2 = sum_j ((a_j - b_j) / l_j)^2
    m(r)    = (1 + q + q^2 / 3) e^-q,  q = sqrt(5) r
    y       = f(x) + noise of variance v

m is the Matern-5/2 function. s, l and v maximize the marginal likelihood times log-normal priors
whose median length grows with the square root of the dimension (Hvarfner et al. 2024,
arXiv:2402.02229), by L-BFGS with exact gradients.
"""

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import minimize

Array = NDArray[np.float64]
_JITTER = 1e-8
# medians and standard deviations of the logarithms: length per root of the dimension, s^2, v
_LENGTH, _SCALE, _NOISE = (math.log(0.5), 0.8), (0.0, 1.0), (math.log(1e-3), 1.5)
_N_ITERATIONS = 40


@final
@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """The function k and the noise v."""

    lengths: Array  # (d,)
    scale: float  # s^2
    noise: float  # v

    def __call__(self, a: Array, b: Array) -> Array:  # (n, d), (m, d) -> (n, m)
        """Covariances of f."""
        return self.scale * _matern(_distances(a / self.lengths, b / self.lengths))


@final
@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """What is known of f after `values` (n,) were seen at `points` (n, d)."""

    kernel: Kernel
    points: Array
    factor: Array  # (n, n) lower Cholesky factor of the covariance of the values
    weights: Array  # (n,) inverse covariance times values

    def at(self, rows: Array) -> tuple[Array, Array]:  # (m, d) -> (m,), (m,)
        """Mean and standard deviation of f."""
        cross = self.kernel(rows, self.points)
        half = solve_triangular(self.factor, cross.T, lower=True, check_finite=False)
        variance = self.kernel.scale - (half * half).sum(axis=0)
        return cross @ self.weights, np.sqrt(np.maximum(variance, 1e-12))


def condition(kernel: Kernel, points: Array, values: Array) -> Posterior:
    """The posterior of f."""
    covariance = kernel(points, points)
    covariance[np.diag_indices_from(covariance)] += kernel.noise + _JITTER
    factor = np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)
    weights = cho_solve((factor, True), values, check_finite=False)
    return Posterior(kernel, points, factor, weights)


def fit(
    points: Array,  # (n, d)
    values: Array,  # (n,) of mean 0 and variance about 1
    relative: Array | None = None,  # (d,) lengths to be expected, as against each other
) -> Kernel:
    """The most probable kernel."""
    n, d = points.shape
    medians = np.array([_LENGTH[0] + 0.5 * math.log(d)] * d + [_SCALE[0], _NOISE[0]])
    if relative is not None:
        medians[:d] += np.log(relative)
    spreads = np.array([_LENGTH[1]] * d + [_SCALE[1], _NOISE[1]])
    squares = (points[:, None] - points[None]) ** 2  # (n, n, d)

    def cost(theta: Array) -> tuple[float, Array]:
        inverse = np.exp(-2.0 * theta[:d])
        scale, noise = math.exp(theta[d]), math.exp(theta[d + 1])
        r = np.sqrt(squares @ inverse)
        q = math.sqrt(5.0) * r
        decay = np.exp(-q)
        shape = (1.0 + q + q * q / 3.0) * decay
        covariance = scale * shape
        covariance[np.diag_indices(n)] += noise + _JITTER
        try:
            factor = cho_factor(covariance, lower=True, check_finite=False)
        except np.linalg.LinAlgError:
            return math.inf, np.zeros(d + 2)
        weights = cho_solve(factor, values, check_finite=False)
        inner = np.outer(weights, weights) - cho_solve(factor, np.eye(n), check_finite=False)
        # d m / d log l_j = 5/3 (1 + q) e^-q (a_j - b_j)^2 / l_j^2
        slope = inner * (scale * 5.0 / 3.0 * (1.0 + q) * decay)
        gradient = np.empty(d + 2)
        gradient[:d] = 0.5 * np.einsum("ij,ijk->k", slope, squares) * inverse
        gradient[d] = 0.5 * scale * float((inner * shape).sum())
        gradient[d + 1] = 0.5 * noise * float(np.trace(inner))
        evidence = -0.5 * float(values @ weights) - float(np.log(np.diag(factor[0])).sum())
        apart = (theta - medians) / spreads
        return 0.5 * float(apart @ apart) - evidence, apart / spreads - gradient

    bounds = list(zip(medians - 4 * spreads, medians + 4 * spreads, strict=True))
    found = minimize(
        cost, medians, jac=True, method="L-BFGS-B", bounds=bounds,
        options={"maxiter": _N_ITERATIONS},
    )  # fmt: skip
    theta = np.asarray(found.x)
    return Kernel(np.exp(theta[:d]), math.exp(theta[d]), math.exp(theta[d + 1]))


def _distances(a: Array, b: Array) -> Array:
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2.0 * a @ b.T
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)), dtype=np.float64)


def _matern(r: Array) -> Array:
    q = math.sqrt(5.0) * r
    return np.asarray((1.0 + q + q * q / 3.0) * np.exp(-q), dtype=np.float64)
