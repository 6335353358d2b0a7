"""The whole study in columns: points for scatter plots, the best value so far, importances."""

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from luthier.core.action import Continue, Fork, Start
from luthier.core.study import Run, RunState, StudyView
from luthier.hindsight import misjudged
from luthier.importance import N_LEAST, importances
from luthier.page.book import Book
from luthier.page.plain import number, plain


def points_json(book: Book, limit: int) -> dict[str, Any]:
    """The newest run of every trial, column by column; the best are always among them."""
    runs = [*book.view.current().values()]
    total = len(runs)
    if total > limit:
        losses = np.array([book.sign * book.merits[run.id].best for run in runs])
        best = np.argsort(losses, kind="stable")[: limit // 2]
        rest = np.setdiff1d(np.arange(total), best)
        even = rest[np.linspace(0, len(rest) - 1, limit - len(best)).astype(np.intp)]
        runs = [runs[i] for i in np.sort(np.concatenate([best, even]))]
    merits = [book.merits[run.id] for run in runs]
    return {
        "total": total,
        "revision": book.revision,
        "runs": [run.id for run in runs],
        "trials": [run.trial for run in runs],
        "states": [run.state.value for run in runs],
        "best": [None if m.best != m.best else m.best for m in merits],
        "step": [number(run.step) for run in runs],
        "train_s": [number(run.train_s) for run in runs],
        "params": {
            name: [plain(run.params.get(name)) for run in runs]
            for name in book.view.study.space.names
        },
    }


def importance_json(view: StudyView, n: int) -> dict[str, Any]:
    """What matters, and how sure that is; what of the space looks wrong. `n` trials are done."""
    found = importances(view)
    rows = [{"name": one.name, "importance": one.value, "error": one.error} for one in found]
    wrong = [plain(asdict(one)) for one in misjudged(view)]
    return {"n": n, "least": N_LEAST, "rows": rows, "misjudged": wrong}


def n_told(view: StudyView) -> int:
    """Trials that are done or were left."""
    done = (run.state.ended or run.state is RunState.PAUSED for run in view.current().values())
    return sum(done)


def starts_of(book: Book) -> dict[str, list[tuple[float, float]]]:
    """When each run began and was continued: seconds since the epoch, and its step then."""
    found: dict[str, list[tuple[float, float]]] = {}
    for entry in book.entries.values():
        if isinstance(entry.action, Start | Continue | Fork) and entry.state == "obeyed":
            found.setdefault(entry.run_id, []).append((entry.time_s, entry.step or 0.0))
    return found


def progress_json(
    view: StudyView, starts: dict[str, list[tuple[float, float]]], created_s: float, revision: int
) -> dict[str, Any]:
    """Best value so far over all training steps spent, and over time.

    When a report came is worked out from when its run began and how fast it was.
    """
    runs = [run for run in view.runs.values() if len(run.curve)]
    nothing = {"revision": revision, "steps": [], "time_s": [], "best": [], "run": []}
    if not runs:
        return nothing
    owner = np.repeat(np.arange(len(runs)), [len(run.curve) for run in runs])
    steps = np.concatenate([run.curve.steps for run in runs])
    loss = np.concatenate([run.curve.values for run in runs])
    inherited = np.array([run.parent.step if run.parent else 0.0 for run in runs])
    forked = np.array([run.parent is not None for run in runs])
    own = ~forked[owner] | (steps > inherited[owner])
    owner, steps, loss = owner[own], steps[own], loss[own]
    first = np.diff(owner, prepend=-1) != 0
    spent = np.maximum(steps - np.where(first, inherited[owner], np.roll(steps, 1)), 0.0)
    when = _times(runs, starts, inherited, owner, steps, created_s)
    order = np.argsort(when, kind="stable")
    when, loss, owner = when[order] - created_s, loss[order], owner[order]
    total = np.cumsum(spent[order])
    lowest = np.minimum.accumulate(np.where(np.isfinite(loss), loss, np.inf))
    better = np.flatnonzero(lowest < np.r_[np.inf, lowest[:-1]])
    if not len(better):
        return nothing
    kept = np.unique(np.r_[better, len(loss) - 1])
    holder = owner[better[np.searchsorted(better, kept, "right") - 1]]
    return {
        "revision": revision,
        "steps": total[kept].tolist(),
        "time_s": when[kept].tolist(),
        "best": (view.study.loss(1.0) * lowest[kept]).tolist(),
        "run": [runs[i].id for i in holder],
    }


def _times(
    runs: list[Run],
    starts: dict[str, list[tuple[float, float]]],
    inherited: NDArray[np.float64],
    owner: NDArray[np.intp],
    steps: NDArray[np.float64],
    created_s: float,
) -> NDArray[np.float64]:  # (n,), seconds since the epoch, of the report of each step
    told = [starts.get(run.id) or [(created_s, 0.0)] for run in runs]
    trained = np.array([run.step for run in runs]) - inherited
    spent_s = np.array([run.train_s for run in runs])
    pace_s = np.divide(spent_s, trained, out=np.zeros(len(runs)), where=trained > 0)
    begun_s, begun_at = (np.array([one[0][k] for one in told])[owner] for k in (0, 1))
    ends = np.searchsorted(owner, np.arange(len(runs)), "right")
    for i, more in enumerate(told):
        begin = ends[i - 1] if i else 0
        for later_s, at in more[1:]:  # continued: what came after that step came after that time
            there = slice(
                begin + int(np.searchsorted(steps[begin : ends[i]], at, "right")), ends[i]
            )
            begun_s[there], begun_at[there] = later_s, at
    found: NDArray[np.float64] = begun_s + (steps - begun_at) * pace_s[owner]
    return found
