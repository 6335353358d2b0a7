"""What studies and runs look like in a notebook's cell: small, escaped, one curve."""

import html
import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from luthier.core.domain import Value
from luthier.core.short import short
from luthier.core.study import Run, Study, StudyView
from luthier.svg.axis import shown
from luthier.svg.chart import sparkline

_N_ROWS = 5
_CELL = "padding:2px 10px 2px 0;text-align:left;white-space:nowrap"


def study_text(view: StudyView) -> str:
    """One line: name, counts, the best."""
    study, best = view.study, view.best()
    words = f"<study {study.name!r}: {_states(view)}"
    if best is None:
        return words + ">"
    value = study.loss(best.best_loss)
    return f"{words}; best {study.metric} {shown(value)} in trial {best.trial}>"


def run_text(study: Study, run: Run, word: str = "run") -> str:
    """One line: trial, state, value, parameters."""
    return (
        f"<{word} {study.name}/{run.trial}: {run.state.value} at step {run.step:g}; best "
        f"{study.metric} {shown(study.loss(run.best_loss))}; {_params(run.params)}>"
    )


def study_html(view: StudyView) -> str:
    """The best so far over the trials, and the best few."""
    study = view.study
    runs = list(view.results().values())
    losses = np.array([run.best_loss for run in runs])
    so_far = np.minimum.accumulate(np.where(np.isfinite(losses), losses, np.inf))
    so_far = np.where(np.isfinite(so_far), so_far, np.nan) * study.loss(1.0)
    ranked = sorted(runs, key=lambda r: (math.isnan(r.best_loss), r.best_loss))
    rows = [("trial", study.metric, "step", "state", "params")]
    rows += [
        (str(r.trial), shown(study.loss(r.best_loss)), f"{r.step:g}", r.state.value,
         _params(r.params))
        for r in ranked[:_N_ROWS]
    ]  # fmt: skip
    left = [f"… and {len(ranked) - _N_ROWS} more"] if len(ranked) > _N_ROWS else []
    return _card(
        f"study {study.name}: {study.goal} {study.metric}",
        [_states(view), f"best so far, by trial: {_ends(so_far)}"],
        sparkline(so_far, title=f"best {study.metric} so far") if len(runs) else "",
        rows if runs else [],
        left,
    )


def run_html(study: Study, run: Run, word: str = "run") -> str:
    """Its curve and its parameters."""
    values = study.loss(1.0) * run.curve.values
    best = shown(study.loss(run.best_loss))
    rows = [("parameter", "value"), *((name, short(v, 4)) for name, v in run.params.items())]
    return _card(
        f"{word} {study.name}/{run.trial}: {run.state.value} at step {run.step:g}",
        [
            f"best {study.metric} {best} at step {run.best_step:g}; {_ends(values)}"
            if math.isfinite(run.best_loss)
            else _ends(values)
        ],
        sparkline(values, title=study.metric) if len(values) else "",
        rows,
        [],
    )


def _card(
    title: str, lines: Sequence[str], picture: str, rows: Sequence[Sequence[str]],
    after: Sequence[str],
) -> str:  # fmt: skip
    parts = [f"<div style='font:13px system-ui,sans-serif'><b>{html.escape(title)}</b>"]
    parts += [f"<div>{html.escape(line)}</div>" for line in lines]
    parts.append(picture)
    if rows:
        parts.append("<table style='border-collapse:collapse'>")
        for tag, row in zip(["th", *["td"] * (len(rows) - 1)], rows, strict=True):
            cells = "".join(f"<{tag} style='{_CELL}'>{html.escape(c)}</{tag}>" for c in row)
            parts.append(f"<tr>{cells}</tr>")
        parts.append("</table>")
    parts += [f"<div>{html.escape(line)}</div>" for line in after]
    return "".join([*parts, "</div>"])


def _states(view: StudyView) -> str:
    counts = Counter(run.state.value for run in view.current().values())
    words = ", ".join(f"{n} {state}" for state, n in counts.most_common())
    return f"{len(view.trials)} trials" + (f" ({words})" if words else "")


def _ends(values: np.ndarray) -> str:
    if not np.isfinite(values).any():
        return "nothing but NaN and infinities" if len(values) else "no reports"
    return f"{shown(float(values[0]))} → {shown(float(values[-1]))}"


def _params(params: Mapping[str, Value]) -> str:
    return " ".join(f"{name}={short(value, 4)}" for name, value in params.items())
