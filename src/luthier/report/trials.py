"""All trials: their curves in one picture, the first of them in a table, the errors of others."""

import numpy as np

from luthier.core.curve import Curve
from luthier.core.domain import Value
from luthier.core.short import error_line, step_words
from luthier.core.study import Run, RunState, Study
from luthier.report.case import Case
from luthier.report.document import Block, Code, Paragraph, Picture, Section, Table
from luthier.report.numbers import value_words
from luthier.svg.axis import axis_of, loss_axis, shown
from luthier.svg.chart import BLUE, GREY, ORANGE, RED, Line, chart

_N_CURVES, _N_POINTS = 300, 60
_N_ROWS, _N_ERRORS = 20, 3
_N_COLUMNS = 5  # of parameters, that a printed page has room for


def trials(case: Case) -> Section:
    """Curves, table, errors."""
    w = case.words
    blocks: list[Block] = []
    if sum(len(run.curve) > 0 for run in case.ranked) > 1:
        blocks.append(_curves(case))
    blocks += _table(case, case.ranked, "table_trials")
    blocks += _table(case, case.probes, "table_probes")
    failed = [run for run in case.ranked if run.state is RunState.FAILED and run.error]
    if failed:
        last: dict[str, str] = {}  # one for each kind of error
        for run in failed:
            line = error_line(run.error)
            last.setdefault(line, f"{w('trial', n=run.trial)}: {line}")
        blocks += [Paragraph(w("errors")), Code("\n".join([*last.values()][:_N_ERRORS]))]
    return Section("trials", w("curves"), tuple(blocks))


def _curves(case: Case) -> Picture:
    w = case.words
    ranked = [run for run in case.ranked if len(run.curve)]
    chosen = ranked
    if len(ranked) > _N_CURVES:  # the leaders, and an even choice of the others
        lead = _N_CURVES // 4
        rest = np.linspace(lead, len(ranked) - 1, _N_CURVES - lead).round().astype(int)
        chosen = [*ranked[:lead], *(ranked[i] for i in np.unique(rest))]
    tenth = len(ranked) // 10
    groups: dict[str, list[Run]] = {"others": [], "failed": [], "leading": []}
    for place, run in enumerate(chosen[1:], start=1):
        broken = run.state in (RunState.FAILED, RunState.LOST)
        groups["failed" if broken else "leading" if place <= tenth else "others"].append(run)
    colors = {"others": (GREY, 0.45), "failed": (RED, 0.7), "leading": (BLUE, 0.8)}
    lines = []
    for kind, runs in groups.items():
        color, opacity = colors[kind]
        for run in runs:
            curve = _thin(case.values(run))
            name = w(kind) if run is runs[0] else ""
            lines.append(Line(curve.steps, curve.values, color, 1.1, opacity, name,
                              dashed=kind == "failed"))  # fmt: skip
    best = case.values(chosen[0])
    lines.append(Line(best.steps, best.values, ORANGE, 2.6, name=w("trial", n=chosen[0].trial)))
    x = axis_of(np.concatenate([line.x for line in lines]), w("step"))
    y = loss_axis([line.y for line in lines], case.study.metric, case.study.loss(1.0))
    caption = w("all_curves", metric=case.study.metric, shown=len(chosen), n=len(case.ranked))
    return Picture("all-curves", chart(lines, x, y, title=caption, width=900, height=360), caption)


def _thin(curve: Curve) -> Curve:
    """Few enough points that a thousand curves fit into a file."""
    if len(curve) <= _N_POINTS:
        return curve
    chosen = np.unique(np.linspace(0, len(curve) - 1, _N_POINTS).round().astype(int))
    return Curve(curve.steps[chosen], curve.values[chosen])


def _table(case: Case, runs: list[Run], said: str) -> list[Block]:
    w, study = case.words, case.study
    names = list(study.space.names)
    few = len(names) <= _N_COLUMNS
    head = [w("head_trial"), study.metric, w("head_at"), w("head_steps"), w("head_state"),
            *(names if few else [w("head_params")])]  # fmt: skip
    rows = tuple(
        (str(run.trial), *_best(study, run),
         f"{run.step:g}", w("state_" + run.state.value), *_params(run, names, few))
        for run in runs[:_N_ROWS]
    )  # fmt: skip
    numbers = {0, 1, 2, 3} | {
        5 + i for i, n in enumerate(names)
        if few and all(isinstance(r.params.get(n, 0), int | float) for r in runs[:_N_ROWS])
    }  # fmt: skip
    marked = frozenset({0} if case.standing and runs is case.ranked else ())
    table = Table(tuple(head), rows, frozenset(numbers), marked)
    return [Paragraph(w(said, shown=len(rows), n=len(runs))), table] if rows else []


def _params(run: Run, names: list[str], few: bool) -> tuple[str, ...]:
    """A cell for each, or one for all where a page would be too narrow."""
    cells = [_brief(run.params[n]) if n in run.params else "" for n in names]
    if few:
        return tuple(cells)
    return (", ".join(f"{n} {cell}" for n, cell in zip(names, cells, strict=True) if cell),)


def _brief(value: Value) -> str:
    return value_words(float(f"{value:.3g}") if isinstance(value, float) else value)


def _best(study: Study, run: Run) -> tuple[str, str]:
    """Its best value and the step of it; a dash for a run that reported nothing."""
    if not len(run.own_curve):
        return "–", "–"
    return shown(study.loss(run.best_loss)), step_words(run.best_step)
