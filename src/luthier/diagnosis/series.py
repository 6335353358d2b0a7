"""Curves as statistics see them: level, noise, trend, forecast. Noise is told from change."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from luthier.core.curve import Curve

N_BLOCKS = 48


@final
@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """A curve of finite numbers in at most 48 blocks, with the noise of a block's level."""

    steps: NDArray[np.float64]  # (n,), last step of each block
    levels: NDArray[np.float64]  # (n,), median of each block
    noise: float  # standard deviation of a level around the trend

    def __len__(self) -> int:
        return len(self.levels)

    @property
    def first(self) -> float:
        """Level at the start."""
        return float(self.levels[0])

    @property
    def last(self) -> float:
        """Level now: median of the last three blocks."""
        return float(np.median(self.levels[-3:]))

    @property
    def low(self) -> float:
        """Lowest level, with a neighbour beside it, so that one lucky block does not count."""
        if len(self.levels) < 3:
            return float(self.levels.min())
        return float(np.median(_triples(self.levels), axis=1).min())

    @property
    def low_at(self) -> int:
        """Block of the lowest level."""
        if len(self.levels) < 3:
            return int(self.levels.argmin())
        return int(np.median(_triples(self.levels), axis=1).argmin()) + 1

    def part(self, start: float, end: float = 1.0) -> "Series":
        """The blocks from the fraction `start` to the fraction `end`."""
        n = len(self.levels)
        cut = slice(math.floor(start * n), math.ceil(end * n))
        return Series(self.steps[cut], self.levels[cut], self.noise)


def series(curve: Curve | None) -> Series:
    """Blocks of a curve; what is not finite is left out."""
    if curve is None:
        return Series(np.empty(0), np.empty(0), math.nan)
    keep = np.isfinite(curve.values)
    steps, values = curve.steps[keep], curve.values[keep]
    size = max(1, math.ceil(len(values) / N_BLOCKS))
    n = math.ceil(len(values) / size)
    if size > 1:
        cuts = np.linspace(0, len(values), n + 1).astype(int)
        levels = np.array([np.median(values[a:b]) for a, b in pairwise(cuts)])
        return Series(steps[cuts[1:] - 1], levels, noise(levels))
    return Series(steps, values, noise(values))


def noise(values: NDArray[np.float64]) -> float:
    """Standard deviation around a smooth trend, from second differences; robust to a few jumps."""
    if len(values) < 4:
        return math.nan if len(values) == 0 else float(np.ptp(values)) / 2
    rest = values[1:-1] - (values[:-2] + values[2:]) / 2  # variance 1.5 of the noise's
    # a deviation with the largest fifth left out, and 1.51 to make up for it under a normal
    # distribution: a jump touches three of these, and a MAD of few points is often 0
    size = np.sort(np.abs(rest))[: max(2, math.ceil(0.8 * len(rest)))]
    return float(np.sqrt(np.mean(np.square(size)) / 1.5)) * 1.51


def largest(values: NDArray[np.float64]) -> float:
    """The largest number, infinity included; NaN when there is none."""
    numbers = values[~np.isnan(values)]
    return float(numbers.max()) if len(numbers) else math.nan


def trend(values: NDArray[np.float64]) -> float:
    """Mann-Kendall statistic, normal under no trend: below 0 falling, above 0 rising."""
    n = len(values)
    if n < 4:
        return 0.0
    sign = np.sign(values[None, :] - values[:, None])
    total = float(np.triu(sign, 1).sum())
    sd = math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    return float(total - np.sign(total)) / sd


def forecast(curve: Series, step: float) -> float:
    """Level at `step` if the curve goes on as a power law; NaN with fewer than 5 points."""
    if len(curve) < 5:
        return math.nan
    half = curve.part(0.3) if len(curve) >= 12 else curve
    t = np.maximum(half.steps, 1e-9)
    best: tuple[float, Any] = (math.inf, None)
    for power in (0.1, 0.25, 0.5, 1.0, 2.0):
        basis = np.stack([np.ones_like(t), t**-power], 1)
        fit, *_ = np.linalg.lstsq(basis, half.levels, rcond=None)
        error = float(np.abs(basis @ fit - half.levels).sum())
        if error < best[0] * 0.999:
            best = (error, (fit, power))
    fit, power = best[1]
    return float(fit[0] + fit[1] * step**-power)


def _triples(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.lib.stride_tricks.sliding_window_view(values, 3)
