"""`luthier diagnose`: what is wrong with a run, in words, or as JSON."""

import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

from luthier.core.domain import Value
from luthier.core.errors import StudyError
from luthier.core.study import RunState
from luthier.curve_files import read_curves
from luthier.diagnosis import Evidence, Fact, Finding, Remedy, Severity, diagnose
from luthier.diagnosis.generalization import Generalization, generalization
from luthier.knowledge.findings import evidence_words, finding_texts
from luthier.sitting import DEFAULT_STORE

_WORDS = {
    "en": {
        "severity": ("note", "warning", "critical"),
        "nothing": "nothing to find fault with",
        "unseen": "no curve of a loss was found; names such as train_loss and val_loss are known",
        "from": "from step {:g}",
        "limit": "limit",
        "causes": "likely causes",
        "fix": "what to do",
        "try": "try",
        "or": "or",
        "more": "luthier explain",
        "view": "generalization",
        "empirical": "training loss",
        "expected": "validation loss",
        "gap": "gap",
        "best": "lowest, smoothed",
        "growing": "growing",
        "steady": "steady",
        "shrinking": "shrinking",
        "forecast": "at the end about",
        "fit": "work on the fit: the training loss itself is high",
        "regularize": "work on the gap: regularize, or get more data",
        "continue": "go on: validation still gets better, or little is left to gain",
        "unknown": "no side stands out",
        "knobs": "knobs, in order",
    },
    "zh": {
        "severity": ("提示", "警告", "严重"),
        "nothing": "没有发现问题",
        "unseen": "没有找到损失曲线；可识别 train_loss、val_loss 之类的名字",
        "from": "自第 {:g} 步起",
        "limit": "界限",
        "causes": "可能的原因",
        "fix": "怎么办",
        "try": "可试",
        "or": "或",
        "more": "luthier explain",
        "view": "泛化",
        "empirical": "训练损失",
        "expected": "验证损失",
        "gap": "差距",
        "best": "平滑后最低",
        "growing": "在扩大",
        "steady": "稳定",
        "shrinking": "在缩小",
        "forecast": "结束时约为",
        "fit": "先改善拟合：训练损失本身就高",
        "regularize": "先缩小差距：加强正则化，或增加数据",
        "continue": "继续训练：验证仍在改善，或所剩无几",
        "unknown": "没有哪一侧更突出",
        "knobs": "依次可调",
    },
}


def diagnose_words(
    what: str, store: str, *, as_json: bool, lang: str, n_classes: int | None
) -> str:
    """The report on a file or a run."""
    evidence, hand = evidence_of(what, store, n_classes)
    findings, view = diagnose(evidence), generalization(evidence)
    if as_json:
        return json.dumps(_plain({
            "findings": [_json(finding, evidence, hand, lang) for finding in findings],
            "generalization": asdict(view) if view else None,
            "healthy": not any(finding.is_alarm for finding in findings),
        }), ensure_ascii=False)  # fmt: skip
    words = _WORDS[lang]
    lines: list[str] = []
    for finding in findings:
        lines += [*finding_lines(finding, evidence, hand, lang), ""]
    if not any(finding.is_alarm for finding in findings):
        seen = len(evidence.train_loss) or len(evidence.val_loss)
        lines = [str(words["nothing" if seen else "unseen"]), "", *lines]
    if view is not None:
        lines += view_lines(view, lang)
    return "\n".join(lines).rstrip()


@final
@dataclass(frozen=True, slots=True)
class Hand:
    """What can be changed in a run that still trains or may go on."""

    run: str  # as `luthier set` takes it
    live: frozenset[str]  # names of parameters


def evidence_of(
    what: str, store: str, n_classes: int | None = None
) -> tuple[Evidence, Hand | None]:
    """What is known of a file or of `STUDY/TRIAL`, TRIAL, or a run's id; None for the hand where
    nothing can be changed any more."""
    path = Path(what)
    if path.exists() or path.suffix in (".csv", ".tsv", ".jsonl", ".json") or "tfevents" in what:
        return Evidence(read_curves(path), n_classes=n_classes), None
    from luthier import api

    study, _, name = what.rpartition("/")
    result = api.open_study(store, study or None)
    view = result.view
    trial = view.current().get(int(name)) if name.isdigit() else view.runs.get(name)
    if trial is None:
        raise StudyError(
            f"{what!r} is neither a file nor a run of study {result.name!r}; it has "
            + (f"{len(view.runs)} runs, such as {next(iter(view.runs))}." if view.runs else "none.")
        )
    idle_s = None
    if trial.state is RunState.RUNNING:
        wire = result.store.paths.run(trial.id).wire
        idle_s = time.time() - wire.stat().st_mtime if wire.exists() else None
    curves = result.store.metrics(trial.id)
    evidence = Evidence(curves, params=trial.params, max_steps=view.study.max_steps,
                        n_classes=n_classes, idle_s=idle_s)  # fmt: skip
    if trial.state.ended:
        return evidence, None
    where = "" if store == DEFAULT_STORE else f"--store {store} "
    live = frozenset(name for name, domain in view.study.space.domains.items() if domain.live)
    return evidence, Hand(f"{where}{result.name}/{trial.id}", live)


