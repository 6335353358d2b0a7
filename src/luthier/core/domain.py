"""What one hyperparameter may be, and its place in the unit interval.

Values lie on a decimal grid (12 significant digits on a log scale, 12 digits of the span on a
linear one), so that `from_unit(to_unit(x)) == x` holds exactly for every x of the domain, and a
drawn value can be written down and typed in again.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, final

from luthier.core.errors import DomainError, PointError

Value = Any  # what a user may put into a space: numbers, strings, booleans, None, tuples of these
Confidence = Literal["low", "medium", "high"]
Category = Literal["network", "optimization", "regularization"]
CONFIDENCES = ("low", "medium", "high")
CATEGORIES = ("network", "optimization", "regularization")
SIGNIFICANT_DIGITS = 12


@dataclass(frozen=True)
class Domain(ABC):
    """The values one hyperparameter may take, and what is known of it.

    `prior`: a value believed to be good, held with `confidence`. `tier`: importance, 1 (learning
    rate, loss parameters), 2 (batch size, momentum) or 3 (the rest). `live`: may change while a
    run trains. `when`: other parameters and the values they must have for this one to exist.
    `source`: where the values come from.
    """

    _: KW_ONLY
    prior: Value = None
    confidence: Confidence = "medium"
    tier: int = 3
    category: Category | None = None
    live: bool = False
    when: Mapping[str, Value] | None = None
    source: str | None = None

    @abstractmethod
    def from_unit(self, unit: float) -> Value:
        """Value at `unit` in [0, 1]."""

    @abstractmethod
    def to_unit(self, value: Value) -> float:
        """Place of a value of this domain in [0, 1]."""

    @abstractmethod
    def cast(self, value: Value) -> Value:
        """The same value on the domain's grid; PointError when it is not in the domain."""

    def default(self) -> Value:
        """The prior, or the middle."""
        return self.from_unit(0.5) if self.prior is None else self.cast(self.prior)

    def _check(self) -> None:
        if self.confidence not in CONFIDENCES:
            raise DomainError(f"confidence={self.confidence!r}; expected one of {CONFIDENCES}.")
        if self.tier not in (1, 2, 3):
            raise DomainError(f"tier={self.tier!r}; expected 1, 2 or 3.")
        if self.category is not None and self.category not in CATEGORIES:
            raise DomainError(f"category={self.category!r}; expected one of {CATEGORIES}.")
        if self.prior is not None:
            try:
                self.cast(self.prior)
            except PointError as error:
                raise DomainError(
                    f"prior={self.prior!r} lies outside of {self}; give a prior that is one of "
                    "its values, or widen it."
                ) from error


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@final
@dataclass(frozen=True)
class Float(Domain):
    """Real numbers from `low` to `high`, both included; evenly in the logarithm with `log=True`."""

    low: float
    high: float
    _: KW_ONLY
    log: bool = False

    def __post_init__(self) -> None:
        _check_bounds(self, self.low, self.high, self.log)
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))
        self._check()

    def __str__(self) -> str:
        return f"Float({self.low:g}, {self.high:g}{', log=True' if self.log else ''})"

    def from_unit(self, unit: float) -> float:
        """Value at `unit`; 0 is exactly `low`, 1 exactly `high`."""
        if unit <= 0.0 or unit >= 1.0:
            return self.low if unit <= 0.0 else self.high
        if self.log:
            start, stop = math.log(self.low), math.log(self.high)
            return self._on_grid(math.exp(start + unit * (stop - start)))
        return self._on_grid(self.low + unit * (self.high - self.low))

    def to_unit(self, value: float) -> float:
        """Place of `value` between the bounds, on the domain's scale."""
        if value <= self.low or value >= self.high:
            return 0.0 if value <= self.low else 1.0
        if self.log:
            start, stop = math.log(self.low), math.log(self.high)
            return (math.log(value) - start) / (stop - start)
        return (value - self.low) / (self.high - self.low)

    def cast(self, value: Value) -> float:
        """The number on the decimal grid."""
        if not _is_number(value) or not self.low <= value <= self.high:
            raise PointError(f"{value!r} is not in {self}.")
        return self._on_grid(float(value))

    def _on_grid(self, value: float) -> float:
        if value in (self.low, self.high):  # the bounds need not lie on the grid
            return value
        if self.log:
            value = float(f"{value:.{SIGNIFICANT_DIGITS}g}")
        else:
            value = round(value, SIGNIFICANT_DIGITS - math.ceil(math.log10(self.high - self.low)))
        # what cannot be told from a bound is the bound, as it is on the way back
        return {0.0: self.low, 1.0: self.high}.get(self.to_unit(value), value)


