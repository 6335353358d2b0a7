"""Beliefs about good points: dropped where what was seen speaks against them."""

import math
from collections.abc import Mapping, Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.core.domain import Choice, Confidence
from luthier.core.space import Space

Array = NDArray[np.float64]
# of the unit interval
SPREADS: dict[Confidence, float] = {"low": 0.25, "medium": 0.15, "high": 0.08}
_SHARE = 0.8  # of the density; the rest is spread evenly, so that no point is out of reach
# of the normal part: what a name says, beside what was stated
_ALSO: dict[Confidence, float] = {"low": 0.7, "medium": 0.7, "high": 0.4}
_CHOICE_WEIGHTS = {"low": 0.5, "medium": 0.7, "high": 0.85}
_N_BEFORE_TRUST, N_BEFORE_DOUBT = 4, 9  # runs before a prior may lose weight, and be dropped
_N_BEST = 2  # runs that the best third has at least
_DOUBTFUL_Z = 1.64  # one-sided 5 %


@final
class Belief:
    """The priors of a space as a density over the unit cube, one parameter at a time.

    Where `also` has another prior for a number, that one gets a share of the density too: the more,
    the less the first is trusted (`trust`, by name; 1 for what it does not name).
    """

    def __init__(
        self,
        space: Space,
        dropped: Sequence[str] = (),
        also: Space | None = None,
        trust: Mapping[str, float] | None = None,
    ) -> None:
        self.space = space
        self.also = also or space
        self.trust = trust or {}
        self.names = tuple(
            n for n in space.names if space.domains[n].prior is not None and n not in dropped
        )

    @property
    def unconditional(self) -> tuple[str, ...]:
        """Of its names those of parameters that every point has."""
        return tuple(name for name in self.names if not self.space.domains[name].when)

    def log_density(self, units: Array, names: Sequence[str] | None = None) -> Array:
        """Up to a constant; zero everywhere without priors. `units` (n, d), result (n,). Of `names`
        alone, where given; what a point does not have says nothing of it."""
        names = self.names if names is None else names
        total = np.zeros(len(units))
        has = None
        for name in names:
            density = np.log(self._density(name, units[:, self.space.names.index(name)]))
            if self.space.domains[name].when:
                has = has or [self.space.from_unit(unit).keys() for unit in units]
                density = np.where([name in keys for keys in has], density, 0.0)
            total += density
        return total

    def draw(self, n: int, rng: np.random.Generator) -> Array:
        """Points from the density, (n, d)."""
        units = rng.random((n, self.space.dimension))
        for name in self.names:
            column = self.space.names.index(name)
            domain = self.space.domains[name]
            centre = domain.to_unit(domain.default())
            if isinstance(domain, Choice):
                likely = rng.random(n) < self._choice_weight(name, domain)
                units[likely, column] = centre
                continue
            share, also = self._shares(name)
            believed = rng.random(n) < share
            centres, spreads = np.array(self._hills(name)).T
            which = (rng.random(n) < also).astype(int)
            near = rng.normal(centres[which], spreads[which], n)
            inside = believed & (near >= 0.0) & (near <= 1.0)
            units[inside, column] = near[inside]
        return units

    def _density(self, name: str, unit: Array) -> Array:
        domain = self.space.domains[name]
        centre = domain.to_unit(domain.default())
        if isinstance(domain, Choice):
            n, weight = len(domain.options), self._choice_weight(name, domain)
            if n == 1:
                return np.ones(len(unit))
            here = np.abs(unit - centre) < 0.5 / n
            even = (1.0 - weight) / n
            return np.where(here, weight + even, even)
        believed, also = self._shares(name)
        density: Array = np.full(len(unit), 1.0 - believed)
        for (middle, spread), share in zip(self._hills(name), (1.0 - also, also), strict=False):
            away = (unit - middle) / spread
            normal = np.exp(-0.5 * away * away) / (spread * math.sqrt(2 * math.pi))
            density += believed * share * normal
        return density

    def _choice_weight(self, name: str, domain: Choice) -> float:
        return _CHOICE_WEIGHTS[domain.confidence] * self.trust.get(name, 1.0)

    def _shares(self, name: str) -> tuple[float, float]:
        """Of a number's density, the share of the normal parts; and of these, that of the second.
        What is not trusted goes to the second, or where there is none, is spread evenly."""
        trust = self.trust.get(name, 1.0)
        if len(self._hills(name)) > 1:
            also = _ALSO[self.space.domains[name].confidence]
            return _SHARE, 1.0 - (1.0 - also) * trust
        return _SHARE * trust, 0.0

    def _hills(self, name: str) -> list[tuple[float, float]]:
        """Centres and standard deviations of the normal parts of a number's density."""
        priors = [space.domains[name] for space in (self.space, self.also)]
        hills = [(d.to_unit(d.default()), SPREADS[d.confidence]) for d in priors
                 if d.prior is not None]  # fmt: skip
        return list(dict.fromkeys(hills))


def doubted(space: Space, units: Array, lowest: Array) -> tuple[str, ...]:
    """Parameters whose prior looks wrong: the better runs lie farther from it than the others.

    `units` (n, d) of the runs' points, `lowest` (n,) their lowest losses. A rank-sum test of the
    best third against the rest, one parameter at a time.
    """
    if len(lowest) < N_BEFORE_DOUBT:
        return ()
    return tuple(n for n, z in _against(space, units, lowest).items() if z > _DOUBTFUL_Z)


def trust(space: Space, units: Array, lowest: Array) -> dict[str, float]:
    """How far each prior may be believed: 1 where nothing speaks against it, down to 0. The
    two-sided probability of the test of `doubted`; the same arguments, but that runs whose loss is
    not known yet (NaN) say nothing."""
    from scipy.special import ndtr

    known = ~np.isnan(lowest)
    found = _against(space, units[known], lowest[known])
    return {name: float(min(1.0, 2.0 * ndtr(-z))) for name, z in found.items()}


def _against(space: Space, units: Array, lowest: Array) -> dict[str, float]:
    """By how many standard deviations the best third lies too far from each prior."""
    n = len(lowest)
    finite = np.isfinite(lowest)
    if n < _N_BEFORE_TRUST or finite.sum() < _N_BEST:
        return {}
    losses = np.where(finite, lowest, np.inf)
    best = finite & (losses <= np.sort(losses)[max(_N_BEST, n // 3) - 1])
    found = {}
    for column, name in enumerate(space.names):
        domain = space.domains[name]
        if domain.prior is not None:
            away = np.abs(units[:, column] - domain.to_unit(domain.default()))
            found[name] = _rank_sum_z(away, best)
    return found


def _rank_sum_z(values: Array, chosen: NDArray[np.bool_]) -> float:
    """How far the chosen values rank above the others, in standard deviations."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    ranks = (ends - (count - 1) / 2.0)[place]
    n1, n = int(chosen.sum()), len(values)
    n2 = n - n1
    ties = float((count**3 - count).sum()) / (n * (n - 1)) if n > 1 else 0.0
    variance = n1 * n2 / 12.0 * ((n + 1) - ties)
    if variance <= 0:
        return 0.0
    return float((ranks[chosen].sum() - n1 * (n + 1) / 2.0) / math.sqrt(variance))
