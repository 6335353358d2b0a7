"""Axes: from values to places, and round numbers to write beside them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray


@final
@dataclass(frozen=True, slots=True)
class Axis:
    """From `low` to `high`, in the logarithm with `log`; `label` stands at its end.

    `names` are texts in place of numbers, at the places 0, 1, ….
    """

    low: float
    high: float
    log: bool = False
    label: str = ""
    names: tuple[str, ...] = ()

    def place(self, value: NDArray[np.float64]) -> NDArray[np.float64]:
        """Between 0 and 1 inside of the axis; NaN where a value has no place."""
        scale = np.log if self.log else np.asarray
        with np.errstate(divide="ignore", invalid="ignore"):
            found: NDArray[np.float64] = np.asarray(scale(value), dtype=np.float64)
        low, high = (math.log(v) if self.log else v for v in (self.low, self.high))
        return np.where(np.isfinite(found), (found - low) / ((high - low) or 1.0), np.nan)

    def ticks(self, n_most: int) -> list[tuple[float, str]]:
        """Values and their texts, round ones."""
        if self.names:
            every = max(1, math.ceil(len(self.names) / n_most))
            return [(float(i), n) for i, n in enumerate(self.names)][::every]
        values = _log_ticks(self.low, self.high, n_most) if self.log else _ticks(
            self.low, self.high, n_most)  # fmt: skip
        return [(value, shown(value)) for value in values]


def shown(value: float) -> str:
    """A number in few characters."""
    if value != 0 and math.isfinite(value) and (abs(value) < 1e-3 or abs(value) >= 1e5):
        mantissa, _, exponent = f"{value:.2e}".partition("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return f"{value:.4g}" if math.isfinite(value) else str(value)


def axis_of(values: NDArray[np.float64], label: str = "", *, log: bool = False) -> Axis:
    """An axis around all finite values, with a little room."""
    numbers = values[np.isfinite(values) & ((values > 0) | (not log))]
    if not len(numbers):
        return Axis(0.1 if log else 0.0, 1.0, log, label)
    low, high = float(numbers.min()), float(numbers.max())
    if log:
        room = (high / low) ** 0.04 if high > low else 2.0
        return Axis(low / room, high * room, True, label)
    room = (high / 2 - low / 2) * 0.08 if high > low else (abs(low) * 0.1 or 0.5)
    return Axis(low - room, high + room, False, label)


def loss_axis(
    curves: Sequence[NDArray[np.float64]], label: str, sign: float = 1.0, room: float = 4.0
) -> Axis:
    """An axis for many curves that a few which diverged do not squeeze.

    `sign` is -1 where higher is better. What is worse than `room` times the median's distance from
    the best lies outside.
    """
    parts = [sign * c[np.isfinite(c)] for c in curves]
    losses = np.concatenate(parts) if parts else np.empty(0)
    if not len(losses):
        return axis_of(losses, label)
    most = 0.97 if len(curves) > 3 else 1.0
    low, middle, high = (float(q) for q in np.quantile(losses, [0, 0.5, most]))
    wide = sign > 0 and low > 0 and middle / low > 8
    limit = low + room * max(middle - low, 1e-12 * (abs(low) + 1))
    top = min(high, middle * (middle / low) ** 3 if wide else limit)
    inside = losses[losses <= max(top, middle)]
    return axis_of(sign * np.append(inside, max(top, middle)), label, log=wide)


def _ticks(low: float, high: float, n_most: int) -> list[float]:
    """Multiples of the smallest of 1, 2, 2.5, 5 times a power of ten that gives few enough."""
    rough = (high - low) / max(n_most, 1)
    if not (math.isfinite(rough) and rough > 0):
        return [low]
    power = 10.0 ** (math.floor(math.log10(rough)) - 1)
    for step in (power * m for m in (5, 10, 20, 25, 50, 100)):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first <= n_most:
            return [float(f"{i * step:.12g}") for i in range(first, last + 1)]
    return [low]


def _log_ticks(low: float, high: float, n_most: int) -> list[float]:
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    powers = [10.0**k for k in range(first, last + 1)]
    if len(powers) > n_most:
        return powers[:: math.ceil(len(powers) / n_most)]
    for digits in ((1, 2, 3, 5, 7), (1, 2, 5), (1, 3)):
        fine = [m * 10.0**k for k in range(first - 1, last + 2) for m in digits]
        found = [value for value in fine if low <= value <= high]
        if 2 < len(found) <= n_most + 1:
            return found
    return powers if len(powers) > 1 else _ticks(low, high, n_most)
