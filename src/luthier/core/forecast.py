"""Where a learning curve is heading, and how sure one can be.

Three families, least squares on the last part of the curve, averaged by how well each explains it:
a constant, a power law c + a t^-b, an exponential c + a e^(-t/T).
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.core.curve import Curve

MIN_POINTS = 4  # below it nothing is said
_SHARE, _MOST = 0.6, 60  # of the curve, and points at most, that are looked at
_POWERS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
_TIMES = (0.1, 0.15, 0.25, 0.4, 0.55, 0.75, 1.0, 1.5, 2.5, 5.0)  # of the length looked at


@final
@dataclass(frozen=True, slots=True)
class Forecast:
    """Expected values at `steps`, with the uncertainty of the trend and of one report."""

    steps: NDArray[np.float64]  # (n,)
    mean: NDArray[np.float64]  # (n,)
    trend_sd: NDArray[np.float64]  # (n,) of the expected value
    noise_sd: float  # of a single report around it


def forecast(curve: Curve, steps: NDArray[np.float64]) -> Forecast | None:
    """The curve's future at `steps`, shape (n,); None when there is too little to go by."""
    finite = np.isfinite(curve.values)
    t, y = curve.steps[finite], curve.values[finite]
    n = min(max(MIN_POINTS, int(_SHARE * len(t))), _MOST)
    t, y = t[-n:], y[-n:]
    if len(t) < MIN_POINTS or t[-1] <= t[0]:
        return None
    fits = [_fit(basis(t), y, basis(steps)) for basis in _bases(t)]
    noise_var = min(fit.noise_var for fit in fits)
    scores = np.array([fit.score for fit in fits])
    weights = np.exp(-0.5 * (scores - scores.min()))
    weights /= weights.sum()
    means = np.array([fit.mean for fit in fits])
    mean = weights @ means
    spread = weights @ (np.array([fit.var for fit in fits]) + (means - mean) ** 2)
    return Forecast(np.asarray(steps), mean, np.sqrt(spread), float(np.sqrt(noise_var)))


@dataclass(frozen=True, slots=True)
class _Fit:
    mean: NDArray[np.float64]
    var: NDArray[np.float64]
    noise_var: float
    score: float  # AICc


def _bases(t: NDArray[np.float64]) -> list["_Basis"]:
    length = t[-1] - t[0]
    powers = [_Basis(lambda s, b=b: np.maximum(s, 1e-9) ** -b) for b in _POWERS]
    times = [_Basis(lambda s, w=w: np.exp(-(s - t[0]) / (w * length))) for w in _TIMES]
    return [_Basis(None), *powers, *times]


class _Basis:
    def __init__(self, falling: object) -> None:
        self._falling = falling

    def __call__(self, s: NDArray[np.float64]) -> NDArray[np.float64]:
        ones = np.ones_like(s, dtype=np.float64)
        if not callable(self._falling):
            return ones[:, None]
        return np.stack([ones, self._falling(np.asarray(s, dtype=np.float64))], axis=1)


def _fit(x: NDArray[np.float64], y: NDArray[np.float64], x_new: NDArray[np.float64]) -> _Fit:
    n, k = x.shape
    gram = np.linalg.pinv(x.T @ x)
    beta = gram @ (x.T @ y)
    rest = y - x @ beta
    # a floor on the noise: a perfect fit of few points proves nothing
    floor = (1e-4 * (np.abs(y).max() + 1e-12)) ** 2
    noise_var = max(float(rest @ rest) / max(1, n - k - 1), floor)
    score = n * np.log(max(float(rest @ rest) / n, floor)) + 2 * (k + 2)
    score += 2 * (k + 2) * (k + 3) / max(0.5, n - k - 3)
    var = noise_var * np.einsum("ij,jk,ik->i", x_new, gram, x_new)
    return _Fit(x_new @ beta, var, noise_var, float(score))
