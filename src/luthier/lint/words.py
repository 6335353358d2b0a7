"""Findings as text, as JSON data, and as annotations of GitHub."""

import os
from collections.abc import Mapping
from typing import Any

from luthier.knowledge.rules import rule_texts
from luthier.lint import Report
from luthier.lint.finding import Finding, Severity

_NOTICE = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def said(finding: Finding, lang: str = "en") -> str:
    """What was found, in one sentence."""
    shown = {name: _shown(value) for name, value in finding.evidence.items()}
    return rule_texts()[finding.code].found[lang].format(**shown)


def where(finding: Finding) -> str:
    """`file:line`, relative to the working folder where it lies in it."""
    if finding.site is None:
        return "-"
    relative = os.path.relpath(finding.site.file)
    file = finding.site.file if relative.startswith("..") else relative
    return f"{file}:{finding.site.line}"


def before_study(report: Report) -> str:
    """Errors and warnings in a line each, notes counted; "" when there is neither."""
    grave = [f for f in report.findings if f.severity is not Severity.INFO]
    lines = [
        f"{where(f)}: {f.severity} {f.code} {_at(f)}{said(f)} ({rule_texts()[f.code].name})"
        for f in grave
    ]
    if n := len(report.findings) - len(grave):
        lines.append(f"{n} {'note' if n == 1 else 'notes'}: luthier lint shows them")
    return "\n".join(lines) if grave else ""


def as_json(report: Report, lang: str = "en") -> dict[str, Any]:
    """The report as JSON data."""
    return {
        "findings": [_row(finding, lang) for finding in report.findings],
        "ignored": [_row(finding, lang) for finding in report.ignored],
        "unchecked": report.unchecked,
        "failed": dict(report.failed),
        "run_error": report.error,
        "noise": report.noise,
    }


def as_github(report: Report, lang: str = "en") -> str:
    """One workflow command per finding."""
    lines = []
    for finding in report.findings:
        text = rule_texts()[finding.code]
        file, _, line = where(finding).rpartition(":")
        place = f"file={_escaped(file)},line={line}," if finding.site else ""
        message = _escaped(f"{_at(finding)}{said(finding, lang)}. {text.fix[lang]}")
        title = f"title={finding.code} {text.name}"
        lines.append(f"::{_NOTICE[finding.severity]} {place}{title}::{message}")
    if report.broken:
        words = _escaped(f"the trial step on the batch failed: {report.broken}")
        lines.append(f"::error title=batch::{words}")
    return "\n".join(lines)


def _row(finding: Finding, lang: str) -> dict[str, Any]:
    text = rule_texts()[finding.code]
    return {
        "rule": finding.code,
        "name": text.name,
        "severity": finding.severity.value,
        "module": finding.path,
        "file": finding.site.file if finding.site else None,
        "line": finding.site.line if finding.site else None,
        "found": said(finding, lang),
        "fix": text.fix[lang],
        "evidence": _plain(finding.evidence),
    }


def _at(finding: Finding) -> str:
    return f"{finding.path}: " if finding.path else ""


def _shown(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "x".join(map(str, value)) if isinstance(value, tuple) else value


def _plain(evidence: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in evidence.items()
    }


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
