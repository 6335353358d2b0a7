"""The search space: scales, ranges, and what is searched before what."""

import math
import re
from collections.abc import Iterator
from typing import final

from luthier.analysis.case import Case, Source
from luthier.analysis.sites import Site
from luthier.core.domain import Choice, Constant, Domain, Float, Int, Value
from luthier.knowledge.stages import tier_of
from luthier.lint.finding import Finding, Rule, Severity

_RATE = re.compile(r"(^|_)(lr|learning_rate)$")
_SEED = re.compile(r"(^|_)(seed|random_state)$")
_KERNEL = re.compile(r"kernel")
_DEPTH = re.compile(r"^(n_|num_)?(depth|layers|blocks|n_layers|hidden_layers)$")
_LOG_RATIO = 10.0  # ends further apart than this want a log scale
_FAR = 10.0  # times beyond every recommendation
# Ends that no recommendation leaves: the textbook's table 14.6 and today's practice together.
_RECOMMENDED = {
    re.compile(r"(^|_)(lr|learning_rate)$"): (1e-6, 1.0),
    re.compile(r"dropout"): (0.0, 0.5),
    re.compile(r"^(weight_decay|wd)$"): (0.0, 0.3),
    re.compile(r"^batch_?size$"): (1, 4096),
    re.compile(r"^(momentum|beta1|beta_1)$"): (0.0, 0.99),
    re.compile(r"^(beta2|beta_2)$"): (0.9, 0.9999),
    re.compile(r"^label_smoothing$"): (0.0, 0.2),
}
_UNIT = re.compile(r"dropout|momentum|beta|label_smoothing")  # ends that matter absolutely


@final
class DepthBeforeRate(Rule):
    """The depth of the network is searched while the learning rate is not."""

    code = "L48"
    severity = Severity.INFO
    needs = ("space",)

    def check(self, case: Case) -> Iterator[Finding]:
        """The textbook fixes the depth first; today's view searches the rate along with it."""
        searched = _searched(case)
        depths = [name for name in searched if _DEPTH.search(name)]
        rates = [name for name in searched if _RATE.search(name)]
        for name in depths:
            if not rates:
                yield self.found(
                    name,
                    _site(case, name),
                    Severity.WARNING,
                    parameter=name,
                    rate="-",
                )
            elif searched[name].tier <= (tier := min(tier_of(r, searched[r]) for r in rates)):
                yield self.found(
                    name, _site(case, name), parameter=name, rate=f"{rates[0]}, tier={tier}"
                )


@final
class TooManyKnobs(Rule):
    """More parameters than the budget of trials can tell apart."""

    code = "L49"
    severity = Severity.INFO
    needs = ("space", "trials")

    def check(self, case: Case) -> Iterator[Finding]:
        """Below 10 trials one, below 25 two, else one for every ten trials and one more."""
        n_trials, n_knobs = case.subject.trials or 0, len(_searched(case))
        most = 1 if n_trials < 10 else 2 if n_trials < 25 else 1 + n_trials // 10
        if n_knobs > most:
            yield self.found(
                "", _site(case, ""), n_parameters=n_knobs, n_trials=n_trials, most=most
            )


@final
class RateNotLogarithmic(Rule):
    """A learning rate or weight decay over more than one order of magnitude, evenly."""

    code = "L69"
    severity = Severity.WARNING
    needs = ("space",)

    def check(self, case: Case) -> Iterator[Finding]:
        """Without log=True nine of ten points lie in the highest order of magnitude."""
        for name, domain in _searched(case).items():
            if not (_RATE.search(name) or re.search(r"^(weight_decay|wd|eps)$", name)):
                continue
            if (
                isinstance(domain, Float)
                and not domain.log
                and (domain.low <= 0 or domain.high / domain.low > _LOG_RATIO)
            ):
                if domain.low <= 0 and not _RATE.search(name):
                    continue  # a decay from exactly zero cannot be logarithmic
                yield self.found(name, _site(case, name), parameter=name, domain=str(domain))


@final
class RangeFarFromRecommended(Rule):
    """A range that reaches, or lies, far beyond everything that is recommended."""

    code = "L70"
    severity = Severity.WARNING
    needs = ("space",)

    def check(self, case: Case) -> Iterator[Finding]:
        """Ten times beyond an end; for rates of dropout, momentum and betas, beyond it at all."""
        for name, domain in _searched(case).items():
            known = next(
                (ends for pattern, ends in _RECOMMENDED.items() if pattern.search(name)), None
            )
            ends = _ends(domain)
            if known is None or ends is None:
                continue
            slack = 1.0 if _UNIT.search(name) else _FAR
            if ends[0] < known[0] / slack or ends[1] > known[1] * slack:
                yield self.found(
                    name,
                    _site(case, name),
                    parameter=name,
                    domain=str(domain),
                    expected=f"{known[0]:g}–{known[1]:g}",
                )


