"""A rule, and what it found."""

import enum
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, final

from luthier.analysis.case import Case
from luthier.analysis.sites import Site


@final
class Severity(enum.StrEnum):
    """How bad it is. An error stops a study before it starts."""

    ERROR = "error"  # the training cannot do what it is meant to do
    WARNING = "warning"  # likely to cost quality, time or memory
    INFO = "info"  # worth knowing; often meant as it is

    @property
    def rank(self) -> int:
        """0 for the gravest."""
        return list(Severity).index(self)


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """One place where a rule is broken; `evidence` fills the placeholders of the rule's text."""

    code: str
    severity: Severity
    path: str = ""  # of a module or parameter
    site: Site | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)


class Rule(ABC):
    """Looks for one thing. `needs`: what must be given for it to look at all."""

    code: ClassVar[str]
    severity: ClassVar[Severity]  # where `check` does not say another
    needs: ClassVar[tuple[str, ...]] = ("model",)

    @abstractmethod
    def check(self, case: Case) -> Iterator[Finding]:
        """Every place where the rule is broken."""

    def found(
        self,
        path: str = "",
        site: Site | None = None,
        severity: Severity | None = None,
        **evidence: object,
    ) -> Finding:
        """A finding of this rule."""
        return Finding(self.code, severity or self.severity, path, site, evidence)
