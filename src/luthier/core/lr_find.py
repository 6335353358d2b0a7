"""What the losses of a learning-rate range test say; pure numerics.

The rate grows exponentially, one step per rate; losses are smoothed over steps (so in log rate).
Range test: Smith 2017, arXiv:1506.01186; the valley is the suggester of fastai.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

SMOOTHING = 0.8  # weight of the past in the moving average
DIVERGED = 1.5  # times the lowest smoothed loss
N_YOUNG, EXPLODED = 10, 4.0  # steps in which only a single loss so many times the first counts
SAFE = 0.5  # of the rate at which the test diverged: what one batch bears, a training need not
N_LEAST = 20  # steps before divergence below which nothing is suggested
# The fall has to exceed so many standard deviations of the smoothed loss: the lowest of a hundred
# averages of mere noise lies some 2.5 below their mean, and the start has its own error.
SIGNAL = 6.0


@final
@dataclass(frozen=True, slots=True)
class LrFinding:
    """Rates by suggester; empty with `why_not` where the losses allow no reliable answer."""

    lrs: tuple[float, ...]
    losses: tuple[float, ...]  # as measured
    smooth: tuple[float, ...]
    suggestions: dict[str, float]  # "steepest", "valley", "minimum/10"
    diverged_at: float | None  # the rate at which the test stopped; None: it went to its end
    why_not: str = ""

    @property
    def advised(self) -> float | None:
        """The middle one of the suggestions, at most half of where the loss diverged; 2 digits."""
        if not self.suggestions:
            return None
        middle = float(np.median(list(self.suggestions.values())))
        bound = math.inf if self.diverged_at is None else self.diverged_at * SAFE
        return float(f"{min(middle, bound):.2g}")

    @property
    def agree(self) -> bool:
        """Whether the suggestions lie within a factor of ten."""
        found = self.suggestions.values()
        return bool(found) and max(found) <= 10.0 * min(found)


def ramp(low: float, high: float, n: int) -> NDArray[np.float64]:
    """`n` rates from `low` to `high`, evenly spaced in their logarithm, shape (n,)."""
    return np.geomspace(low, high, n)


def smoothed(losses: Sequence[float]) -> NDArray[np.float64]:
    """Exponential moving average, corrected for its start at zero; shape (len(losses),)."""
    mean, out = 0.0, []
    for n, loss in enumerate(losses, 1):
        mean = SMOOTHING * mean + (1.0 - SMOOTHING) * loss
        out.append(mean / (1.0 - SMOOTHING**n))
    return np.array(out)


def diverged(losses: Sequence[float]) -> bool:
    """Whether the newest loss is no number, or the smoothed one far above its lowest.

    Far is also more than the noise of the losses would explain: small batches rise and fall.
    """
    if not losses:
        return False
    if not math.isfinite(losses[-1]):
        return True
    if len(losses) < N_YOUNG:  # averages of so few are mostly noise
        first = max(losses[: N_YOUNG // 3])
        return losses[-1] - first > (EXPLODED - 1.0) * abs(first)
    smooth = smoothed(losses)
    low = float(smooth[N_YOUNG // 3 :].min())
    rise = float(smooth[-1]) - low
    return rise > max((DIVERGED - 1.0) * abs(low), SIGNAL * _noise(losses))


def suggest(lrs: Sequence[float], losses: Sequence[float]) -> LrFinding:
    """Judge a range test: equally many rates and losses, the last where the test stopped."""
    end = float(lrs[len(losses) - 1]) if diverged(losses) else None
    n = len(losses) - (bool(losses) and not math.isfinite(losses[-1]))
    rates, values = np.asarray(lrs[:n], dtype=float), np.asarray(losses[:n], dtype=float)
    smooth = smoothed(list(values))

    def finding(found: dict[str, float], why_not: str = "") -> LrFinding:
        return LrFinding(tuple(lrs[: len(losses)]), tuple(losses), tuple(map(float, smooth)),
                         found, end, why_not)  # fmt: skip

    if n < N_LEAST:
        return finding({}, f"only {n} finite losses before divergence; {N_LEAST} are needed: "
                           "start from a lower rate, or take more steps")  # fmt: skip
    noise = _noise(list(values))
    head = max(n // 10, 3)
    start = float(smooth[:head].mean())
    low = head + int(smooth[head:].argmin())
    fall = start - float(smooth[low])
    if not fall > max(SIGNAL * noise, 1e-3 * abs(start)):
        return finding({}, f"the smoothed loss fell by {fall:.3g} from {start:.3g}, noise "
                           f"{noise:.3g}; needed: {SIGNAL:g} x noise")  # fmt: skip
    slope = np.gradient(smooth, np.log10(rates))[: low + 1]
    first, last = _longest_fall(smooth)
    return finding({
        "steepest": float(rates[int(slope.argmin())]),
        "valley": float(rates[first + (last - first) // 2]),
        "minimum/10": float(rates[low]) / 10.0,
    })  # fmt: skip


def _noise(losses: Sequence[float]) -> float:
    """Standard deviation of the smoothed losses around their trend."""
    if len(losses) < 2:
        return 0.0
    # differences of neighbours hold the noise and hardly the trend; the average calms it
    rough = float(np.median(np.abs(np.diff(losses)))) / 0.6745 / math.sqrt(2.0)
    return rough * math.sqrt((1.0 - SMOOTHING) / (1.0 + SMOOTHING))


def _longest_fall(values: NDArray[np.float64]) -> tuple[int, int]:
    """First and last index of the longest run of decreasing values."""
    best, first = (0, 0), 0
    for i in range(1, len(values)):
        if values[i] >= values[i - 1]:
            first = i
        if i - first > best[1] - best[0]:
            best = first, i
    return best
