"""A Gaussian process over (point, step), conditioned on readings."""

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.models.kernel import Kernel

Array = NDArray[np.float64]
Index = NDArray[np.int64]


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

        k = _among(kernel, x, u, run, step)
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
        among = _among(self.kernel, self.x, self.u, run, step)
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
        kernel = self.kernel
        when = self.u[steps] + kernel.lead(x)[:, None]
        then = self.u[self.step] + kernel.lead(self.x)[self.run]
        if kernel.pace.any():
            shared = kernel.shared(when[:, :, None], then)
        else:  # all are on the grid
            shared = kernel.shared(self.u[:, None], self.u)[steps[:, :, None], self.step]
        seen, place = np.unique(self.run, return_inverse=True)
        kx = kernel.between_points(x, self.x[seen]) + kernel.common
        k = kx[:, None, place] * shared
        old = np.flatnonzero(own >= 0)
        mine, past = np.nonzero(own[old, None] == self.run)
        mine = old[mine]
        k[mine, :, past] += kernel.own(when[mine], then[past, None])
        before = (1.0 + kernel.common) * kernel.shared(when, when) + kernel.own(when, when)
        return k, before


def _among(kernel: Kernel, x: Array, u: Array, run: Index, step: Index) -> Array:
    """Of readings of runs at points `x` with each other, without noise."""
    when = u[step] + kernel.lead(x)[run]
    seen, place = np.unique(run, return_inverse=True)
    k = kernel.between_points(x[seen], x[seen]) + kernel.common
    k = k[place[:, None], place] * kernel.shared(when[:, None], when)
    one, two = np.nonzero(run[:, None] == run)
    k[one, two] += kernel.own(when[one], when[two])
    return k