def finding_lines(finding: Finding, evidence: Evidence, hand: Hand | None, lang: str) -> list[str]:
    """A finding in words: what, the numbers, the causes, and the command that changes something."""
    words, text = _WORDS[lang], finding_texts()[finding.id]
    lines = [
        f"{finding.id} {text.name}  {words['severity'][finding.severity]}, "
        f"{finding.confidence:.0%}, " + str(words["from"]).format(finding.onset),
        f"  {text.what[lang]}",
    ]
    names = evidence_words(lang)
    lines += [f"    {_fact(fact, names, str(words['limit']))}"
              for fact in finding.evidence if math.isfinite(fact.value)]  # fmt: skip
    if not finding.is_alarm:
        return lines
    causes = [text.causes[lang][cause] for cause in finding.causes]
    lines.append(f"  {words['causes']}: " + "; ".join(
        f"{i}. {cause}" for i, cause in enumerate(causes, start=1)))  # fmt: skip
    lines.append(f"  {words['fix']}: {text.fix[lang]}")
    told = f" {words['or']} ".join(
        command(r, evidence.known_params, hand) for r in finding.remedies
    )
    if told:
        lines.append(f"  {words['try']}: {told}")
    return lines


def view_lines(view: Generalization, lang: str) -> list[str]:
    """Empirical against expected risk, and on which side to work."""
    words = _WORDS[lang]
    way = "growing" if view.gap_trend > 2 else "shrinking" if view.gap_trend < -2 else "steady"
    ahead = f", {words['forecast']} {view.gap_forecast:.4g}" if math.isfinite(
        view.gap_forecast) else ""  # fmt: skip
    lines = [
        str(words["view"]),
        f"  {words['empirical']} {view.empirical:.4g}, {words['expected']} {view.expected:.4g} "
        f"({words['best']} {view.best_expected:.4g}), {words['gap']} {view.gap:.4g}, "
        f"{words[way]}{ahead}",
        f"  {words[view.side]}",
    ]
    if view.knobs:
        lines.append(f"  {words['knobs']}: " + ", ".join(_change(knob) for knob in view.knobs))
    return lines


def command(remedy: Remedy, params: Mapping[str, Value], hand: Hand | None) -> str:
    """The change as a command where it can be made and the value is known, else in short."""
    target = remedy.target(params)
    if (
        hand is not None
        and target is not None
        and remedy.name in params
        and remedy.name in hand.live
    ):
        return f"luthier set {hand.run} {remedy.name}={target:g}"
    return _change(remedy) if target is None else f"{remedy.name}={target:g}"


def _change(remedy: Remedy) -> str:
    if remedy.value is not None:
        return f"{remedy.name}={remedy.value:g}"
    return f"{remedy.name} ×{remedy.factor:g}"


def _fact(fact: Fact, names: Mapping[str, str], limit: str) -> str:
    told = f"{names[fact.name]}: {fact.value:.3g}"
    if fact.limit is not None and math.isfinite(fact.limit):
        told += f"  ({limit} {fact.limit:.3g})"
    return told


def _json(finding: Finding, evidence: Evidence, hand: Hand | None, lang: str) -> dict[str, Any]:
    text = finding_texts()[finding.id]
    return {
        "id": finding.id,
        "name": text.name,
        "severity": Severity(finding.severity).name.lower(),
        "confidence": finding.confidence,
        "onset": finding.onset,
        "evidence": [asdict(fact) for fact in finding.evidence],
        "what": text.what[lang],
        "causes": [{"cause": c, "text": text.causes[lang][c]} for c in finding.causes],
        "fix": text.fix[lang],
        "remedies": [asdict(r) | {"command": command(r, evidence.known_params, hand)}
                     for r in finding.remedies],
    }  # fmt: skip


def _plain(thing: Any) -> Any:  # noqa: ANN401
    """NaN and infinities by name: JSON has no such numbers."""
    if isinstance(thing, dict):
        return {key: _plain(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [_plain(value) for value in thing]
    if isinstance(thing, float) and not math.isfinite(thing):
        return str(thing)
    return thing
