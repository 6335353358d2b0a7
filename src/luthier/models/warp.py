"""From losses to numbers that a Gaussian process can believe in, and the same for targets.

Two ways, because neither serves everywhere. The logarithm of the distance to the best tells good
runs apart where curves are smooth. The rank tells apart what has barely begun to learn, where most
runs stay at chance and a few take off.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_OFFSET = 0.06  # of the span: how close to the best two runs count as the same


@final
@dataclass(frozen=True, slots=True)
class LogWarp:
    """z = log((loss - best) / (ceiling - best) + offset), standardised; worse than the ceiling is
    the ceiling: how badly a run fails teaches nothing about how well others do."""

    best: float
    ceiling: float
    mean: float
    scale: float

    @classmethod
    def of(cls, loss: Array, first: Array, lowest: Array) -> "LogWarp":
        """From all losses, each run's first and each run's lowest; +inf counts as worst."""
        best, worst = _range(loss)
        known_first, known_lowest = first[np.isfinite(first)], lowest[np.isfinite(lowest)]
        ceiling = float(np.median(known_first)) if len(known_first) > 3 else worst
        ceiling = max(min(ceiling, worst), float(np.quantile(known_lowest, 0.75)))
        ceiling = max(ceiling, best + 1e-12 + 1e-6 * abs(best))
        z = cls(best, ceiling, 0.0, 1.0)(loss)
        return cls(best, ceiling, float(z.mean()), max(float(z.std()), 1e-3))

    def __call__(self, loss: Array) -> Array:
        """Standardised; also for values better than any seen."""
        share = (np.minimum(loss, self.ceiling) - self.best) / (self.ceiling - self.best)
        z: Array = np.log(np.maximum(share, -0.05) + _OFFSET)
        return (z - self.mean) / self.scale

    def gain(self, mean: Array, spread: Array) -> Array:
        """Expected fall of the loss below the best, as a share of the span, for a prediction."""
        from scipy.special import ndtr

        centre, width = mean * self.scale + self.mean, spread * self.scale
        under = (np.log(_OFFSET) - centre) / width
        fall: Array = _OFFSET * ndtr(under) - np.exp(centre + width**2 / 2) * ndtr(under - width)
        return fall


@final
@dataclass(frozen=True, slots=True, eq=False)
class RankWarp:
    """z = the normal quantile of a loss's rank among those seen."""

    best: float
    ceiling: float
    losses: Array  # (k,) increasing
    z: Array  # (k,)
    slope: float  # below the best seen

    @classmethod
    def of(cls, loss: Array, first: Array, lowest: Array) -> "RankWarp":
        """From all losses; equal ones share their mean quantile, +inf counts as worst."""
        from scipy.special import ndtri

        best, worst = _range(loss)
        ordered = np.sort(np.where(np.isfinite(loss), loss, worst + 1e-9 * (1.0 + abs(worst))))
        quantiles = ndtri((np.arange(len(ordered)) + 0.5) / len(ordered))
        losses, start, count = np.unique(ordered, return_index=True, return_counts=True)
        total = np.concatenate([[0.0], np.cumsum(quantiles)])
        z = (total[start + count] - total[start]) / count
        k = max(1, min(len(z) - 1, len(z) // 10))
        slope = (z[k] - z[0]) / max(losses[k] - losses[0], 1e-300) if len(z) > 1 else 0.0
        return cls(best, float(np.median(losses)), losses, z, float(slope))

    def __call__(self, loss: Array) -> Array:
        """A quantile; below the best seen along the slope of the best tenth."""
        under = self.z[0] - np.minimum((self.losses[0] - loss) * self.slope, 1.5)
        return np.where(loss < self.losses[0], under, np.interp(loss, self.losses, self.z))

    def gain(self, mean: Array, spread: Array) -> Array:
        """Expected fall of the quantile below the best, for a prediction."""
        from scipy.special import ndtr

        under = (self.z[0] - mean) / spread
        density = np.exp(-0.5 * under**2) / np.sqrt(2 * np.pi)
        fall: Array = spread * (under * ndtr(under) + density)
        return fall


Warp = LogWarp | RankWarp
WARPS: dict[str, type[LogWarp] | type[RankWarp]] = {"log": LogWarp, "rank": RankWarp}


def _range(loss: Array) -> tuple[float, float]:
    finite = loss[np.isfinite(loss)]
    return float(finite.min()), float(finite.max())
