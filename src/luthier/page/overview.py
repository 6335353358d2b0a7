"""The whole study in columns: points for scatter plots, the best value so far, importances."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from luthier.core.action import Continue, Fork, Start
from luthier.core.study import Run, RunState, StudyView
from luthier.importance import METHOD, N_LEAST, importances
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


def importance_json(view: StudyView) -> dict[str, Any]:
    """What matters, and how sure that is."""
    found = importances(view)
    n = n_told(view)
    why = "" if found else f"{n} trials are done; {N_LEAST} are needed"
    rows = [{"name": one.name, "importance": one.value, "error": one.error} for one in found]
    return {"n": n, "method": METHOD, "rows": rows, "why": why}


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
    times, losses, spent, owners = [], [], [], []
    ids = [*view.runs]
    for number_, run in enumerate(view.runs.values()):
        own = run.curve.steps > (run.parent.step if run.parent else -1.0)
        if not own.any():
            continue
        steps = run.curve.steps[own]
        times.append(_times(run, steps, starts.get(run.id, [(created_s, 0.0)])))
        losses.append(run.curve.values[own])
        spent.append(np.diff(steps, prepend=run.parent.step if run.parent else 0.0))
        owners.append(np.full(len(steps), number_))
    if not times:
        return {"revision": revision, "steps": [], "time_s": [], "best": [], "run": []}
    order = np.argsort(np.concatenate(times), kind="stable")
    when = np.concatenate(times)[order] - created_s
    total = np.cumsum(np.maximum(np.concatenate(spent)[order], 0.0))
    loss = np.concatenate(losses)[order]
    lowest = np.minimum.accumulate(np.where(np.isfinite(loss), loss, np.inf))
    better = np.flatnonzero(np.isfinite(lowest) & (np.diff(lowest, prepend=np.inf) != 0))
    if not len(better):
        return {"revision": revision, "steps": [], "time_s": [], "best": [], "run": []}
    kept = np.unique(np.r_[better, len(loss) - 1])
    owner = np.concatenate(owners)[order][better[np.searchsorted(better, kept, "right") - 1]]
    sign = view.study.loss(1.0)
    return {
        "revision": revision,
        "steps": total[kept].tolist(),
        "time_s": when[kept].tolist(),
        "best": (sign * lowest[kept]).tolist(),
        "run": [ids[i] for i in owner],
    }


def _times(
    run: Run, steps: NDArray[np.float64], starts: list[tuple[float, float]]
) -> NDArray[np.float64]:  # (n,), seconds since the epoch
    trained = run.step - (run.parent.step if run.parent else 0.0)
    pace_s = run.train_s / trained if trained > 0 else 0.0
    begun_s, begun_at = (np.array(column) for column in zip(*starts, strict=True))
    last = np.maximum(np.searchsorted(np.maximum.accumulate(begun_at), steps, "left") - 1, 0)
    found: NDArray[np.float64] = begun_s[last] + (steps - begun_at[last]) * pace_s
    return found
