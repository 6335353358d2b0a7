"""Rules that look at a model and its training before it runs."""

import importlib
import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import final

from luthier.analysis.case import Case
from luthier.core.errors import OptionError
from luthier.lint.finding import Finding, Rule, Severity

# Families that need no torch come first: a study of another framework loads only those.
FAMILIES = (
    "space",
    "loop",
    "convolution",
    "dropout",
    "normalization",
    "activation",
    "loss",
    "rate",
    "decay",
    "optimizer",
    "weights",
    "data",
)
_TORCHLESS = ("space", "loop")
_IGNORE = re.compile(r"#\s*luthier:\s*ignore\[([A-Z0-9, ]+)\]")


@final
@dataclass(frozen=True, slots=True)
class Report:
    """What was found, the gravest first; `unchecked`: rule -> what it would have needed."""

    findings: tuple[Finding, ...]
    ignored: tuple[Finding, ...]
    unchecked: dict[str, str]
    error: str = ""  # what ended the trial step that the rules look at
    failed: Mapping[str, str] = field(default_factory=dict)  # rule -> error that it ended in
    noise: str = ""  # shape of the noise that the model ran on, where no batch was given

    @property
    def broken(self) -> str:
        """What ended the trial step on a batch of the user's own; "" on noise: that was a guess."""
        return "" if self.noise else self.error

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that stop a study."""
        return tuple(f for f in self.findings if f.severity is Severity.ERROR)


def rules(families: Collection[str] = FAMILIES) -> list[Rule]:
    """Every rule of the families, by code."""
    found: list[Rule] = []
    for family in families:
        found += importlib.import_module(f"luthier.lint.{family}").RULES
    return sorted(found, key=lambda rule: rule.code)


def lint(case: Case, *, ignore: Collection[str] = ()) -> Report:
    """Ask every rule that has what it needs; `ignore`: codes not to ask."""
    if ignore and (unknown := sorted(set(ignore) - {rule.code for rule in rules()})):
        raise OptionError(f"no rule {', '.join(unknown)} to ignore; expected codes such as L05.")
    given = _given(case)
    findings: list[Finding] = []
    unchecked: dict[str, str] = {}
    failed: dict[str, str] = {}
    for rule in rules(FAMILIES if "model" in given else _TORCHLESS):
        if rule.code in ignore:
            continue
        missing = [word for word in rule.needs if word not in given]
        if missing:
            unchecked[rule.code] = ", ".join(missing)
        else:
            with warnings.catch_warnings():  # what torch warns of, the rules say with a place
                warnings.simplefilter("ignore")
                try:
                    findings += rule.check(case)
                except Exception as raised:  # a look at the user's objects runs the user's code
                    failed[rule.code] = f"{type(raised).__name__}: {raised}"
    findings.sort(key=lambda f: (f.severity.rank, f.code, f.site.line if f.site else 0, f.path))
    ignored = [finding for finding in findings if _is_ignored(finding)]
    kept = tuple(finding for finding in findings if finding not in ignored)
    error = case.run.error if "runnable model" in given else ""
    noise = case.noise if "model" in given else ""
    return Report(kept, tuple(ignored), unchecked, error, failed, noise)


def _given(case: Case) -> set[str]:
    it = case.subject
    words = {
        "model": it.model is not None,
        "batch": it.model is not None and case.has_batch,
        "runnable model": it.model is not None and case.has_flow,
        "loss": it.loss is not None,
        "optimizer": bool(it.optimizers),
        "scheduler": bool(it.schedulers),
        "loader": it.loader is not None,
        "val_loader": it.val_loader is not None,
        "epochs": it.epochs is not None,
        "batch size": it.model is not None and case.n_examples is not None,
        "source": case.source is not None,
        "space": it.space is not None,
        "trials": it.trials is not None,
    }
    return {word for word, is_there in words.items() if is_there}


def _is_ignored(finding: Finding) -> bool:
    """Whether its line, or a comment line right above, says `# luthier: ignore[CODE] reason`."""
    return finding.site is not None and any(
        finding.code in codes for codes in _ignores(finding.site.file, finding.site.line)
    )


def _ignores(file: str, line: int) -> Iterator[list[str]]:
    import linecache

    above = linecache.getline(file, line - 1)
    for text in (linecache.getline(file, line), above if above.lstrip().startswith("#") else ""):
        for match in _IGNORE.finditer(text):
            yield [code.strip() for code in match[1].split(",")]
