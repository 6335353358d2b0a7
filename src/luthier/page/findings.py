"""What is wrong with a run, in both languages, with changes that may be asked for."""

import time
from collections.abc import Mapping
from typing import Any

from luthier.core.domain import Value
from luthier.core.study import Run, RunState
from luthier.diagnosis import Evidence, Finding, Remedy, Severity, diagnose
from luthier.knowledge import LANGUAGES
from luthier.knowledge.findings import FindingText, evidence_words, finding_texts
from luthier.page.book import Book
from luthier.page.plain import number


def evidence_of(book: Book, run: Run) -> Evidence:
    """What is known of a run."""
    idle_s = None
    if run.state is RunState.RUNNING:
        wire = book.store.paths.run(run.id).wire
        idle_s = time.time() - wire.stat().st_mtime if wire.exists() else None
    return Evidence(
        book.store.metrics(run.id), params=run.params, max_steps=book.view.study.max_steps,
        idle_s=idle_s,
    )  # fmt: skip


def findings_json(evidence: Evidence, run_id: str, live: set[str]) -> list[dict[str, Any]]:
    """The findings, that which explains most first."""
    return [_finding(found, evidence, run_id, live) for found in diagnose(evidence)]


def _finding(found: Finding, evidence: Evidence, run_id: str, live: set[str]) -> dict[str, Any]:
    text = finding_texts()[found.id]
    names = {lang: evidence_words(lang) for lang in LANGUAGES}
    remedies = [_remedy(r, evidence.known_params, run_id, live) for r in found.remedies]
    if found.is_alarm:
        remedies.append({"words": dict(text.fix), "name": None, "value": None, "command": None})
    return {
        "id": found.id,
        "name": _title(text),
        "words": dict(text.what),
        "severity": Severity(found.severity).name.lower(),
        "confidence": found.confidence,
        "onset": number(found.onset),
        "evidence": [
            {
                "name": fact.name,
                "words": {lang: _fact(names[lang][fact.name], fact.value, fact.limit, lang)
                          for lang in LANGUAGES},
                "value": number(fact.value),
                "limit": number(fact.limit),
            }
            for fact in found.evidence
        ],
        "causes": [
            {"words": {lang: text.causes[lang][cause] for lang in LANGUAGES}}
            for cause in found.causes
        ],
        "remedies": remedies,
    }  # fmt: skip


def _title(text: FindingText) -> dict[str, str]:
    """The name of the finding; Chinese has none of its own, so its first clause stands for it."""
    clause = text.what["zh"]
    for mark in "。，；：":
        clause = clause.partition(mark)[0]
    return {"en": text.name.replace("-", " "), "zh": clause}


def _fact(words: str, value: float, limit: float | None, lang: str) -> str:
    told = f"{words}: {value:.3g}"
    if limit is not None:
        told += f" (limit {limit:.3g})" if lang == "en" else f"（界限 {limit:.3g}）"
    return told


def _remedy(
    remedy: Remedy, params: Mapping[str, Value], run_id: str, live: set[str]
) -> dict[str, Any]:
    target = remedy.target(params)
    change = f"{remedy.name} ×{remedy.factor:g}" if remedy.factor is not None else (
        f"{remedy.name} = {remedy.value:g}"
    )  # fmt: skip
    asked = target is not None and remedy.name in live
    command = f"luthier set {run_id} {remedy.name}={target:g}" if asked else None
    return {
        "words": {"en": change, "zh": change},
        "name": remedy.name,
        "value": number(target),
        "command": command,
    }
