"""For people with a loop of their own: `ask` for a point, train, `tell` how it went."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from luthier.contracts import Policy, Store
from luthier.core.action import Continue, Pause, Start
from luthier.core.domain import Value
from luthier.core.errors import BusyError, MetricError, StudyError
from luthier.core.event import (
    Asked,
    Closed,
    Ended,
    Event,
    Obeyed,
    Proposed,
    Queued,
    Reported,
    Started,
)
from luthier.core.study import Run, RunState, StudyView, Trial
from luthier.core.unfinished import TUNER_LOST
from luthier.executors.own_loop import OwnLoopExecutor
from luthier.tuner import Tuner
from luthier.worker.lock import ProcessLock
from luthier.worker.parameters import Parameters


@final
@dataclass(frozen=True, slots=True)
class Task:
    """What to train next: `params` (`params.lr` or `params["lr"]`), from step `step` to `to_step`
    (infinite: to the end)."""

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
        self._lock = ProcessLock(store.paths.lock)
        self._open = True
        if not self._lock.acquire():
            store.close()
            raise BusyError(
                f"study {store.study.name!r} is used by process {self._lock.owner()}; wait for it."
            )
        self._began_s = time.perf_counter()

    @property
    def view(self) -> StudyView:
        """The study as it stands."""
        return self._store.view()

    def ask(self) -> Task | None:
        """The next task; None when the policy waits for tasks that are out, or is finished.

        With a policy that stops early, a task may ask for more steps of an earlier run; so may a
        person, whose wishes come first (`luthier resume`, `luthier fork --at 0`).
        """
        if (wanted := self._hear(n_free=1)) is not None:
            return wanted
        view = self._store.view(n_free=1)
        n_trials = view.study.budget.n_trials
        n_new = 1 if n_trials is None else min(1, max(0, n_trials - len(view.trials)))
        view = replace(view, n_new=n_new)
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
            elif isinstance(action, Pause):  # the run is paused already; kept for the diary
                stays = Ended(action.run_id, RunState.PAUSED, None, None, action.reason)
                step = view.runs[action.run_id].step
                self._store.record([
                    Asked(number, action, time.time()), stays, Obeyed(action.run_id, number, step)
                ])  # fmt: skip
                number += 1
                continue
            else:
                continue
            begun: list[Event] = [Started(run.id, run.step, True), Obeyed(run.id, number, run.step)]
            self._store.record([Asked(number, action, time.time()), *events, *begun])
            return Task(run.id, Parameters(run.params), run.step, action.to_step)
        return None

    def _hear(self, n_free: int = 0) -> Task | None:
        """What people have asked for meanwhile; where it is a training, the task."""
        executor = OwnLoopExecutor(n_free)
        Tuner(self._store, self._policy, executor).attend()
        if refused := executor.events(0.0):
            self._store.record(refused)
        for assignment in executor.assigned:
            run = assignment.run
            self._store.record([Started(run.id, run.step, True)])
            return Task(run.id, Parameters(run.params), run.step, run.to_step)
        return None

    def report(self, task: Task, step: float, **metrics: float) -> None:
        """Metrics at a step, before the task is over."""
        self._hear()
        self._running(task)
        try:
            row = [float(step), time.perf_counter() - self._began_s, *map(float, metrics.values())]
        except (TypeError, ValueError) as error:
            words = f"report({step!r}, {metrics!r}): {error}; expected numbers."
            raise MetricError(words) from None
        if not math.isfinite(row[0]):
            raise MetricError(f"report(step={step!r}); expected a number of steps.")
        self._store.record([Reported(task.run_id, tuple(metrics), np.array([row]))])

    def tell(self, task: Task, value: float | None = None, *, error: str = "") -> None:
        """The task is over: the final value of the metric (none where it was reported), or `error`
        if it failed."""
        last, run = self._store.study.max_steps or 1, self._running(task)
        if value is None and not error and not len(run.curve):
            raise MetricError(
                f"tell({task.run_id!r}, None), and nothing was reported; expected the value of "
                f"{self._store.study.metric!r}, or error='…' if it failed."
            )
        step = max(last, run.step) if math.isinf(task.to_step) else task.to_step
        if value is not None:
            self.report(task, step, **{self._store.study.metric: value})
        state = RunState.COMPLETED if step >= last else RunState.PAUSED
        ended = Ended(task.run_id, state, step, None, "told")
        if error:
            ended = Ended(task.run_id, RunState.FAILED, None, None, "told", error)
        self._store.record([ended])

    def take_over(self) -> None:
        """Go on with what another process left: its tasks that were out are lost."""
        lost = [Ended(run.id, RunState.LOST, None, None, TUNER_LOST)
                for run in self.view.runs.values() if run.active]  # fmt: skip
        self._store.record([*lost, Closed("")])

    def close(self) -> None:
        """Let go of the study; with no task out it is finished, until it is resumed."""
        if not self._open:
            return
        self._open = False
        if not any(run.active for run in self.view.runs.values()):
            self._store.record([Closed("finished")])
        self._lock.release()
        self._store.close()

    def _running(self, task: Task) -> Run:
        run = self._store.view().runs.get(task.run_id)
        if run is None or not run.active:
            raise StudyError(
                f"task {task.run_id!r} of study {self._store.study.name!r} is over, or unknown."
            )
        return run
