"""The diary of a run: who changed what, when and why, and what came of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from luthier.contracts import Store
from luthier.core.action import Change, RollBack, kind_of
from luthier.core.curve import Curve
from luthier.core.domain import Value
from luthier.core.entry import Entry, entries_of
from luthier.core.forecast import forecast
from luthier.core.verdict import Verdict, verdict


@final
@dataclass(frozen=True, slots=True)
class Page:
    """One action: the values it changed, the forecast at that moment, and the verdict.

    `forecast` and its error are of the metric at `horizon`, made from the reports before the
    action; NaN where there were too few.
    """

    entry: Entry
    kind: str
    before: Mapping[str, Value]
    after: Mapping[str, Value]
    forecast: float = math.nan
    forecast_error: float = math.nan
    horizon: float = math.nan
    verdict: Verdict | None = None


def diary_of(store: Store, run_id: str) -> list[Page]:
    """All actions on a run, in order; verdicts for changes of live parameters."""
    entries = entries_of(store.diary(), run_id)
    changes = [e for e in entries if _changes(e)]
    branches = [_losses(store, metrics) for metrics in store.branches(run_id)]
    study = store.study
    horizon = float(study.max_steps or store.view().runs[run_id].step)
    pages = []
    for entry in entries:
        before, after = entry.values
        page = Page(entry, kind_of(entry.action), before, after)
        if entry in changes and entry.step is not None:
            # a rollback begins a new branch, and belongs to the one that it begins
            n_back = sum(
                isinstance(e.action, RollBack) and e.state == "obeyed" and e.number <= entry.number
                for e in entries
            )
            losses = branches[min(n_back, len(branches) - 1)]
            later = [e.step for e in changes if e.number > entry.number and e.step is not None]
            judged = verdict(losses, entry.step, min(later, default=math.inf))
            found = forecast(losses.until(entry.step), np.array([horizon]))
            mean = study.loss(float(found.mean[0])) if found else math.nan
            error = float(found.trend_sd[0]) if found else math.nan
            page = Page(entry, page.kind, before, after, mean, error, horizon, judged)
        pages.append(page)
    return pages


def _changes(entry: Entry) -> bool:
    changing = isinstance(entry.action, RollBack | Change)
    return changing and entry.state == "obeyed"


def _losses(store: Store, metrics: Mapping[str, Curve]) -> Curve:
    curve = metrics.get(store.study.metric, Curve())
    return Curve(curve.steps, store.study.loss(1.0) * curve.values)


def verdict_words(page: Page, metric: str, sign: float) -> str:
    """The verdict with its numbers; empty where there is none to give."""
    judged = page.verdict
    if judged is None or judged.outcome == "too early":
        return "too early to tell" if judged else ""
    words = f"{judged.outcome}: {metric} {sign * judged.observed:.4g}"
    if math.isfinite(judged.expected):
        words += f" against {sign * judged.expected:.4g} expected"
        words += f" (±{judged.error:.2g})" if math.isfinite(judged.error) else ""
    return f"{words}, {judged.n} reports to step {judged.until:g}"


def schedule_toml(script: Sequence[tuple[float, Mapping[str, Value]]]) -> str:
    """The changes as TOML: one table per change, its step and the values from there on."""
    return "\n".join(
        f"[[change]]\nstep = {_exact(step)}\n"
        + "".join(f"{name} = {_toml(value)}\n" for name, value in params.items())
        for step, params in script
    )


def schedule_code(script: Sequence[tuple[float, Mapping[str, Value]]]) -> str:
    """The changes as a Python function of the step, for a loop without Luthier."""
    lines = ["def changes_at(step):", '    """Values that change after this many steps."""']
    lines += ["    return {"]
    lines += [f"        {_exact(step)}: {dict(params)!r}," for step, params in script]
    return "\n".join([*lines, "    }.get(step, {})"])


def _exact(step: float) -> str:
    return repr(int(step) if step == int(step) else step)


def _toml(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else repr(value)
