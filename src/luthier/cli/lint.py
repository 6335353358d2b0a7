"""`luthier lint`: look at a model and its training before it runs."""

import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from luthier.analysis.case import Case
    from luthier.lint import Report
    from luthier.lint.finding import Finding

_PIECE = re.compile(r"[\u3000-\uffef]|[^\s\u3000-\uffef]+\s*|\s+")  # where a line may break
_COLORS = {"error": "red", "warning": "yellow", "info": "cyan"}


@click.command()
@click.argument("target", metavar="SCRIPT[:BUILD]")
@click.option("--format", "form", type=click.Choice(["text", "json", "github"]), default="text")
@click.option("--json", "as_json", is_flag=True, help="Short for --format json.")
@click.option("--ignore", default="", metavar="L05,L23", help="Rules not to ask.")
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True)
def lint(target: str, form: str, as_json: bool, ignore: str, lang: str) -> None:
    """Look for mistakes in a model, its optimizer, loss, data, training loop and search space.

    BUILD is a function or object of the script: a model, (model, batch), or a mapping with model
    and any of batch, loss, optimizer, scheduler, loader, val_loader, epochs, accumulation,
    pretrained. Without BUILD: the script's loop, its space, and its function `build`, if any.
    A function under @luthier.tune is run up to its loop; what it attached is looked at. Ends with
    exit code 1 if there are errors, or if the model cannot take its batch.
    """
    from luthier.lint import lint as ask
    from luthier.lint.words import as_github
    from luthier.lint.words import as_json as to_json

    case, missing = examine(target)
    codes = [code.strip().upper() for code in ignore.split(",") if code.strip()]
    report = ask(case, ignore=codes)
    if as_json or form == "json":
        click.echo(json.dumps(to_json(report, lang), ensure_ascii=False))
    elif form == "github":
        click.echo(as_github(report, lang))
    else:
        click.echo(report_words(report, lang, missing))
    sys.exit(1 if report.errors or report.broken else 0)


def examine(target: str) -> tuple["Case", str]:
    """The case that `target` names, and why there is no model in it ("" when there is one).

    A function under @luthier.tune is run up to its loop, with the priors of its space.
    """
    from luthier.analysis.case import Case
    from luthier.analysis.sites import Sites, recording
    from luthier.analysis.subject import build_subject
    from luthier.core.space import Space
    from luthier.lint.study import case_of_study
    from luthier.worker.target import load_module, load_target

    source, _, name = target.partition(":")
    sites = Sites()
    with recording(sites):
        module = load_module(source)
        given = load_target(target) if name else None
    tunable = tunable_of(module)
    params = tunable.space.default() if tunable is not None else {}
    if given is None:
        return case_of_study(tunable.space if tunable is not None else Space({}), module)
    if getattr(given, "is_luthier_tunable", False):
        return _case_of_training(given, module, sites)
    file = getattr(module, "__file__", None)
    with _users_code(target):
        subject = build_subject(given, Path(file) if file else None, params=params, sites=sites)
    return Case(subject), ""


@contextmanager
def _users_code(target: str) -> Iterator[None]:
    """Errors of the user's own code come with their traceback, without ours."""
    from luthier.core.errors import LuthierError, TrainingError
    from luthier.worker.target import user_traceback

    try:
        yield
    except LuthierError:
        raise
    except Exception as error:
        raise TrainingError(
            f"{target} raised {type(error).__name__}: {error}.", user_traceback(error)
        ) from error


def _case_of_training(tunable: Any, module: Any, sites: Any) -> tuple["Case", str]:  # noqa: ANN401
    from luthier.analysis.case import Case, untouched
    from luthier.analysis.sites import recording
    from luthier.analysis.subject import Subject, sort_out
    from luthier.core.errors import TargetError
    from luthier.worker.rehearsal import rehearse

    params = tunable.space.default()
    with _users_code(tunable.__name__), recording(sites), untouched():
        things = rehearse(tunable.function, params)
    script = Path(module.__file__) if getattr(module, "__file__", None) else None
    more = {"space": tunable.space, "epochs": tunable.max_steps,
            "batch_size": params.get("batch_size")}  # fmt: skip
    try:
        return Case(sort_out({**more, **things}, script, sites)), ""
    except TargetError:
        case = Case(Subject(space=tunable.space, script=script))
        return case, _without_a_model(tunable.__name__, things)


