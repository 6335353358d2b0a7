"""Training on paper: runs whose curves are a formula, on a clock that jumps.

A study of hundreds of runs takes a fraction of a second, in the same order every time.
"""

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import numpy as np

from luthier.contracts import Assignment
from luthier.core.action import Action, Change, Continue, Pause, RollBack, Stop
from luthier.core.course import SUFFIX, extras, factor_at, without_extras
from luthier.core.domain import Value
from luthier.core.event import Ended, Event, Obeyed, Reported, RolledBack, Saved, Started
from luthier.core.study import Checkpoint, RunState

Formula = Callable[[Mapping[str, Value], float], float]  # parameters, step -> metric


@final
class PaperExecutor:
    """`n_workers` runs at a time; a step takes `step_s` of the clock that `clock` reads."""

    def __init__(
        self,
        formula: Formula,
        n_workers: int = 1,
        *,
        max_steps: int = 1,
        step_s: Callable[[Mapping[str, Value]], float] = lambda params: 1.0,
        pausable: bool = True,
    ) -> None:
        self._formula = formula
        self._n_workers = n_workers
        self._max_steps = max_steps
        self._step_s = step_s
        self._pausable = pausable
        self._now_s = 0.0
        self._due: list[tuple[float, int, str]] = []  # when, in which order, which run
        self._n_pushed = 0
        self._runs: dict[str, _PaperRun] = {}
        self._events: list[Event] = []

    def clock(self) -> float:
        """Seconds of training on paper so far; give it to the tuner."""
        return self._now_s

    @property
    def n_free(self) -> int:
        """Places without a run."""
        return self._n_workers - len(self._runs)

    def start(self, assignments: Sequence[Assignment]) -> None:
        """Put the runs' first steps on the calendar."""
        for assignment in assignments:
            assert self.n_free > 0, "started more runs than were free"
            run = _PaperRun(assignment)
            self._runs[assignment.run.id] = run
            read_back = {k: v for k, v in run.params.items() if k == "lr"}  # of an optimizer
            started = Started(assignment.run.id, run.step, self._pausable, read_back)
            self._events.append(started)
            self._obey_plan(assignment.run.id)
            self._push(assignment.run.id)

    def send(self, run_id: str, number: int, action: Action, **more: Any) -> None:  # noqa: ANN401
        """Obey at once, since every moment here lies between two steps."""
        if (run := self._runs.get(run_id)) is None:
            return
        changed: Mapping[str, Value] = {}
        if isinstance(action, Continue):
            run.to_step = max(run.to_step, action.to_step)
        elif isinstance(action, Change | RollBack):
            changed = action.params
            run.params = {**run.params, **changed}
        if isinstance(action, RollBack):
            run.step = action.to_step
            self._events.append(RolledBack(run_id, action.to_step))
        self._events.append(Obeyed(run_id, number, run.step, changed, changed))
        if isinstance(action, Stop):
            self._end(run_id, RunState.STOPPED, action.reason)
        elif isinstance(action, Pause):
            self._end(run_id, RunState.PAUSED, action.reason)

    def events(self, timeout_s: float) -> Sequence[Event]:
        """The next step on the calendar; the clock jumps there."""
        while not self._events and self._due:
            when_s, _, run_id = heapq.heappop(self._due)
            if run_id in self._runs:  # else it was ended before its step was done
                self._now_s = when_s
                self._advance(run_id)
        found, self._events = self._events, []
        return found

    def kill(self) -> None:
        """End all runs as lost."""
        for run_id in list(self._runs):
            self._end(run_id, RunState.LOST, "killed", save=False)

    def close(self) -> None:
        """Nothing to let go of."""
        self._runs.clear()
        self._due.clear()

    def _obey_plan(self, run_id: str) -> None:
        run = self._runs[run_id]
        due = [(n, change) for n, change in run.plan if (change.at_step or 0.0) <= run.step]
        run.plan = [item for item in run.plan if item not in due]
        for number, change in due:
            run.params = {**run.params, **change.params}
            self._events.append(Obeyed(run_id, number, run.step, {}, change.params))

    def _push(self, run_id: str) -> None:
        self._n_pushed += 1
        due_s = self._now_s + self._step_s(self._runs[run_id].params)
        heapq.heappush(self._due, (due_s, self._n_pushed, run_id))

    def _advance(self, run_id: str) -> None:
        run = self._runs[run_id]
        run.step = math.floor(run.step) + 1
        run.train_s += self._step_s(run.params)
        run.value = self._formula(_in_force(run.params, run.step), run.step)
        row = np.array([[run.step, run.train_s, run.value]])
        self._events.append(Reported(run_id, (run.assignment.study.metric,), row))
        self._obey_plan(run_id)
        if run.step >= self._max_steps:
            self._end(run_id, RunState.COMPLETED, "done")
        elif run.step >= run.to_step and self._pausable:
            self._end(run_id, RunState.PAUSED, "slice-end")
        else:
            self._push(run_id)

    def _end(self, run_id: str, state: RunState, reason: str, *, save: bool = True) -> None:
        run = self._runs.pop(run_id)
        if save and self._pausable and state in (RunState.PAUSED, RunState.COMPLETED):
            loss = run.assignment.study.loss(run.value)
            known = None if math.isnan(loss) else loss
            saved = Checkpoint(run_id, run.step, f"{run.step:g}.ckpt", 1000, 0, known)
            self._events.append(Saved(run_id, saved))
        self._events.append(Ended(run_id, state, run.step, run.train_s, reason))


def _in_force(params: Mapping[str, Value], step: float) -> Mapping[str, Value]:
    """The parameters in the middle of the step that ends here, by their courses."""
    values = without_extras(params)
    for name, points in extras(params).items():
        if (parameter := name.removesuffix(SUFFIX)) in values:
            values[parameter] *= factor_at(points, step - 0.5)
    return values


class _PaperRun:
    def __init__(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self.params: Mapping[str, Value] = dict(assignment.run.params)
        self.step: float = assignment.resume_from.step if assignment.resume_from else 0
        self.to_step = assignment.run.to_step
        self.plan = list(assignment.plan)
        self.train_s = assignment.run.train_s
        self.value = assignment.run.curve.last
