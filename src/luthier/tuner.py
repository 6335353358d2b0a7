"""The one loop. Panda and caviar differ only in the policy that is asked.

Whatever is done to a run goes through `enact`: recorded first, then carried out.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import final

from luthier.contracts import Assignment, Executor, Policy, Store
from luthier.core.action import (
    Action,
    Author,
    Change,
    Continue,
    Fork,
    Pause,
    RollBack,
    Start,
    Stop,
)
from luthier.core.domain import Value
from luthier.core.errors import PointError, TrainingError
from luthier.core.event import (
    Asked,
    Closed,
    Dropped,
    Ended,
    Event,
    Obeyed,
    Proposed,
    Queued,
    Refused,
    RolledBack,
    Saved,
    Ticked,
)
from luthier.core.study import Checkpoint, Run, RunState, StudyView, Trial
from luthier.worker.inbox import collect
from luthier.worker.train import DAMAGED

INTERRUPTED, BUDGET_END, TUNER_LOST = "interrupted", "budget-end", "tuner-lost"
_GOES_ON_BY_ITSELF = (INTERRUPTED, BUDGET_END, TUNER_LOST)
_WAIT_S, _INBOX_S = 1.0, 0.2
# A trial whose process dies is tried again this often; a study whose first runs all fail is ended.
MAX_RETRIES, MAX_FIRST_FAILURES = 2, 3


@final
class Tuner:
    """Asks the policy, has the executor obey, and keeps what happened in the store."""

    def __init__(
        self,
        store: Store,
        policy: Policy,
        executor: Executor,
        *,
        observe: Callable[[StudyView], None] = lambda view: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._policy = policy
        self._executor = executor
        self._observe = observe
        self._clock = clock
        self._actions = len(store.diary())
        self._before_s = store.view().elapsed_s
        self._began_s = clock()
        self._inbox_s = 0.0
        self._n_interrupts = 0
        self._closing = ""

    def run(self) -> StudyView:
        """Tune until the policy, the budget or the user ends it."""
        self._store.record([Closed("")])
        while True:
            self._end_if_due()
            n_asked = self._decide()
            view = self._store.view()
            self._observe(view)
            if not any(run.active for run in view.runs.values()) and (self._closing or not n_asked):
                break
            self._take(self._executor.events(_WAIT_S))
        if self._closing != INTERRUPTED:
            self._store.record([Closed(self._closing or "finished")])
        self._observe(self._store.view())
        return self._store.view()

    def interrupt(self) -> int:
        """Once: pause every run. Twice: kill them. Returns which it was; safe in a signal handler.

        What was killed goes on from its last checkpoint when the study is resumed.
        """
        self._n_interrupts += 1
        return self._n_interrupts

    def enact(self, action: Action) -> None:
        """Record an action, and carry it out or refuse it."""
        self._actions += 1
        number = self._actions
        asked = Asked(number, action, time.time())
        try:
            events, act = self._plan(number, action)
        except PointError as error:
            events, act = [Refused(number, str(error))], None
        self._store.record([asked, *events])
        if act is not None:
            act()

    def _plan(self, number: int, action: Action) -> tuple[list[Event], Callable[[], None] | None]:
        """What to record before acting, and the act."""
        view = self._store.view()
        if isinstance(action, Start):
            params = view.study.space.cast(action.params)
            return self._new_run(number, view, params, action.to_step, None)
        run = view.runs.get(action.run_id)
        if run is None:
            return [Refused(number, f"no run {action.run_id!r}")], None
        if isinstance(action, Fork):
            return self._fork(number, view, run, action)
        if run.state.ended:
            return [Refused(number, f"run {run.id} has ended ({run.state})")], None
        if isinstance(action, Change | RollBack):
            self._check_live(view, run, action)
        if isinstance(action, RollBack):
            return self._roll_back(number, run, action)
        if run.active:
            grown: list[Event] = (
                [Queued(run.id, action.to_step)] if isinstance(action, Continue) else []
            )
            return grown, lambda: self._executor.send(run.id, number, action)
        match action:
            case Continue(to_step=to_step):
                events: list[Event] = [Queued(run.id, to_step), Obeyed(run.id, number, run.step)]
                going = replace(run, to_step=to_step, state=RunState.PENDING)
                return events, lambda: self._start(going, run.latest)
            case Change(params=changed):
                return [Obeyed(run.id, number, run.step, {}, changed)], None
            case Stop(reason=reason):
                end = Ended(run.id, RunState.STOPPED, None, None, reason)
                return [Obeyed(run.id, number, run.step), end], None
            case _:
                return [Refused(number, f"run {run.id} is {run.state} already")], None

    def _new_run(
        self,
        number: int,
        view: StudyView,
        params: Mapping[str, Value],
        to_step: float,
        parent: Checkpoint | None,
        trial: int | None = None,
    ) -> tuple[list[Event], Callable[[], None]]:
        of = len(view.trials) if trial is None else trial
        attempt = sum(run.trial == of for run in view.runs.values())
        run = Run(f"{of}.{attempt}", of, params, to_step, parent)
        known = view.trials.get(of) or Trial(of, params)
        obeyed = Obeyed(run.id, number, parent.step if parent else 0.0)
        return [Proposed(run, known), obeyed], lambda: self._start(
            self._store.view().runs[run.id], parent
        )

    def _fork(
        self, number: int, view: StudyView, run: Run, action: Fork
    ) -> tuple[list[Event], Callable[[], None] | None]:
        parent = _checkpoint_at(run, action.at_step)
        if parent is None and action.at_step > 0:
            return [Refused(number, f"no checkpoint of run {run.id} at {action.at_step:g}")], None
        if self._executor.n_free < 1:
            return [Refused(number, "no place is free")], None
        params = view.study.space.cast({**run.params, **action.params})
        same = params == dict(run.params)
        return self._new_run(
            number, view, params, action.to_step, parent, run.trial if same else None
        )

    def _roll_back(
        self, number: int, run: Run, action: RollBack
    ) -> tuple[list[Event], Callable[[], None] | None]:
        to = _checkpoint_at(run, action.to_step)
        if to is None:
            steps = ", ".join(f"{c.step:g}" for c in run.checkpoints) or "none"
            why = f"no checkpoint of run {run.id} at {action.to_step:g}; it has {steps}"
            return [Refused(number, why)], None
        if run.active:
            path = str(self._store.paths.run(to.run_id).checkpoints / to.file)
            return [], lambda: self._executor.send(
                run.id, number, action, checkpoint=asdict(to), path=path
            )
        later = [
            Dropped(run.id, c.step, "rolled-back") for c in run.checkpoints if c.step > to.step
        ]
        obeyed = Obeyed(run.id, number, to.step, {}, action.params)
        return [RolledBack(run.id, to.step), *later, obeyed], None

    def _check_live(self, view: StudyView, run: Run, action: Change | RollBack) -> None:
        domains = view.study.space.domains
        for name, value in action.params.items():
            if name not in domains or name not in run.params:
                raise PointError(f"run {run.id} has no parameter {name!r}; it has {[*run.params]}")
            if not domains[name].live:
                raise PointError(f"{name} may not change while training; declare it live=True")
            domains[name].cast(value)

    def _start(self, run: Run, resume_from: Checkpoint | None) -> None:
        paths, study = self._store.paths, self._store.study
        path = ""
        if resume_from is not None:
            path = str(paths.run(resume_from.run_id).checkpoints / resume_from.file)
        seed = study.trial_seed(run.trial)
        self._executor.start([Assignment(study, run, resume_from, seed, paths.run(run.id), path)])

    def _decide(self) -> int:
        """Enact what guards, humans and the policy ask for; how many actions."""
        before = self._actions
        for action in self._orders():
            self.enact(action)
        if not self._closing:
            for action in self._unfinished():
                if self._executor.n_free:
                    self.enact(action)
            for action in self._policy.decide(self._view()):
                self.enact(action)
        return self._actions - before

    def _view(self) -> StudyView:
        view = self._store.view(self._executor.n_free)
        n_trials = view.study.budget.n_trials
        n_new = view.n_free if n_trials is None else max(0, n_trials - len(view.trials))
        return replace(view, n_new=n_new)

    def _orders(self) -> list[Action]:
        now_s = self._clock()
        if now_s - self._inbox_s < _INBOX_S:
            return []
        self._inbox_s = now_s
        return collect(self._store.paths.orders)

    def _unfinished(self) -> Iterator[Action]:
        """Runs that were cut off: by a dead process, or by the end of an earlier sitting."""
        view = self._store.view()
        for run in view.current().values():
            if run.state is RunState.PAUSED and run.reason in _GOES_ON_BY_ITSELF:
                if run.step < run.to_step:
                    yield Continue(
                        run_id=run.id, to_step=run.to_step, reason="goes-on", author=Author.GUARD
                    )
            elif run.state is RunState.LOST and _n_crashes(view, run.trial) <= MAX_RETRIES:
                at_step = run.latest.step if run.latest else 0.0
                yield Fork(
                    run_id=run.id, at_step=at_step, to_step=run.to_step, reason="retry",
                    author=Author.GUARD,
                )  # fmt: skip

    def _take(self, events: Sequence[Event]) -> None:
        runs = self._store.view().runs
        damaged = [
            Dropped(latest.run_id, latest.step, "damaged")
            for event in events
            if isinstance(event, Ended) and event.reason == DAMAGED
            if (latest := runs[event.run_id].latest)
        ]
        elapsed_s = self._before_s + self._clock() - self._began_s
        self._store.record([*events, *damaged, Ticked(elapsed_s)])
        for event in events:
            if isinstance(event, Saved):
                self._make_room(event.run_id)
            elif isinstance(event, Ended) and event.state is RunState.FAILED:
                self._give_up_if_hopeless(event)

    def _make_room(self, run_id: str) -> None:
        """Keep the newest and the best checkpoint of a run, and those that other runs came from."""
        view = self._store.view()
        run = view.runs[run_id]
        losses = [c for c in run.checkpoints if c.loss is not None]
        kept = {run.checkpoints[-1].step}
        kept |= {min(losses, key=lambda c: (c.loss, c.step)).step} if losses else set()
        kept |= {
            r.parent.step for r in view.runs.values() if r.parent and r.parent.run_id == run_id
        }
        gone = [c for c in run.checkpoints if c.step not in kept]
        self._store.record([Dropped(run_id, c.step, "superseded") for c in gone])
        for checkpoint in gone:
            path = self._store.paths.run(run_id).checkpoints / checkpoint.file
            path.unlink(missing_ok=True)

    def _give_up_if_hopeless(self, ended: Ended) -> None:
        runs = self._store.view().runs.values()
        failed = [run for run in runs if run.state is RunState.FAILED and not len(run.curve)]
        if len(failed) >= MAX_FIRST_FAILURES and not any(len(run.curve) for run in runs):
            self._store.record([Closed("failed")])
            raise TrainingError(
                f"the first {len(failed)} runs failed before they reported "
                f"{self._store.study.metric!r}; the study was ended.",
                ended.error,
            )

    def _end_if_due(self) -> None:
        if self._n_interrupts >= 2:
            self._executor.kill()
        if self._n_interrupts and self._closing != INTERRUPTED:
            self._close(INTERRUPTED)
        elif not self._closing and self._spent():
            self._close(BUDGET_END)

    def _close(self, reason: str) -> None:
        self._closing = reason
        for run in self._store.view().runs.values():
            if run.active:
                kind = Pause if run.pausable else Stop
                self.enact(kind(run_id=run.id, reason=reason, author=Author.GUARD))

    def _spent(self) -> bool:
        budget = self._store.study.budget
        elapsed_s = self._before_s + self._clock() - self._began_s
        if budget.time_s is not None and elapsed_s >= budget.time_s:
            return True
        return budget.n_steps is not None and n_steps(self._store.view()) >= budget.n_steps


def n_steps(view: StudyView) -> float:
    """Training steps of all runs; what a run inherits from its parent is not counted again."""
    runs = view.runs.values()
    return sum(run.step - (run.parent.step if run.parent else 0.0) for run in runs)


def _n_crashes(view: StudyView, trial: int) -> int:
    return sum(
        run.trial == trial and run.state is RunState.LOST and run.reason != TUNER_LOST
        for run in view.runs.values()
    )


def _checkpoint_at(run: Run, step: float) -> Checkpoint | None:
    known = [*run.checkpoints, *([run.parent] if run.parent else [])]
    return next((c for c in known if c.step == step), None)