@final
class SeedSearched(Rule):
    """The seed as a hyperparameter: a search for luck."""

    code = "L71"
    severity = Severity.WARNING
    needs = ("space",)

    def check(self, case: Case) -> Iterator[Finding]:
        """By name."""
        for name, domain in _searched(case).items():
            if _SEED.search(name):
                yield self.found(name, _site(case, name), parameter=name, domain=str(domain))


@final
class EvenKernelOffered(Rule):
    """Even kernel sizes among the options of a search."""

    code = "L72"
    severity = Severity.WARNING
    needs = ("space",)

    def check(self, case: Case) -> Iterator[Finding]:
        """Choices of numbers or shapes, and Ints that step through even numbers."""
        for name, domain in _searched(case).items():
            if not _KERNEL.search(name):
                continue
            offered: list[Value] = []
            if isinstance(domain, Choice):
                offered = [o for o in domain.options if _is_even(o)]
            elif isinstance(domain, Int) and (domain.step % 2 or domain.low % 2 == 0):
                offered = [
                    v
                    for v in range(domain.low, min(domain.high, domain.low + 64) + 1, domain.step)
                    if _is_even(v)
                ]
            if offered:
                yield self.found(
                    name, _site(case, name), parameter=name, even=", ".join(map(str, offered[:4]))
                )


@final
class PairHeld(Rule):
    """A pair of numbers given for what is one number: a range without its kind."""

    code = "L73"
    severity = Severity.WARNING
    needs = ("space",)

    def check(self, case: Case) -> Iterator[Finding]:
        """Parameters whose range is known, held at two numbers of which the first is the lower."""
        for name, domain in case.subject.space.domains.items():
            if not isinstance(domain, Constant) or not any(r.search(name) for r in _RECOMMENDED):
                continue
            match domain.value:
                case (int() | float() as low, int() | float() as high) if low < high:
                    kind = "Int" if isinstance(low, int) and isinstance(high, int) else "Float"
                    yield self.found(
                        name,
                        _site(case, name, r"[(\[]"),
                        parameter=name,
                        value=str(domain.value),
                        range=f"luthier.{kind}({low:g}, {high:g}"
                        + (", log=True)" if 0 < low <= high / _LOG_RATIO else ")"),
                    )


@final
class NothingSearched(Rule):
    """Several trials asked for, of a space with one point."""

    code = "L74"
    severity = Severity.WARNING
    needs = ("space", "trials")

    def check(self, case: Case) -> Iterator[Finding]:
        """A space of constants, or none, beside a budget of more than one trial."""
        n_trials = case.subject.trials or 0
        if n_trials > 1 and not _searched(case):
            yield self.found("", _site(case, ""), n_trials=n_trials)


def _searched(case: Case) -> dict[str, Domain]:
    space = case.subject.space
    return {name: space.domains[name] for name in space.names}


def _ends(domain: Domain) -> tuple[float, float] | None:
    if isinstance(domain, Float | Int):
        return float(domain.low), float(domain.high)
    if isinstance(domain, Choice):
        numbers = [
            float(o)
            for o in domain.options
            if isinstance(o, int | float) and not isinstance(o, bool)
        ]
        if numbers and all(math.isfinite(n) for n in numbers):
            return min(numbers), max(numbers)
    return None


def _is_even(value: Value) -> bool:
    sizes = value if isinstance(value, tuple) else (value,)
    return any(isinstance(size, int) and size > 0 and size % 2 == 0 for size in sizes)


def _site(case: Case, name: str, value: str = r"(luthier\.)?(Float|Int|Choice)\b") -> Site | None:
    """The line of the script that gives the parameter such a value, by a string or a keyword."""
    source: Source | None = case.source
    if source is None:
        return case.subject.where
    named = (
        re.compile(rf"""["']{re.escape(name)}["']\s*:|\b{re.escape(name)}\s*=\s*{value}""")
        if name
        else re.compile(r"\bspace\s*=")
    )
    for number, line in enumerate(source.text.splitlines(), 1):
        if named.search(line):
            return Site(str(source.path), number)
    return case.subject.where


RULES = (
    DepthBeforeRate(),
    TooManyKnobs(),
    RateNotLogarithmic(),
    RangeFarFromRecommended(),
    SeedSearched(),
    EvenKernelOffered(),
    PairHeld(),
    NothingSearched(),
)
