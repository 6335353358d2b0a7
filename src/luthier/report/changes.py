"""The diary's highlights: what was changed while runs trained, by whom, and what came of it."""

import math
from collections import Counter

from luthier.core.action import Author, Change, Fork, Hold, Mark, Release, RollBack, kind_of
from luthier.core.ledger import Entry
from luthier.diary import Page, diary_of
from luthier.knowledge.reasons import reason_words
from luthier.report.case import Case
from luthier.report.document import Block, Paragraph, Section, Table
from luthier.report.numbers import value_words
from luthier.svg.axis import shown

_N_ROWS = 30
_MEANT = Change | RollBack | Fork | Mark | Hold | Release


def changes(case: Case) -> Section:
    """Changes, rollbacks, forks and marks, and all that humans asked for; the newest last."""
    w = case.words
    counts = Counter((e.action.author.value, kind_of(e.action)) for e in case.diary)
    said = ", ".join(f"{who} {kind} ×{n}" for (who, kind), n in counts.most_common())
    blocks: list[Block] = [Paragraph(w("diary_counts", counts=said))] if said else []
    told = [entry for entry in case.diary if _is_told(entry)]
    if not told:
        return Section("diary", w("diary"), (Paragraph(w("diary_none")), *blocks))
    chosen = told[-_N_ROWS:]
    runs = dict.fromkeys(entry.run_id for entry in chosen if entry.run_id in case.view.runs)
    pages = {page.entry.number: page for run_id in runs for page in diary_of(case.store, run_id)}
    head = tuple(w(f"head_{k}") for k in ("number", "run", "step", "who", "what", "why", "came"))
    rows = tuple(
        _row(case, pages.get(e.number) or Page(e, kind_of(e.action), *e.values)) for e in chosen
    )
    if len(told) > len(chosen):
        blocks.append(Paragraph(w("diary_more", shown=len(chosen), n=len(told))))
    blocks += [Table(head, rows, frozenset({0, 2})), Paragraph(w("diary_method"), quiet=True)]
    return Section("diary", w("diary"), tuple(blocks))


def _is_told(entry: Entry) -> bool:
    return isinstance(entry.action, _MEANT) or entry.action.author not in (
        Author.POLICY, Author.GUARD)  # fmt: skip


def _row(case: Case, page: Page) -> tuple[str, ...]:
    entry = page.entry
    what = f"{page.kind} {entry.parent} → {entry.run_id}" if entry.parent else page.kind
    for name, value in page.after.items():
        was = f"{value_words(page.before[name])} → " if name in page.before else ""
        what += f" {name} {was}{value_words(value)}"
    step = "" if entry.step is None else f"{entry.step:.4g}"
    return (str(entry.number), entry.run_id, step, entry.action.author.value, what,
            reason_words(entry.action.reason, case.words.lang), _came(case, page))  # fmt: skip


def _came(case: Case, page: Page) -> str:
    w, entry, judged = case.words, page.entry, page.verdict
    if entry.state == "refused":
        return w("refused", why=entry.why)
    if entry.state == "asked":
        return w("asked_only")
    words = []
    if judged is not None:
        words.append(w(judged.outcome))
        if math.isfinite(judged.expected) and math.isfinite(judged.observed):
            sign = case.study.loss(1.0)
            error = f" (±{judged.error:.2g})" if math.isfinite(judged.error) else ""
            words = [w("verdict", outcome=w(judged.outcome), metric=case.study.metric,
                       observed=shown(sign * judged.observed),
                       expected=shown(sign * judged.expected), error=error)]  # fmt: skip
    return "; ".join([*words, *([entry.why] if entry.why else [])])
