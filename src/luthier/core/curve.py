"""One metric of one run over its steps. NaN and infinity are data."""

import math
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray


def _nothing() -> NDArray[np.float64]:
    return np.empty(0)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Values over strictly increasing steps (training steps, fractions allowed)."""

    steps: NDArray[np.float64] = field(default_factory=_nothing)  # (n,)
    values: NDArray[np.float64] = field(default_factory=_nothing)  # (n,)

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def best_loss(self) -> float:
        """Lowest finite value (NaN when there is none); for curves of losses."""
        numbers = self.values[np.isfinite(self.values)]
        return float(numbers.min()) if len(numbers) else math.nan

    @property
    def best_step(self) -> float:
        """Step of the lowest finite value, the earliest such; NaN when there is none."""
        finite = np.isfinite(self.values)
        if not finite.any():
            return math.nan
        return float(self.steps[np.argmin(np.where(finite, self.values, np.inf))])

    @property
    def last(self) -> float:
        """Newest value; NaN for an empty curve."""
        return float(self.values[-1]) if len(self.values) else math.nan

    def at(self, step: float) -> float:
        """Newest value at or before `step`; NaN when there is none."""
        index = self.steps.searchsorted(step, side="right")
        return float(self.values[index - 1]) if index else math.nan

    def until(self, step: float) -> "Curve":
        """The part at or before `step`."""
        index = int(np.searchsorted(self.steps, step, side="right"))
        return Curve(self.steps[:index], self.values[:index])

    def after(self, step: float) -> "Curve":
        """The part after `step`."""
        index = int(np.searchsorted(self.steps, step, side="right"))
        return Curve(self.steps[index:], self.values[index:])


@final
class Series:
    """A curve that grows: amortised O(1) appends, and frozen views that never change.

    Steps that come again (after a rollback, or a second report at the same step) replace what
    stood there and after. What earlier views show is never overwritten: a rewrite moves to a new
    buffer.
    """

    __slots__ = ("_n", "_steps", "_values")

    def __init__(self, curve: Curve | None = None) -> None:
        self._steps = np.empty(16) if curve is None else np.array(curve.steps)
        self._values = np.empty(16) if curve is None else np.array(curve.values)
        self._n = 0 if curve is None else len(curve)

    def extend(self, steps: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        """Append points, shapes (n,) and (n,), in the order they were reported."""
        increasing = len(steps) < 2 or bool((np.diff(steps) > 0).all())
        if not increasing:
            for i in range(len(steps)):
                self.extend(steps[i : i + 1], values[i : i + 1])
            return
        if not len(steps):
            return
        if self._n and steps[0] <= self._steps[self._n - 1]:
            self.truncate(float(steps[0]), keep_equal=False)
        n = self._n + len(steps)
        if n > len(self._steps):
            self._move(max(2 * n, 16))
        self._steps[self._n : n] = steps
        self._values[self._n : n] = values
        self._n = n

    def truncate(self, step: float, *, keep_equal: bool = True) -> None:
        """Drop what comes after `step`."""
        n = int(np.searchsorted(self._steps[: self._n], step, "right" if keep_equal else "left"))
        if n < self._n:
            self._n = n
            self._move(max(len(self._steps), 16))

    def freeze(self) -> Curve:
        """The curve as it stands, without copying."""
        steps, values = self._steps[: self._n], self._values[: self._n]
        steps.flags.writeable = values.flags.writeable = False
        return Curve(steps, values)

    def _move(self, size: int) -> None:
        for name in ("_steps", "_values"):
            grown = np.empty(size)
            grown[: self._n] = getattr(self, name)[: self._n]
            setattr(self, name, grown)
