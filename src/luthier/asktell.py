"""For people with a loop of their own: `ask` for a point, train, `tell` how it went."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from luthier.contracts import Policy, Store
from luthier.core.action import Continue, Start
from luthier.core.domain import Value
from luthier.core.errors import StudyError
from luthier.core.event import Asked, Ended, Event, Obeyed, Proposed, Queued, Reported, Started
from luthier.core.study import Run, RunState, StudyView, Trial


@final
@dataclass(frozen=True, slots=True)
class Task:
    """What to train next: `params`, from step `step` to `to_step` (infinite: to the end)."""

    run_id: str
    params: Mapping[str, Value]
    step: float
    to_step: float


@final
class AskTell:
    """The search without the training; any number of tasks may be out at a time."""

    def __init__(self, store: Store, policy: Policy) -> None:
        self._store = store
        self._policy = policy
        self._began_s = time.perf_counter()

    @property
    def view(self) -> StudyView:
        """The study as it stands."""
        return self._store.view()

    def ask(self) -> Task | None:
        """The next task; None when the policy waits for tasks that are out, or is finished.

        With a policy that stops early, a task may ask for more steps of an earlier run.
        """
        view = self._store.view(n_free=1)
        n_trials = view.study.budget.n_trials
        n_new = 1 if n_trials is None else min(1, max(0, n_trials - len(view.trials)))
        view = StudyView(view.study, view.trials, view.runs, 1, n_new, view.elapsed_s)
        number = len(self._store.diary()) + 1
        events: list[Event]
        for action in self._policy.decide(view):
            if isinstance(action, Start):
                trial = Trial(len(view.trials), view.study.space.cast(action.params))
                run = Run(f"{trial.number}.0", trial.number, trial.params, action.to_step)
                events = [Proposed(run, trial)]
            elif isinstance(action, Continue):
                run = view.runs[action.run_id]
                events = [Queued(run.id, action.to_step)]
            else:
                continue
            begun: list[Event] = [Started(run.id, run.step, True), Obeyed(run.id, number, run.step)]
            self._store.record([Asked(number, action, time.time()), *events, *begun])
            return Task(run.id, run.params, run.step, action.to_step)
        return None

    def report(self, task: Task, step: float, **metrics: float) -> None:
        """Metrics at a step, before the task is over."""
        if task.run_id not in self._store.view().runs:
            raise StudyError(f"no run {task.run_id!r} in study {self._store.study.name!r}.")
        train_s = time.perf_counter() - self._began_s
        rows = np.array([[step, train_s, *map(float, metrics.values())]])
        self._store.record([Reported(task.run_id, tuple(metrics), rows)])

    def tell(self, task: Task, value: float | None = None, *, error: str = "") -> None:
        """The task is over: the final value of the metric, or `error` if it failed."""
        last = self._store.study.max_steps or 1
        step = last if math.isinf(task.to_step) else task.to_step
        if value is not None:
            self.report(task, step, **{self._store.study.metric: value})
        if error:
            ended = Ended(task.run_id, RunState.FAILED, None, None, "told", error)
        else:
            state = RunState.COMPLETED if step >= last else RunState.PAUSED
            ended = Ended(task.run_id, state, step, None, "told")
        self._store.record([ended])