@final
@dataclass(frozen=True)
class Int(Domain):
    """Whole numbers from `low` to `high`, both included, `step` apart; each has an equal share.

    With `log=True` the share is the width of [n - 1/2, n + 1/2] in the logarithm.
    """

    low: int
    high: int
    _: KW_ONLY
    log: bool = False
    step: int = 1

    def __post_init__(self) -> None:
        for name, value in (("low", self.low), ("high", self.high), ("step", self.step)):
            if not isinstance(value, int) or isinstance(value, bool):
                raise DomainError(f"Int {name}={value!r}; expected a whole number.")
        _check_bounds(self, self.low, self.high, self.log)
        if self.step < 1 or (self.log and self.step != 1):
            raise DomainError(
                f"Int step={self.step} with log={self.log}; expected step >= 1, and 1 with log."
            )
        if (self.high - self.low) % self.step:
            last = self.high - (self.high - self.low) % self.step
            raise DomainError(
                f"Int({self.low}, {self.high}, step={self.step}) never meets {self.high}; "
                f"write high={last}."
            )
        self._check()

    def __str__(self) -> str:
        scale = ", log=True" if self.log else f", step={self.step}" if self.step > 1 else ""
        return f"Int({self.low}, {self.high}{scale})"

    @property
    def n_values(self) -> int:
        """How many values there are."""
        return (self.high - self.low) // self.step + 1

    def from_unit(self, unit: float) -> int:
        """Value whose cell holds `unit`."""
        unit = min(max(unit, 0.0), 1.0)
        if self.log:
            start, stop = math.log(self.low - 0.5), math.log(self.high + 0.5)
            value = round(math.exp(start + unit * (stop - start)))
        else:
            value = self.low + self.step * int(unit * self.n_values)
        return min(max(value, self.low), self.high)

    def to_unit(self, value: int) -> float:
        """Middle of the value's cell (on a log scale its logarithm)."""
        if self.log:
            start, stop = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return (math.log(value) - start) / (stop - start)
        return ((value - self.low) // self.step + 0.5) / self.n_values

    def cast(self, value: Value) -> int:
        """The whole number; floats that are whole count."""
        if _is_number(value) and math.isfinite(value) and int(value) == value:
            whole = int(value)
            if self.low <= whole <= self.high and (whole - self.low) % self.step == 0:
                return whole
        raise PointError(f"{value!r} is not in {self}.")


def _check_bounds(domain: Float | Int, low: float, high: float, log: bool) -> None:
    if not (_is_number(low) and _is_number(high) and math.isfinite(low) and math.isfinite(high)):
        raise DomainError(f"low={low!r}, high={high!r}; expected two finite numbers.")
    if low >= high:
        raise DomainError(
            f"low={low!r}, high={high!r}; expected low < high. "
            "For a fixed value write the value itself."
        )
    if log and low <= 0:
        raise DomainError(f"log=True with low={low!r}; expected low > 0 on a log scale.")
    span = float(high) - float(low)
    if not math.isfinite(span) or (not log and span < 1e-300):
        raise DomainError(f"low={low!r}, high={high!r}; their distance is no usable number.")


@final
@dataclass(frozen=True, init=False)
class Choice(Domain):
    """One of several values without order: strings, numbers, booleans, None, or tuples of these."""

    options: tuple[Value, ...]

    def __init__(
        self,
        *options: Value,
        prior: Value = None,
        confidence: Confidence = "medium",
        tier: int = 3,
        category: Category | None = None,
        live: bool = False,
        when: Mapping[str, Value] | None = None,
        source: str | None = None,
    ) -> None:
        fields = {
            "options": options,
            "prior": prior,
            "confidence": confidence,
            "tier": tier,
            "category": category,
            "live": live,
            "when": when,
            "source": source,
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)
        if not options:
            raise DomainError("Choice() has no options; expected at least one.")
        for option in options:
            if not is_plain(option):
                raise DomainError(
                    f"Choice option {option!r} is a {type(option).__name__}; expected a string, "
                    "number, boolean, None or a tuple of these. Name the object with a string and "
                    "look it up in your code."
                )
            if option != option:
                raise DomainError("Choice option nan is equal to nothing, not even to itself.")
        if len({(type(option), option) for option in options}) < len(options):
            raise DomainError(f"Choice{options!r} has an option twice.")
        self._check()

    def __str__(self) -> str:
        return f"Choice({', '.join(map(repr, self.options))})"

    def from_unit(self, unit: float) -> Value:
        """Option whose cell holds `unit`; the cells are equal."""
        index = int(min(max(unit, 0.0), 1.0) * len(self.options))
        return self.options[min(index, len(self.options) - 1)]

    def to_unit(self, value: Value) -> float:
        """Middle of the option's cell."""
        return (self._index(value) + 0.5) / len(self.options)

    def cast(self, value: Value) -> Value:
        """The option itself; a list counts as the tuple."""
        return self.options[self._index(value)]

    def _index(self, value: Value) -> int:
        value = as_tuple(value)
        for index, option in enumerate(self.options):
            if type(option) is type(value) and option == value:
                return index
        for index, option in enumerate(self.options):
            if _is_number(option) and _is_number(value) and option == value:
                return index
        raise PointError(f"{value!r} is not in {self}.")


@final
@dataclass(frozen=True)
class Constant(Domain):
    """A value that is not searched; takes no coordinate of the cube."""

    value: Value

    def __post_init__(self) -> None:
        if not is_plain(self.value):
            raise DomainError(
                f"{self.value!r} is a {type(self.value).__name__}; expected Float, Int, Choice, or "
                "a constant: a string, number, boolean, None or a tuple of these."
            )
        self._check()

    def __str__(self) -> str:
        return repr(self.value)

    def from_unit(self, unit: float) -> Value:
        """The value."""
        return self.value

    def to_unit(self, value: Value) -> float:
        """The middle, always."""
        return 0.5

    def cast(self, value: Value) -> Value:
        """The value; anything else is refused."""
        if as_tuple(value) != self.value:
            raise PointError(f"{value!r} given where the space holds the constant {self.value!r}.")
        return self.value


def is_plain(value: object) -> bool:
    """Whether a value can be written into the store and read back as it was."""
    if isinstance(value, tuple):
        return all(is_plain(item) for item in value)
    return value is None or isinstance(value, bool | int | float | str)


def as_tuple(value: Value) -> Value:
    """Lists made tuples, all the way down: JSON knows no tuples."""
    return tuple(as_tuple(item) for item in value) if isinstance(value, list | tuple) else value


def values_from_json(params: Mapping[str, Value]) -> dict[str, Value]:
    """Parameters as they were before they became JSON."""
    return {name: as_tuple(value) for name, value in params.items()}