def _without_a_model(name: str, things: Mapping[str, Any]) -> str:
    if not things:
        return f"{name}() attached nothing before its loop"
    return f"{name}() attached {', '.join(things)} before its loop, and no model="


def tunable_of(module: Any) -> Any:  # noqa: ANN401  a module; its one api.Tunable
    """The script's function under @luthier.tune, None when there is none or several."""
    found = [it for it in vars(module).values() if getattr(it, "is_luthier_tunable", False)]
    return found[0] if len(found) == 1 else None


def report_words(report: "Report", lang: str, missing: str = "", width: int = 0) -> str:
    """The findings as text, wrapped to the terminal."""
    from luthier.knowledge.rules import rule_texts
    from luthier.lint.words import said, where

    width = width or min(120, shutil.get_terminal_size((100, 24)).columns)
    lines = []
    for alike in _together(report.findings):
        finding, text = alike[0], rule_texts()[alike[0].code]
        severity = click.style(finding.severity.value, fg=_COLORS[finding.severity], bold=True)
        at = f"  {finding.path}" if finding.path else ""
        lines.append(f"{where(finding)}: {severity} {finding.code} {text.name}{at}")
        lines += _wrapped(said(finding, lang), width, "    ")
        if len(alike) > 1:
            others = ", ".join(dict.fromkeys(f.path for f in alike[1:]))
            lines += _wrapped(f"also: {others}", width, "    ")
        lines += _wrapped(text.fix[lang], width, "    → ")
    return "\n".join([*lines, *_summary(report, missing, width)])


def _together(findings: "tuple[Finding, ...]") -> "list[list[Finding]]":
    """Findings of one rule on one line of the script, as a loop makes them."""
    groups: dict[object, list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.code, finding.severity, finding.site), []).append(finding)
    return list(groups.values())


def _summary(report: "Report", missing: str, width: int) -> list[str]:
    counts = {"error": 0, "warning": 0, "info": 0}
    for finding in report.findings:
        counts[finding.severity.value] += 1
    parts = [f"{n} {word if word == 'info' else word + 's' * (n != 1)}"
             for word, n in counts.items()]  # fmt: skip
    if report.ignored:
        parts.append(f"{len(report.ignored)} ignored")
    lines = ["", ", ".join(parts)] if report.findings else [", ".join(parts)]
    if report.broken:
        lines += _wrapped(f"error: the trial step on the batch failed: {report.broken}", width, "")
    elif report.error:
        lines += _wrapped(f"the trial step ended early: {report.error}", width, "")
    for code, why in report.failed.items():
        lines += _wrapped(f"{code} could not be asked: {why}", width, "")
    if report.noise:
        lines += _wrapped(
            f"no batch was given: the model ran on noise of {report.noise}", width, ""
        )
    if report.unchecked:
        needs = dict.fromkeys(n for text in report.unchecked.values() for n in text.split(", "))
        text = f"{len(report.unchecked)} rules were not asked; they also need: {', '.join(needs)}"
        lines += _wrapped(f"{text} (--json says which)", width, "")
    if missing:
        lines += _wrapped(f"no model was looked at: {missing}", width, "")
    return lines


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    """Lines of at most `width` columns; a Chinese character takes two and may end a line."""
    from rich.cells import cell_len

    lines, line = [], ""
    for piece in _PIECE.findall(text):
        if line and cell_len(indent + line + piece.rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += piece
    lines.append(line.rstrip())
    space = " " * len(indent)
    return [(indent if n == 0 else space) + part for n, part in enumerate(lines)]
