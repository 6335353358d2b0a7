"""The one loop. Panda and caviar differ only in the policy that is asked.

Whatever is done to a run goes through `enact`: recorded first, then carried out.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import final

from luthier.contracts import Assignment, Executor, Policy, Store
from luthier.core.action import (
    Action,
    Author,
    Change,
    Continue,
    Fork,
    Hold,
    Mark,
    Pause,
    Release,
    RollBack,
    Start,
    Stop,
)
from luthier.core.course import check_extra, extras, is_extra
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
from luthier.core.lineage import checkpoint_at, forked, no_checkpoint
from luthier.core.person import for_policies, is_in_hand, waits_for_a_person
from luthier.core.retention import least_promising, n_bytes, spare, superseded
from luthier.core.study import Checkpoint, Run, RunState, StudyView, Trial
from luthier.core.unfinished import (
    BUDGET_END,
    CUT_OFF,
    INTERRUPTED,
    RELEASED,
    lease_of,
    unfinished,
)
from luthier.worker.inbox import collect, settle
from luthier.worker.train import DAMAGED

_WAIT_S, _INBOX_S = 0.25, 0.2
_MAX_FIRST_FAILURES = 3  # a study whose first runs all fail is ended


@final
class Tuner:
    """Asks the policy, has the executor obey, and keeps what happened in the store."""

    def __init__(
        self,
        store: Store,
        policy: Policy,
        executor: Executor,
        *,
        disk_bytes: float | None = None,
        observe: Callable[[StudyView], None] = lambda view: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._policy = policy
        self._executor = executor
        self._disk_bytes = disk_bytes  # all checkpoints of the study together
        self._observe = observe
        self._clock = clock
        self._actions = len(store.diary())
        self._before_s = store.view().elapsed_s
        self._began_s = clock()
        self._inbox_s = -math.inf
        self._n_interrupts = 0
        self._closing = ""
        self._leaving: set[str] = set()  # training runs that were told to stop or to pause
        self._later: dict[str, Action] = {}  # by ticket: what such runs are to do when they left

    def run(self) -> StudyView:
        """Tune until the policy, the budget or the user ends it."""
        self._store.record([Closed("")])
        while True:
            self._end_if_due()
            n_asked = self._decide()
            view = self._store.view()
            self._observe(view)
            training = any(run.active for run in view.runs.values())
            if not training and (self._closing or not n_asked):
                self._end_if_due()  # an interrupt may have come while the policy thought
                break
            self._take(self._executor.events(_WAIT_S if training else 0.0))
        if self._closing != INTERRUPTED and (self._closing or not self._waits_for_a_human()):
            self._store.record([Closed(self._closing or "finished")])
        self._observe(self._store.view())
        return self._store.view()

    def attend(self) -> None:
        """Enact what humans have asked for, once; nothing is asked of the policy."""
        waiting = {**self._later, **dict(self._orders())}
        self._later = {}
        for ticket, action in waiting.items():
            if self._must_wait(action):
                self._later[ticket] = action
                continue
            self.enact(action, ticket)
            settle(self._store.paths.orders, ticket)

    def _must_wait(self, action: Action) -> bool:
        """What a run is asked waits until it has left, or it would not hear it; a resume and a fork
        also until there is a place, and after an interrupt for the next sitting. A budget that is
        spent binds policies, not people."""
        if isinstance(action, Start | Stop):
            return False
        if action.run_id in self._leaving and not isinstance(action, Fork):
            return True
        no_place = self._executor.n_free < 1 or self._closing == INTERRUPTED
        if isinstance(action, Fork):
            return no_place
        run = self._store.view().runs.get(action.run_id)
        paused = run is not None and run.state is RunState.PAUSED
        return no_place and paused and isinstance(action, Continue)

    def interrupt(self) -> int:
        """Once: pause every run. Twice: kill them. Returns which it was; safe in a signal handler.

        What was killed goes on from its last checkpoint when the study is resumed.
        """
        self._n_interrupts += 1
        return self._n_interrupts

    def enact(self, action: Action, ticket: str = "") -> None:
        """Record an action, and carry it out or refuse it."""
        self._actions += 1
        number = self._actions
        asked = Asked(number, action, time.time(), ticket)
        try:
            events, act = self._plan(number, action)
        except (PointError, OverflowError) as error:
            events, act = [Refused(number, str(error.args[0]))], None
        self._store.record([asked, *events])
        if act is not None:
            act()

    def _plan(self, number: int, action: Action) -> tuple[list[Event], Callable[[], None] | None]:
        """What to record before acting, and the act."""
        view = self._store.view()
        if isinstance(action, Start):
            new = Trial(len(view.trials), view.study.space.cast(action.params))
            return self._new_run(number, view, action, new)
        run = view.runs.get(action.run_id)
        if run is None:
            return [Refused(number, f"no run {action.run_id!r}")], None
        if isinstance(action, Fork):
            return self._fork(number, view, run, action)
        if run.state.ended:
            return [Refused(number, f"run {run.id} has ended ({run.state})")], None
        if isinstance(action, Change | RollBack):
            self._check_live(view, run, action.params)
        if isinstance(action, RollBack):
            return self._roll_back(number, run, action)
        if isinstance(action, Hold | Release):
            return self._hold(number, view, run, action)
        if run.active:
            if isinstance(action, Stop | Pause):
                self._leaving.add(run.id)
            grown: list[Event] = (
                [Queued(run.id, action.to_step)] if isinstance(action, Continue) else []
            )
            return grown, lambda: self._executor.send(run.id, number, action)
        match action:
            case Continue(to_step=to_step):
                events: list[Event] = [Queued(run.id, to_step), Obeyed(run.id, number, run.step)]
                going = replace(run, to_step=to_step, state=RunState.PENDING)
                return events, lambda: self._start(going, run.latest)
            case Change(at_step=at_step) if at_step is not None and at_step > run.step:
                return [], None  # handed to the run when it goes on
            case Change(params=changed):
                before = {name: run.params.get(name) for name in changed}
                return [Obeyed(run.id, number, run.step, {}, changed, before)], None
            case Stop(reason=reason):
                end = Ended(run.id, RunState.STOPPED, None, None, reason)
                return [Obeyed(run.id, number, run.step), end], None
            case Pause(reason=reason) if not waits_for_a_person(view, run):  # it stays: say why
                stays = Ended(run.id, RunState.PAUSED, None, None, reason)
                return [Obeyed(run.id, number, run.step), stays], None
            case Mark(reason=name) if run.checkpoints and run.checkpoints[-1].step == run.step:
                here = run.checkpoints[-1]
                kept = ", ".join(filter(None, (here.kept, f"mark: {name}")))
                marked = Saved(run.id, replace(here, kept=kept))
                return [marked, Obeyed(run.id, number, run.step)], None
            case Mark():
                return [Refused(number, no_checkpoint(run, run.step))], None
            case _:
                return [Refused(number, f"run {run.id} is {run.state} already")], None

    def _new_run(
        self,
        number: int,
        view: StudyView,
        action: Start | Fork,
        trial: Trial,
        params: Mapping[str, Value] | None = None,
        parent: Checkpoint | None = None,
        before: Mapping[str, Value] | None = None,
    ) -> tuple[list[Event], Callable[[], None]]:
        attempt = sum(run.trial == trial.number for run in view.runs.values())
        run = Run(f"{trial.number}.{attempt}", trial.number, params or trial.params,
                  action.to_step, parent, seed=getattr(action, "seed", None))  # fmt: skip
        planned: list[Event] = []
        for at_step, changes in action.plan:
            self._check_live(view, run, changes)
            self._actions += 1
            change = Change(run_id=run.id, params=changes, at_step=at_step, reason=action.reason,
                            author=action.author)  # fmt: skip
            planned.append(Asked(self._actions, change, time.time()))
        obeyed = Obeyed(run.id, number, parent.step if parent else 0.0, before=before or {})
        return [Proposed(run, trial), obeyed, *planned], lambda: self._start(
            self._store.view().runs[run.id], parent
        )

    def _fork(
        self, number: int, view: StudyView, run: Run, action: Fork
    ) -> tuple[list[Event], Callable[[], None] | None]:
        parent = checkpoint_at(view, run, action.at_step)
        if parent is None and action.at_step > 0:
            return [Refused(number, no_checkpoint(run, action.at_step))], None
        if self._executor.n_free < 1:
            return [Refused(number, "no place is free")], None
        trial = view.trials[run.trial]
        asked = {**run.params, **action.params}
        changed = forked(view.study, run, action)
        # from nothing: what the run has met since is not for another that begins anew
        params = {**changed, **extras(asked if parent else action.params)}
        for name, points in extras(action.params).items():
            check_extra(name, points)
        if not action.params or changed == dict(trial.params):
            new = trial
        else:
            new = Trial(len(view.trials), changed)
        before = {name: run.params[name] for name in action.params if name in run.params}
        return self._new_run(number, view, action, new, params, parent, before)

    def _roll_back(
        self, number: int, run: Run, action: RollBack
    ) -> tuple[list[Event], Callable[[], None] | None]:
        to = checkpoint_at(self._store.view(), run, action.to_step)
        if to is None:
            return [Refused(number, no_checkpoint(run, action.to_step))], None
        if run.active:
            path = str(self._store.paths.run(to.run_id).checkpoints / to.file)
            return [], lambda: self._executor.send(
                run.id, number, action, checkpoint=asdict(to), path=path
            )
        before = {name: run.params.get(name) for name in action.params}
        obeyed = Obeyed(run.id, number, to.step, {}, action.params, before)
        later = [c for c in run.checkpoints if c.step > to.step]
        return [RolledBack(run.id, to.step), obeyed], lambda: self._unlink(later)

    def _hold(
        self, number: int, view: StudyView, run: Run, action: Hold | Release
    ) -> tuple[list[Event], Callable[[], None] | None]:
        obeyed = Obeyed(run.id, number, run.step)
        lease = Queued(run.id, lease_of(view, run))
        if not run.active and isinstance(action, Release):
            return [lease, Ended(run.id, RunState.PAUSED, None, None, RELEASED), obeyed], None
        if not run.active or (isinstance(action, Release) and not run.pausable):
            return [obeyed], None
        if isinstance(action, Release):
            self._leaving.add(run.id)
            pause = Pause(run_id=run.id, reason=RELEASED, author=action.author)
            return [lease, obeyed], lambda: self._executor.send(run.id, 0, pause)
        to_step = view.study.max_steps or math.inf
        onward = Continue(run_id=run.id, to_step=to_step, reason=action.reason)
        return [Queued(run.id, to_step), obeyed], lambda: self._executor.send(run.id, 0, onward)

    def _check_live(self, view: StudyView, run: Run, params: Mapping[str, Value]) -> None:
        domains = view.study.space.domains
        for name, value in params.items():
            if is_extra(name):
                check_extra(name, value)
                continue
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
        seed = study.trial_seed(run.trial) if run.seed is None else run.seed
        plan = tuple(
            (entry.number, entry.action)
            for entry in self._store.diary()
            if entry.run_id == run.id and entry.state == "asked"
            and isinstance(entry.action, Change)
        )  # fmt: skip
        self._executor.start(
            [Assignment(study, run, resume_from, seed, paths.run(run.id), path, plan)]
        )

    def _decide(self) -> int:
        """Enact what guards, humans and the policy ask for; how many actions."""
        before = self._actions
        self.attend()
        if not self._closing:
            for action in unfinished(self._store.view()):
                if self._executor.n_free:
                    self.enact(action)
            view = self._view()
            for action in self._policy.decide(view):
                # told already: a policy sees the run in its picture until it has left
                told = isinstance(action, Stop | Pause) and action.run_id in self._leaving
                if not told and not is_in_hand(view, action):
                    self.enact(action)
        return self._actions - before

    def _view(self) -> StudyView:
        view = self._store.view(self._executor.n_free)
        n_trials = view.study.budget.n_trials
        n_new = view.n_free if n_trials is None else max(0, n_trials - len(view.trials))
        return replace(view, n_new=n_new, runs=for_policies(view))

    def _waits_for_a_human(self) -> bool:
        """Whether a run was paused by a person, or for one to say how it goes on."""
        view = self._store.view()
        return any(waits_for_a_person(view, run) for run in view.runs.values())

    def _orders(self) -> list[tuple[str, Action]]:
        now_s = self._clock()
        if now_s - self._inbox_s < _INBOX_S:
            return []
        self._inbox_s = now_s
        found = collect(self._store.paths.orders)
        if not found:
            return []
        known = {entry.ticket for entry in self._store.diary()}  # from before a crash
        return [(ticket, action) for ticket, action in found if ticket not in known]

    def _take(self, events: Sequence[Event]) -> None:
        runs = self._store.view().runs
        damaged = [
            Dropped(latest.run_id, latest.step, "damaged")
            for event in events
            if isinstance(event, Ended) and event.reason == DAMAGED
            if (latest := runs[event.run_id].latest)
        ]
        elapsed_s = self._before_s + self._clock() - self._began_s
        unheard = [
            Refused(entry.number, f"the run had {event.state} before it could obey")
            for event in events
            if isinstance(event, Ended)
            for entry in self._store.diary()
            if entry.run_id == event.run_id and entry.state == "asked"
            and _dies_with(event, entry.action)
            and not any(getattr(e, "number", None) == entry.number for e in events)
        ]  # fmt: skip
        undone = [
            c
            for event in events
            if isinstance(event, RolledBack)
            for c in runs[event.run_id].checkpoints
            if c.step > event.step
        ]
        self._store.record([*events, *damaged, *unheard, Ticked(elapsed_s)])
        self._unlink([c for c in undone if c not in self._store.view().runs[c.run_id].checkpoints])
        for event in events:
            if isinstance(event, Refused):
                self._stays(event)
            if isinstance(event, Saved | Ended):
                self._make_room(event.run_id)
            if isinstance(event, Ended):
                self._leaving.discard(event.run_id)
                if event.state in (RunState.FAILED, RunState.LOST):
                    self._give_up_if_hopeless(event)

    def _stays(self, refused: Refused) -> None:
        """A run that will not pause does not leave."""
        for entry in self._store.diary():
            if entry.number == refused.number and isinstance(entry.action, Pause):
                self._leaving.discard(entry.run_id)

    def _make_room(self, run_id: str) -> None:
        held = self._held()
        forks_before = getattr(self._policy, "forks_before", None)
        gone = superseded(self._store.view(), run_id, held, forks_before)
        self._delete(gone, "superseded")
        if self._disk_bytes is None:
            return
        self._delete(spare(self._store.view(), self._disk_bytes, held), "disk-limit")
        while n_bytes(self._store.view()) > self._disk_bytes:
            hopeless = least_promising(self._store.view())
            if hopeless is None:
                break  # what is left, actions may still need
            self.enact(Stop(run_id=hopeless.id, reason="disk-limit", author=Author.GUARD))
            self._delete(spare(self._store.view(), self._disk_bytes, held), "disk-limit")

    def _held(self) -> set[tuple[str, float]]:
        """Checkpoints that an action under way will read, or one that waits for a place."""
        view = self._store.view()
        asked = [entry.action for entry in view.diary if entry.state == "asked"]
        held = set()
        for action in (*asked, *self._later.values()):
            if isinstance(action, RollBack | Fork) and action.run_id in view.runs:
                step = action.to_step if isinstance(action, RollBack) else action.at_step
                if there := checkpoint_at(view, view.runs[action.run_id], step):
                    held.add((there.run_id, there.step))
        return held

    def _delete(self, gone: Sequence[Checkpoint], reason: str) -> None:
        self._store.record([Dropped(c.run_id, c.step, reason) for c in gone])
        self._unlink(gone)

    def _unlink(self, gone: Sequence[Checkpoint]) -> None:
        for checkpoint in gone:
            folder = self._store.paths.run(checkpoint.run_id).checkpoints
            (folder / checkpoint.file).unlink(missing_ok=True)

    def _give_up_if_hopeless(self, ended: Ended) -> None:
        runs = self._store.view().runs.values()
        died = (RunState.FAILED, RunState.LOST)
        dead = [r for r in runs if r.state in died and r.reason not in CUT_OFF]
        if len(dead) >= _MAX_FIRST_FAILURES and not any(len(run.curve) for run in runs):
            self._store.record([Closed("failed")])
            raise TrainingError(
                f"the first {len(dead)} runs ended ({ended.reason}) before they reported "
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


def _dies_with(ended: Ended, action: Action) -> bool:
    """Whether an action is void with the run's end: a planned change waits for the run to go on."""
    if isinstance(action, Start | Fork):
        return False
    waits = isinstance(action, Change) and action.at_step is not None
    return ended.state.ended or not waits
