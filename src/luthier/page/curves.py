"""Curves made small: of many runs, of one run, and what a run has newly reported."""

import heapq
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from luthier.core.curve import Curve
from luthier.core.forecast import forecast
from luthier.core.study import Run
from luthier.page.book import Book, News
from luthier.page.plain import numbers
from luthier.page.sampling import sample

_N_FORECAST = 60
_N_NEW = 300  # points of one run that one message may hold


def curves_json(
    book: Book, run_ids: Sequence[str], *, top: int, metric: str, n_points: int, by_time: bool
) -> dict[str, Any]:
    """Curves of some runs, or of the best `top` and those that train."""
    metric = metric or book.view.study.metric
    runs = [book.view.runs[i] for i in run_ids if i in book.view.runs]
    if not run_ids:
        runs = _top(book, top)
    return {
        "metric": metric,
        "x": "time" if by_time else "step",
        "revision": book.revision,
        "curves": [_one(book, run, metric, n_points, by_time) for run in runs],
    }


def run_curves_json(book: Book, run: Run, names: Sequence[str], n_points: int) -> dict[str, Any]:
    """All metrics of a run, what was rolled back, and where the objective is heading."""
    key = ("run", run.id, tuple(names), n_points)
    found = book.kept(key, book.stamps[run.id], lambda: _run_curves(book, run, names, n_points))
    return {**found, "revision": book.revision}


def _run_curves(book: Book, run: Run, names: Sequence[str], n_points: int) -> dict[str, Any]:
    branches = book.store.branches(run.id)
    now = branches[-1]
    objective = book.view.study.metric
    sisters = [name for name in now if name in _sisters(objective)]
    old = []
    for before, after in pairwise(branches):
        for name in (objective, *sisters):
            lost, kept = before.get(name, Curve()), after.get(name, Curve())
            back_to = float(kept.steps[_n_same(lost, kept) - 1]) if _n_same(lost, kept) else 0.0
            part = Curve(lost.steps[lost.steps >= back_to], lost.values[lost.steps >= back_to])
            if len(part) > 1:
                old.append({"to_step": back_to, "metric": name, **_points(part, n_points)})
    return {
        "metrics": {n: _points(c, n_points) for n, c in now.items() if not names or n in names},
        "branches": old,
        "forecast": forecast_json(book, run),
    }


def forecast_json(book: Book, run: Run) -> dict[str, Any] | None:
    """The objective to the last step, with two standard errors about the trend."""
    end = book.view.study.max_steps
    if end is None or run.state.ended or not len(run.curve) or run.curve.steps[-1] >= end:
        return None
    steps = np.linspace(float(run.curve.steps[-1]), float(end), _N_FORECAST)
    found = forecast(run.curve, steps)
    if found is None:
        return None
    low, high = (book.sign * (found.mean + k * found.trend_sd) for k in (-2, 2))
    return {
        "x": numbers(found.steps),
        "mean": numbers(book.sign * found.mean),
        "low": numbers(np.minimum(low, high)),
        "high": numbers(np.maximum(low, high)),
    }


def news_json(book: Book, news: News) -> dict[str, Any]:
    """New points of the objective by run; `from`: what comes after that step is no more."""
    found = {}
    for run_id in news.runs:
        now, before = book.view.runs[run_id].curve, news.before[run_id]
        n = _n_same(before, now)
        if n == len(before) == len(now):
            continue
        new = Curve(now.steps[n:], book.sign * now.values[n:])
        told: dict[str, Any] = _points(new, _N_NEW)
        if n < len(before):
            told["from"] = float(now.steps[n - 1]) if n else None
        found[run_id] = told
    return found


def _one(book: Book, run: Run, metric: str, n_points: int, by_time: bool) -> dict[str, Any]:
    def make() -> tuple[int, Any, Any]:
        if metric == book.view.study.metric:
            curve = Curve(run.curve.steps, book.sign * run.curve.values)
        else:
            curve = book.store.metrics(run.id).get(metric, Curve())
        places = sample(curve.steps, curve.values, n_points)
        x = curve.steps[places]
        if by_time:
            clock = book.store.clock(run.id)
            x = np.array([clock.at(float(step)) for step in x])
        return len(curve), x, curve.values[places].copy()

    key = ("curve", run.id, metric, n_points, by_time)
    n, x, y = book.kept(key, book.stamps[run.id], make)
    return {"run": run.id, "state": run.state.value, "n": n, "x": numbers(x), "y": numbers(y)}


def _points(curve: Curve, n_points: int) -> dict[str, Any]:
    places = sample(curve.steps, curve.values, n_points)
    return {"x": numbers(curve.steps[places]), "y": numbers(curve.values[places])}


def _top(book: Book, n: int) -> list[Run]:
    merits, sign, runs = book.merits, book.sign, book.view.runs

    def find() -> list[str]:
        told = (run_id for run_id, merit in merits.items() if merit.best == merit.best)
        best = heapq.nsmallest(n, told, key=lambda run_id: sign * merits[run_id].best)
        training = [run.id for run in runs.values() if run.active]
        return [*dict.fromkeys([*best, *training[: max(n, 50)]])]

    return [runs[run_id] for run_id in book.of_revision(("top", n), find)]


def _n_same(a: Curve, b: Curve) -> int:
    """How many points two curves have in common from the beginning."""
    n = min(len(a), len(b))
    same = (a.steps[:n] == b.steps[:n]) & (
        (a.values[:n] == b.values[:n]) | (np.isnan(a.values[:n]) & np.isnan(b.values[:n]))
    )
    return n if same.all() else int(np.argmin(same))


def _sisters(metric: str) -> set[str]:
    """The training metric of a validation metric, and the other way round."""
    found = set()
    for here, there in (("val", "train"), ("valid", "train"), ("test", "train"), ("train", "val")):
        if metric.startswith(here):
            found.add(there + metric.removeprefix(here))
    return found
