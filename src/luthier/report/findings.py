"""What was found before the start: as recorded, else looked for again in the script."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from luthier.core.errors import LuthierError
from luthier.report.case import Case
from luthier.report.document import Block, Paragraph, Section, Table

_TIMEOUT_S = 120


def findings(case: Case) -> Section:
    """The findings of `luthier lint`, and when they were made."""
    w = case.words
    recorded = case.recipe.get("lint")
    target = str(case.recipe.get("target") or "")
    script = Path(target.partition(":")[0])
    blocks: list[Block]
    if isinstance(recorded, list):
        blocks = [Paragraph(w("lint_recorded")), *_table(case, recorded)]
    elif not target or target.startswith("pickle:") or not script.is_file():
        blocks = [Paragraph(w("lint_no_script"))]
    else:
        found = _again(target)
        blocks = (
            [Paragraph(w("lint_failed", why=found))]
            if isinstance(found, str)
            else [Paragraph(w("lint_again")), *_table(case, found)]
        )
    return Section("findings", w("findings"), tuple(blocks))


def _again(target: str) -> list[dict[str, Any]] | str:
    """The findings, or why there are none: in a process of its own, since the script is run."""
    command = [sys.executable, "-m", "luthier", "lint", target, "--json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S)
        found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])["findings"]
    except subprocess.TimeoutExpired:
        return f"it took more than {_TIMEOUT_S} s"
    except (ValueError, LookupError, OSError):
        return (done.stderr.strip().splitlines() or ["no answer"])[-1]
    return found


def _table(case: Case, found: list[dict[str, Any]]) -> list[Block]:
    w = case.words
    if not found:
        return [Paragraph(w("lint_none"))]
    head = tuple(w(f"head_{key}") for key in ("severity", "rule", "where", "found"))
    rows = tuple(
        (w(row["severity"]) if w.has(row["severity"]) else row["severity"],
         f"{row['rule']} {row['name']}", _where(row), _said(row, w.lang))
        for row in found
    )  # fmt: skip
    return [Table(head, rows)]


def _where(row: Mapping[str, Any]) -> str:
    """Module and line, the file by its name alone: folders are nobody's business."""
    line = f"{Path(row['file']).name}:{row['line']}" if row.get("file") else ""
    return " ".join(part for part in (row.get("module"), line) if part)


def _said(row: Mapping[str, Any], lang: str) -> str:
    """The finding in the report's language; as recorded when its rule is no more."""
    from luthier.lint.finding import Finding, Severity
    from luthier.lint.words import said

    evidence = {k: tuple(v) if isinstance(v, list) else v for k, v in row["evidence"].items()}
    try:
        finding = Finding(row["rule"], Severity(row["severity"]), evidence=evidence)
        return said(finding, lang)
    except (LookupError, ValueError, LuthierError):
        return str(row["found"])
