"""What a watcher has found: numbers, likely causes, and what to change."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, final

from luthier.core.domain import Value
from luthier.diagnosis.evidence import Evidence


class Severity(enum.IntEnum):
    """How much a finding matters. A note asks for nothing: the training is healthy with it."""

    NOTE = 0
    WARNING = 1  # the result will be worse than it has to be
    CRITICAL = 2  # the training is lost unless something changes


@final
@dataclass(frozen=True, slots=True)
class Fact:
    """A number that speaks for a finding, and the limit that it crossed."""

    name: str  # of the statistic
    value: float
    limit: float | None = None


@final
@dataclass(frozen=True, slots=True)
class Remedy:
    """A change of one hyperparameter, by a factor or to a value."""

    name: str
    factor: float | None = None
    value: float | None = None

    def target(self, params: Mapping[str, Value]) -> float | None:
        """The new value where the old one is known, else None."""
        if self.value is not None:
            return self.value
        old = params.get(self.name)
        if self.factor is None or not isinstance(old, int | float):
            return None
        return float(f"{old * self.factor:.3g}")


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """One diagnosis of one run. What `id` and the causes mean stands in the knowledge files."""

    id: str
    severity: Severity
    confidence: float  # 0 to 1
    onset: float  # step from which it can be seen
    evidence: tuple[Fact, ...]
    causes: tuple[str, ...] = ()  # names of causes, the likeliest first
    remedies: tuple[Remedy, ...] = ()  # the first is the one to try first

    @property
    def is_alarm(self) -> bool:
        """Whether somebody should act."""
        return self.severity > Severity.NOTE


class Watcher(Protocol):
    """Looks for one entry of the catalogue."""

    @property
    def id(self) -> str:
        """The entry: D01, D02, …"""
        ...

    def watch(self, evidence: Evidence) -> Finding | None:
        """The finding, or None; a function of the evidence."""
        ...
