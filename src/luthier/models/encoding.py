"""Points of a space as rows of numbers among which distances mean something."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.core.domain import Choice, Domain, Float, Int
from luthier.core.space import Space

_APART = np.sqrt(0.5)  # one-hot columns of this height put any two options at distance 1
_MAX_LEVELS = 4096  # whole numbers beyond this many are as good as continuous
_TIER_SCALE = {1: 0.7, 2: 1.0, 3: 1.6}  # what matters more varies on a shorter length
_RATE_DECADES = 1.5  # a learning rate's length scale at most, however wide its range
# importance by the names that most people use, for spaces that state none
_FIRST = re.compile(r"(^|_)(lr|learning_rate)(_init|$)", re.IGNORECASE)
_SECOND = re.compile(r"batch_?size|momentum|hidden|units|width", re.IGNORECASE)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """Columns for each parameter: one for a number, one per option for a choice of 3 or more.

    With `places`, the points that can be chosen at all, a number is replaced by its rank among
    theirs: the scale on which they were drawn is the scale on which they differ. A parameter that
    is inactive sits in the middle; that its branch is another is told by its parent's columns.
    """

    space: Space
    places: NDArray[np.float64] | None = None  # (m, d) in the unit cube
    _units: dict[tuple[object, ...], NDArray[np.float64]] = field(default_factory=dict, repr=False)

    def units(self, points: Iterable[Mapping[str, object]]) -> NDArray[np.float64]:
        """Points in the unit cube, (n, d); each is worked out once."""
        rows = []
        for point in points:
            key = tuple(point.items())
            if key not in self._units:
                self._units[key] = self.space.to_unit(point)
            rows.append(self._units[key])
        return np.array(rows, dtype=np.float64).reshape(len(rows), self.space.dimension)

    @property
    def groups(self) -> NDArray[np.int64]:
        """For each column, which parameter it belongs to."""
        counts = [_n_columns(self.space.domains[name]) for name in self.space.names]
        return np.repeat(np.arange(len(counts)), counts)

    def length_scales(self) -> NDArray[np.float64]:
        """Expected length scale of each parameter, from the importance that the space states, or
        else from its name."""
        tiers = [self.space.domains[name].tier for name in self.space.names]
        if len(set(tiers)) < 2:
            tiers = [_usual_tier(name) for name in self.space.names]
        scale = 0.35 * np.sqrt(max(len(tiers), 1))
        same = len(set(tiers)) < 2
        scales = np.array([scale * (1.0 if same else _TIER_SCALE[tier]) for tier in tiers])
        decades = [decades_of_rate(name, self.space.domains[name]) for name in self.space.names]
        widest = [math.inf if d is None else _RATE_DECADES / d for d in decades]
        shortened: NDArray[np.float64] = np.minimum(scales, widest)
        return shortened

    def snap(self, units: NDArray[np.float64]) -> NDArray[np.float64]:
        """Unit places moved to values that exist, inactive ones to where their default is."""
        snapped = np.array(units, dtype=np.float64)
        for column, name in enumerate(self.space.names):
            domain = self.space.domains[name]
            snapped[:, column] = _snap(domain, snapped[:, column])
        active = self.active(snapped)
        for column, name in enumerate(self.space.names):
            domain = self.space.domains[name]
            if domain.when:
                away = domain.to_unit(domain.default())
                snapped[~active[:, column], column] = away
        return snapped

    def active(self, units: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which parameters exist at each place, (n, d)."""
        names = self.space.names
        active = np.ones(units.shape, dtype=bool)
        if not any(self.space.domains[name].when for name in names):
            return active
        for row, unit in enumerate(units):
            point = self.space.from_unit(unit)
            active[row] = [name in point for name in names]
        return active

    def rows(self, units: NDArray[np.float64]) -> NDArray[np.float64]:
        """Encoded points, (n, columns)."""
        active = self.active(units)
        columns: list[NDArray[np.float64]] = []
        for column, name in enumerate(self.space.names):
            domain, unit, on = self.space.domains[name], units[:, column], active[:, column]
            if isinstance(domain, Choice):
                columns += _one_hot(domain, unit, on)
            else:
                columns.append(np.where(on, self._number(column, domain, unit), 0.5))
        if not columns:
            return np.zeros((len(units), 0))
        return np.stack(columns, axis=1)

    def _number(
        self, column: int, domain: Domain, unit: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        if self.places is None:
            return _stretched(domain, unit)
        others = np.sort(self.places[:, column])
        below = np.searchsorted(others, unit, side="left")
        upto = np.searchsorted(others, unit, side="right")
        ranks: NDArray[np.float64] = (below + upto) / (2 * len(others))
        return ranks


def decades_of_rate(name: str, domain: Domain) -> float | None:
    """Powers of ten that a learning rate's range spans; None for what is no rate."""
    if isinstance(domain, Float) and domain.log and _FIRST.search(name):
        return math.log10(domain.high / domain.low)
    return None


def _usual_tier(name: str) -> int:
    return 1 if _FIRST.search(name) else 2 if _SECOND.search(name) else 3


def _n_columns(domain: Domain) -> int:
    return len(domain.options) if isinstance(domain, Choice) and len(domain.options) > 2 else 1


def _one_hot(
    domain: Choice, unit: NDArray[np.float64], on: NDArray[np.bool_]
) -> list[NDArray[np.float64]]:
    n = len(domain.options)
    index = np.clip((unit * n).astype(int), 0, n - 1)
    if n <= 2:
        return [np.where(on, index.astype(np.float64), 0.5)]
    return [np.where(on & (index == k), _APART, 0.0) for k in range(n)]


def _snap(domain: Domain, unit: NDArray[np.float64]) -> NDArray[np.float64]:
    if isinstance(domain, Choice):
        n = len(domain.options)
        snapped: NDArray[np.float64] = (np.clip((unit * n).astype(int), 0, n - 1) + 0.5) / n
        return snapped
    if isinstance(domain, Int) and domain.n_values <= _MAX_LEVELS:
        return np.array([domain.to_unit(domain.from_unit(float(u))) for u in unit])
    return np.clip(unit, 0.0, 1.0)


def _stretched(domain: Domain, unit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Momenta and the like: 0.9, 0.99 and 0.999 are equally far from each other."""
    near_one = isinstance(domain, Float) and not domain.log and 0 <= domain.low < 0.95
    if not (near_one and isinstance(domain, Float) and 0.95 < domain.high <= 1.0):
        return unit
    span = domain.high - domain.low
    rest = np.maximum(1.0 - (domain.low + unit * span), 1e-6)
    low, high = np.log(1.0 - domain.low), np.log(max(1.0 - domain.high, 1e-4))
    stretched: NDArray[np.float64] = np.clip((low - np.log(rest)) / (low - high), 0.0, 1.0)
    return stretched
