"""What is left of a budget, and what actions take of it, in training steps."""

import math
from collections.abc import Sequence

from luthier.core.action import Action, Continue, Fork, Start
from luthier.core.entry import Entry
from luthier.core.study import Run, StudyView

_SAFE = 0.9  # of the time left, that is planned for: steps may turn out slower than before


def own_steps(run: Run) -> float:
    """Steps that the run has trained itself."""
    return run.step - (run.parent.step if run.parent else 0.0)


def still_to_train(view: StudyView, run: Run) -> float:
    """Steps that a run which trains has been told to train beyond those it has."""
    last = view.study.max_steps or math.inf
    return max(0.0, min(run.to_step, last) - run.step) if run.active else 0.0


def steps_of(view: StudyView, actions: Sequence[Action]) -> float:
    """Steps that the actions ask for."""
    last, n_steps = float(view.study.max_steps or math.inf), 0.0
    for action in actions:
        if isinstance(action, Start | Continue | Fork):
            run = view.runs.get(getattr(action, "run_id", ""))
            begun = action.at_step if isinstance(action, Fork) else run.step if run else 0.0
            n_steps += max(0.0, min(action.to_step, last) - begun)
    return n_steps


def is_of(view: StudyView, entry: Entry, run: Run) -> bool:
    """Whether a line of the diary is of the run, or of another attempt at its trial."""
    other = view.runs.get(entry.run_id)
    return other is not None and other.trial == run.trial


def asked_steps(entry: Entry) -> float:
    """Steps that a line of the diary asked for."""
    return max(0.0, getattr(entry.action, "to_step", 0.0) - (entry.step or 0.0))


def steps_in_vain(view: StudyView, reason: str, best: Run) -> float:
    """Steps asked for with a reason; none if the best run owes one of its slices to it."""
    entries = [entry for entry in view.diary if entry.action.reason == reason]
    paid = any(is_of(view, entry, best) for entry in entries)
    return 0.0 if paid else sum(map(asked_steps, entries))


def whole_for(view: StudyView, n: int) -> float | None:
    """Steps of the whole budget to up to `n` runs at a time; None where trials are counted."""
    budget = view.study.budget
    limits = [] if budget.n_steps is None else [float(budget.n_steps)]
    if budget.time_s is not None:
        limits.append(budget.time_s * _n_places(view, n) / _step_s(view))
    return min(limits, default=None)


def left_for(view: StudyView, n: int) -> float | None:
    """Steps left to up to `n` runs at a time; None where trials are counted."""
    limits = [limit for limit in (steps_left(view),) if limit is not None]
    if (left := steps_in_time(view)) is not None:
        limits.append(left * _n_places(view, n))
    return min(limits, default=None)


def steps_left(view: StudyView) -> float | None:
    """Of a budget of steps, without what runs that train will take; None without one."""
    if view.study.budget.n_steps is None:
        return None
    taken = sum(own_steps(run) + still_to_train(view, run) for run in view.runs.values())
    return view.study.budget.n_steps - taken


def steps_in_time(view: StudyView) -> float | None:
    """Steps that one run can train in the time that is left; None without a budget of time."""
    time_s = view.study.budget.time_s
    if time_s is None:
        return None
    return _SAFE * max(0.0, time_s - view.elapsed_s) / _step_s(view)


def n_workers(view: StudyView) -> int:
    """Places, free ones and those where a run trains."""
    return view.n_free + sum(run.active for run in view.runs.values())


def _n_places(view: StudyView, n: int) -> int:
    return max(1, min(n, n_workers(view)))


def _step_s(view: StudyView) -> float:
    """Seconds a step of all runs so far."""
    runs = view.runs.values()
    n_steps = sum(own_steps(run) for run in runs)
    return sum(run.train_s for run in runs) / n_steps if n_steps else math.inf
