"""A Gaussian process over (point, step): fitted by its marginal likelihood, then conditioned."""

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.models.kernel import Kernel, covariance_and_slopes, prior

Array = NDArray[np.float64]
Index = NDArray[np.int64]


def fit(
    x: Array, u: Array, run: Index, z: Array, groups: Index, length_scales: Array, n_iterations: int
) -> Kernel:
    """The kernel that explains readings `z` of runs at points `x` best, given the prior.

    `x` (n, columns), `u` (n,) logarithmic time, `run` (n,), `z` (n,).
    """
    from scipy.linalg import lapack
    from scipy.optimize import minimize

    means, spreads = prior(length_scales)
    if len(z) < 3:
        return Kernel(means, groups)
    same = (run[:, None] == run[None, :]).astype(np.float64)
    diagonal = np.diag_indices(len(z))

    def negative(theta: Array) -> tuple[float, Array]:
        k, slopes = covariance_and_slopes(theta, groups, x, u, same)
        noise = float(np.exp(theta[-6]))
        k[diagonal] += noise + 1e-6
        factor, info = lapack.dpotrf(k, lower=1, overwrite_a=1)
        if info:
            return 1e10, np.zeros_like(theta)
        inverse, _ = lapack.dpotri(factor, lower=1)
        inverse = np.tril(inverse)
        inverse += np.tril(inverse, -1).T
        alpha = inverse @ z
        away = (theta - means) / spreads
        value = 0.5 * (z @ alpha) + np.log(np.diag(factor)).sum() + 0.5 * (away @ away)
        slope = slopes.against(inverse - np.outer(alpha, alpha), noise, groups, len(length_scales))
        return float(value), 0.5 * slope + away / spreads

    found = minimize(
        negative, means, jac=True, method="L-BFGS-B",
        bounds=np.stack([means - 3 * spreads, means + 3 * spreads], axis=1),
        options={"maxiter": n_iterations},
    )  # fmt: skip
    good = np.isfinite(found.fun) and found.fun < 1e9
    return Kernel(np.array(found.x) if good else means, groups)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Process:
    """A kernel conditioned on readings of runs on a grid of steps."""

    kernel: Kernel
    x: Array  # (runs, columns)
    u: Array  # (grid,)
    run: Index  # (n,)
    step: Index  # (n,) into the grid
    factor: Array  # (n, n) lower Cholesky factor
    alpha: Array  # (n,)

    @classmethod
    def condition(
        cls, kernel: Kernel, x: Array, u: Array, run: Index, step: Index, z: Array
    ) -> "Process":
        """Take readings `z` in."""
        from scipy.linalg import lapack

        shared, own, w = kernel.over_steps(u, u)
        seen, place = np.unique(run, return_inverse=True)
        kx = kernel.between_points(x[seen], x[seen]) + w
        k = kx[place[:, None], place] * shared[step[:, None], step]
        k += (run[:, None] == run) * own[step[:, None], step]
        k[np.diag_indices(len(z))] += kernel.noise
        factor, info = lapack.dpotrf(k, lower=1, overwrite_a=1)
        assert info == 0, "a covariance is positive with noise on its diagonal"
        alpha, _ = lapack.dpotrs(factor, z, lower=1)
        return cls(kernel, x, u, run, step, factor, alpha)

    def expecting(self, run: Index, step: Index) -> "Process":
        """As if each of these readings had come just as predicted: surer, and of no other mind."""
        if not len(run):
            return self
        from scipy.linalg import solve_triangular

        cross, before = self._covariances(self.x[run], run, step[:, None])
        shared, own, w = self.kernel.over_steps(self.u, self.u)
        among = self.kernel.between_points(self.x[run], self.x[run]) + w
        among = among * shared[step[:, None], step]
        among += (run[:, None] == run) * own[step[:, None], step]
        among[np.diag_indices(len(run))] = before[:, 0] + self.kernel.noise
        v = solve_triangular(self.factor, cross[:, 0].T, lower=True, check_finite=False)
        n, m = len(self.run), len(run)
        factor = np.zeros((n + m, n + m), order="F")
        factor[:n, :n] = self.factor
        factor[n:, :n] = v.T
        factor[n:, n:] = np.linalg.cholesky(among - v.T @ v + 1e-9 * np.eye(m))
        return replace(
            self, run=np.concatenate([self.run, run]), step=np.concatenate([self.step, step]),
            factor=factor, alpha=np.concatenate([self.alpha, np.zeros(m)]),
        )  # fmt: skip

    def predict(self, x: Array, own: Index, step: Index) -> tuple[Array, Array]:
        """Mean and standard deviation of the true loss of points at steps of the grid.

        `x` (m, columns); `own` (m,): which run it goes on with, -1 for a new one; `step` (m,), or
        (m, k) for several of each. Both results have the shape of `step`.
        """
        from scipy.linalg import solve_triangular

        cross, before = self._covariances(x, own, step if step.ndim == 2 else step[:, None])
        of_all = cross.reshape(step.size, len(self.run))
        v = solve_triangular(self.factor, of_all.T, lower=True, check_finite=False)
        spread = np.sqrt(np.maximum(before.ravel() - (v * v).sum(axis=0), 1e-8))
        return (of_all @ self.alpha).reshape(step.shape), spread.reshape(step.shape)

    def likely_below(self, x: Array, own: Index, step: Index, target: float, n_best: int) -> Index:
        """Which `n_best` points may lie furthest below the target, in standard deviations."""
        cross, before = self._covariances(x, own, step[:, None])
        above = target - cross[:, 0] @ self.alpha
        # knowing more never widens: no point can reach more than this
        bound = np.where(above < 0, above / np.sqrt(before[:, 0]), above * 1e3)
        few: Index = np.argsort(-bound, kind="stable")[:n_best]
        return few

    def _covariances(self, x: Array, own: Index, steps: Index) -> tuple[Array, Array]:
        """Of points at steps (m, k) with the readings, (m, k, n); and their variance before any."""
        shared, of_run, w = self.kernel.over_steps(self.u, self.u)
        seen, place = np.unique(self.run, return_inverse=True)
        kx = self.kernel.between_points(x, self.x[seen]) + w
        k = kx[:, None, place] * shared[steps[:, :, None], self.step]
        old = np.flatnonzero(own >= 0)
        same = own[old, None, None] == self.run
        k[old] += same * of_run[steps[old, :, None], self.step]
        before: Array = (1.0 + w) * shared[steps, steps] + of_run[steps, steps]
        return k, before
