"""What the results of a study say of its space: priors and ranges that look wrong.

A prior looks wrong where the better third of the trials, or nearly all of it, lies two standard
deviations off; a range looks too narrow where the best tenth crowds at one end, unless nothing can
lie beyond (0 and 1 of a linear range). Of what the best trial does not have, nothing is said.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from luthier.core.domain import Domain, Float, Int, Value
from luthier.core.script import root_of
from luthier.core.study import Run, StudyView
from luthier.models.priors import N_BEFORE_DOUBT, SPREADS
from luthier.policies.autopilot.logbook import is_probe

_FAR = 2.0  # standard deviations of a prior
_NEARLY_ALL = 0.8
_EDGE, _NEAR = 0.03, 0.1  # of a range: where the best lies, and half of the best tenth
_HALF, _N_LEAST = 0.5, 3
What = Literal["prior", "low", "high"]


@final
@dataclass(frozen=True, slots=True)
class Misjudged:
    """A parameter, what was stated of it, and where the best trials lie."""

    name: str
    what: What
    stated: Value  # the prior, or that end of the range
    lowest: Value
    highest: Value
    n_there: int
    n_best: int

    def __str__(self) -> str:
        which = f"the best {self.n_best}"
        which = which if self.n_there == self.n_best else f"{self.n_there} of {which}"
        there = f"{which} trials lie at {_short(self.lowest)}"
        there += "" if self.lowest == self.highest else f" to {_short(self.highest)}"
        if self.what == "prior":
            return f"the prior for {self.name} looks wrong: {_short(self.stated)}; {there}"
        end = _short(self.stated)
        return f"the range for {self.name} looks too narrow: it ends at {end}; {there}"


def misjudged(view: StudyView) -> tuple[Misjudged, ...]:
    """What looks wrong, in the order of the space; nothing before nine trials have a number."""
    lines: dict[str, Run] = {}  # of what was forked from one another the best
    for run in view.results().values():
        line = root_of(view, run.id).id
        least = lines[line].best_loss if line in lines else math.inf
        if run.best_loss < least and not is_probe(run):
            lines[line] = run
    told = sorted(lines.values(), key=lambda run: (run.best_loss, run.trial))
    if len(told) < N_BEFORE_DOUBT:
        return ()
    found: list[Misjudged] = []
    for name, domain in view.study.space.domains.items():
        points = [view.trials[run.trial].params for run in told]  # as they began
        values = [point[name] for point in points if name in point]
        few = len(values) < N_BEFORE_DOUBT or name not in points[0]
        if isinstance(domain, Float | Int) and not few:
            found += _of_one(name, domain, values)
    return tuple(found)


def _of_one(name: str, domain: Float | Int, values: Sequence[Value]) -> Iterator[Misjudged]:
    """From its values, the best trial's first."""
    units = np.array([domain.to_unit(value) for value in values])
    n_third, n_tenth = len(values) // 3, max(_N_LEAST, len(values) // 10)
    if domain.prior is not None:
        spread = SPREADS[domain.confidence]
        away = np.abs(units[:n_third] - domain.to_unit(domain.prior)) / spread
        if away[0] > _FAR and np.mean(away > _FAR) >= _NEARLY_ALL:
            yield _found(name, "prior", domain.prior, values, away > _FAR)
    ends: tuple[tuple[What, Any], ...] = (("low", domain.low), ("high", domain.high))
    for what, end in ends:
        away = np.abs(units[:n_tenth] - domain.to_unit(end))
        crowded = away[0] <= _EDGE and np.mean(away <= _NEAR) >= _HALF
        if crowded and _may_go_on(domain, end):
            yield _found(name, what, end, values, away <= _NEAR)


def _found(
    name: str, what: What, stated: Value, values: Sequence[Any], is_there: NDArray[np.bool_]
) -> Misjudged:
    there = [value for value, is_so in zip(values, is_there, strict=False) if is_so]
    return Misjudged(name, what, stated, min(there), max(there), len(there), len(is_there))


def _may_go_on(domain: Domain, end: float) -> bool:
    linear = isinstance(domain, Float | Int) and not domain.log
    return not (linear and end in (0, 1))


def _short(value: Value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
