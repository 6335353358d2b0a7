"""What was left early, what that saved, and what it may have cost."""

from luthier.knowledge.reasons import reason_words
from luthier.report.case import Case
from luthier.report.document import Block, Paragraph, Section, Table
from luthier.report.numbers import percent, seconds_words
from luthier.svg.axis import shown
from luthier.what_if import N_LEAST

_N_ROWS = 8


def stopping(case: Case) -> Section:
    """The balance of `luthier what-if` in words."""
    w, told = case.words, case.balance
    if not told.n_left:
        return Section("stopping", w("stopping"), (Paragraph(w("stop_none")),))
    whole = told.steps_saved + told.steps_spent
    blocks: list[Block] = [
        Paragraph(
            w("stop_words", n=told.n_left, full=f"{told.full_steps:g}", finished=told.n_finished,
              saved=f"{told.steps_saved:,.0f}", share=percent(told.steps_saved / (whole or 1.0)),
              all=f"{whole:,.0f}", time=seconds_words(told.seconds_saved))
        )
    ]  # fmt: skip
    if told.p_better is not None and told.missed is not None and told.missed_90 is not None:
        blocks.append(
            Paragraph(
                w("stop_cost", p=percent(told.p_better), missed=shown(told.missed),
                  metric=told.metric, missed_90=shown(told.missed_90))
            )
        )  # fmt: skip
    elif told.n_finished < N_LEAST:
        blocks.append(Paragraph(w("stop_unknown", finished=told.n_finished, least=N_LEAST)))
    else:
        blocks.append(Paragraph(w("stop_silent")))
    order = sorted(told.left, key=lambda r: (-(r.p_better or 0.0), -(r.recorded_p_best or 0.0)))
    head = (w("head_trial"), w("head_left"), told.metric, w("head_recorded"), w("head_now"),
            w("head_reason"))  # fmt: skip
    rows = tuple(
        (str(r.trial), f"{r.step:g}", "–" if r.value is None else shown(r.value),
         percent(r.recorded_p_best),
         percent(r.p_better), reason_words(r.reason, w.lang))
        for r in order[:_N_ROWS]
    )  # fmt: skip
    blocks += [Paragraph(w("stop_table")), Table(head, rows, frozenset(range(5)))]
    return Section("stopping", w("stopping"), tuple(blocks))
