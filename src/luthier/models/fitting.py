"""The kernel that suits readings best, by marginal likelihood and what is expected of kernels."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from luthier.models.kernel import Kernel, covariance_and_slopes, prior

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_N_LEADS = 3  # columns at most that are tried as the one that leads,
_PROMISING = 1.0  # if the logarithm of the likelihood promises to gain so much
_FIRST_LEAD = 0.3  # where the search for the pace of a column begins
# times as likely must a lead be, for each column that could have it: its prior is so many times
# wider than what readings leave of it
_MORE_LIKELY = 5.0


def fit(
    x: Array, u: Array, run: Index, z: Array, groups: Index, length_scales: Array, n_iterations: int
) -> Kernel:
    """The kernel that explains readings `z` of runs at points `x` best, given the prior.

    `x` (n, columns), `u` (n,) logarithmic time, `run` (n,), `z` (n,). Of the columns one at most
    leads in time, where that explains the readings much better.
    """
    from scipy.linalg import lapack
    from scipy.optimize import minimize

    n_columns, middle = x.shape[1], x.mean(axis=0)
    means, spreads = prior(length_scales, n_columns)
    n_theta = len(means) - n_columns
    if len(z) < 3:
        return Kernel(means[:n_theta], means[n_theta:], middle, groups)
    # leads are counted from the middle of the readings: else a column in which they do not differ
    # could move the origin of u
    x = x - middle
    same = (run[:, None] == run[None, :]).astype(np.float64)
    diagonal = np.diag_indices(len(z))

    def negative(at: Array) -> tuple[float, Array, Callable[[], Array]]:
        """Minus the logarithm of what is made likely; its slope; what is known of the paces."""
        theta, pace = at[:n_theta], at[n_theta:]
        k, slopes = covariance_and_slopes(theta, pace, groups, x, u, same)
        noise = float(np.exp(theta[-6]))
        k[diagonal] += noise + 1e-6
        factor, info = lapack.dpotrf(k, lower=1, overwrite_a=1)
        if info:
            return 1e10, np.zeros_like(at), lambda: np.zeros(n_columns)
        inverse, _ = lapack.dpotri(factor, lower=1)
        inverse = np.tril(inverse)
        inverse += np.tril(inverse, -1).T
        alpha = inverse @ z
        away = (at - means) / spreads
        value = 0.5 * (z @ alpha) + np.log(np.diag(factor)).sum() + 0.5 * (away @ away)
        slope = slopes.against(inverse - np.outer(alpha, alpha), noise, groups, len(length_scales))
        return float(value), 0.5 * slope + away / spreads, partial(slopes.information, inverse)

    def best_from(start: Array, leads: Array, n_steps: int) -> tuple[float, Array]:
        free = np.append(np.ones(n_theta), leads)

        def on_the_free(at: Array) -> tuple[float, Array]:
            value, slope, _ = negative(at)
            return value, slope * free

        reach = 3.0 * spreads * free
        found = minimize(
            on_the_free, start, jac=True, method="L-BFGS-B",
            bounds=np.stack([means - reach, means + reach], axis=1),
            options={"maxiter": n_steps},
        )  # fmt: skip
        good = np.isfinite(found.fun) and found.fun < 1e9
        return (float(found.fun), np.array(found.x)) if good else (np.inf, start)

    value, best = best_from(means, np.zeros(n_columns), n_iterations)
    _, slope, information = negative(best)
    slope = slope[n_theta:]
    promise = 0.5 * slope**2 / (information() + spreads[n_theta:] ** -2)  # Rao's score
    rivals = []
    for column in np.argsort(-promise, kind="stable")[:_N_LEADS]:
        if promise[column] < _PROMISING:
            break
        start = best.copy()
        start[n_theta + column] = -_FIRST_LEAD * np.sign(slope[column])
        rivals.append(best_from(start, np.eye(n_columns)[column], n_iterations // 2))
    if rivals:
        with_lead, other = min(rivals, key=lambda rival: rival[0])
        if value - with_lead > np.log(_MORE_LIKELY * n_columns):
            best = other
    return Kernel(best[:n_theta], best[n_theta:], middle, groups)
