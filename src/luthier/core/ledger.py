"""The study as it follows from its events: the one place that says what an event changes.

Stores keep a ledger beside what they write, so that a view costs nothing to have.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import final

import numpy as np

from luthier.core.action import Hold, Release, Start
from luthier.core.curve import Curve, Series
from luthier.core.entry import Entry as Entry
from luthier.core.event import (
    Asked,
    Closed,
    Dropped,
    Ended,
    Event,
    Heard,
    Noted,
    Obeyed,
    Proposed,
    Queued,
    Refused,
    Reported,
    RolledBack,
    Saved,
    Started,
    Ticked,
)
from luthier.core.study import Checkpoint, Run, RunState, Study, StudyView, Trial


@final
class Ledger:
    """Runs, trials, checkpoints and diary of one study, kept up to date event by event."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.trials: dict[int, Trial] = {}
        self.runs: dict[str, Run] = {}
        self.diary: dict[int, Entry] = {}
        self.elapsed_s = 0.0
        self.closed = ""
        self._n_obeyed = 0
        self._losses: dict[str, Series] = {}
        self._grown: set[str] = set()  # runs whose frozen curve is older than their series

    def apply(self, events: Iterable[Event]) -> set[str]:
        """Take in what happened; returns the ids of the runs that changed."""
        changed = {run_id for event in events if (run_id := self._apply(event))}
        for run_id in self._grown:
            self.runs[run_id] = replace(self.runs[run_id], curve=self._losses[run_id].freeze())
        self._grown.clear()
        return changed

    def restore(self, run: Run) -> None:
        """Put a run that was read from a store in its place."""
        self.runs[run.id] = self._with_origin(run)

    def restore_entry(self, entry: Entry) -> None:
        """Put an action that was read from a store in its place."""
        self.diary[entry.number] = entry
        self._n_obeyed = max(self._n_obeyed, entry.obeyed)

    def view(self, n_free: int = 0, n_new: int = 0) -> StudyView:
        """The picture as it stands; later events do not change it."""
        return StudyView(
            self.study, dict(self.trials), dict(self.runs), n_free, n_new, self.elapsed_s,
            tuple(self.diary.values()),
        )  # fmt: skip

    def _apply(self, event: Event) -> str | None:
        match event:
            case Reported(run_id=run_id):
                self._report(event)
                return run_id
            case Heard(run_id=run_id, n_bytes=n_bytes):
                self._update(run_id, heard=n_bytes)
                return run_id
            case Proposed(run=run, trial=trial):
                self.trials[trial.number] = trial
                parent = run.parent
                if parent and parent.run_id in self.runs:
                    inherited = self.runs[parent.run_id].curve.until(parent.step)
                    run = replace(run, curve=inherited, step=parent.step)
                self.runs[run.id] = self._with_origin(run)
                return run.id
            case Queued(run_id=run_id, to_step=to_step):
                state = self.runs[run_id].state
                state = RunState.PENDING if state is RunState.PAUSED else state
                self._update(run_id, to_step=to_step, state=state)
                return run_id
            case Started(run_id=run_id):
                self._start(event)
                return run_id
            case Saved(run_id=run_id, checkpoint=checkpoint):
                others = (c for c in self.runs[run_id].checkpoints if c.step != checkpoint.step)
                self._update(run_id, checkpoints=_by_step([*others, checkpoint]))
                return run_id
            case Dropped(run_id=run_id, step=step):
                rest = [c for c in self.runs[run_id].checkpoints if c.step != step]
                self._update(run_id, checkpoints=_by_step(rest))
                return run_id
            case RolledBack(run_id=run_id, step=step):
                self._series(run_id).truncate(step)
                self._grown.add(run_id)
                held = tuple(c for c in self.runs[run_id].checkpoints if c.step <= step)
                self._update(run_id, step=step, checkpoints=held)
                return run_id
            case Ended(run_id=run_id):
                self._end(event)
                return run_id
            case Obeyed(run_id=run_id):
                self._obeyed(event)
                return run_id
            case _:
                self._apply_to_study(event)
                return None

    def _apply_to_study(self, event: Event) -> None:
        match event:
            case Asked(number=number, action=action, time_s=time_s, ticket=ticket):
                run_id = "" if isinstance(action, Start) else action.run_id
                self.diary[number] = Entry(number, action, time_s, run_id, ticket=ticket)
            case Noted(number=number, words=words):
                self.diary[number] = replace(self.diary[number], why=words)
            case Refused(number=number, why=why):
                self.diary[number] = replace(self.diary[number], state="refused", why=why)
            case Ticked(elapsed_s=elapsed_s):
                self.elapsed_s = elapsed_s
            case Closed(reason=reason):
                self.closed = reason
            case _:
                raise AssertionError(f"an event that the ledger does not know: {event!r}")

    def _with_origin(self, run: Run) -> Run:
        """With the step from which on its curve is its own point's."""
        if run.parent is None or run.parent.run_id not in self.runs:
            return run
        came_from = self.runs[run.parent.run_id]
        same = came_from.trial == run.trial
        return replace(run, own_from=came_from.own_from if same else run.parent.step)

    def _obeyed(self, event: Obeyed) -> None:
        entry, run = self.diary[event.number], self.runs[event.run_id]
        self._n_obeyed += 1
        self.diary[event.number] = replace(
            entry, run_id=run.id, state="obeyed", step=event.step, read_back=event.read_back,
            before=event.before, obeyed=self._n_obeyed,
        )  # fmt: skip
        self._update(
            run.id,
            params={**run.params, **event.params},
            read_back=event.read_back or run.read_back,
            held=isinstance(entry.action, Hold)
            or (run.held and not isinstance(entry.action, Release)),
        )

    def _report(self, event: Reported) -> None:
        rows = event.rows
        if self.study.metric in event.metrics:
            values = rows[:, 2 + event.metrics.index(self.study.metric)]
            losses = values if self.study.goal == "minimize" else -values
            self._series(event.run_id).extend(rows[:, 0], losses)
            self._grown.add(event.run_id)
        self._update(event.run_id, step=float(rows[-1, 0]), train_s=float(rows[-1, 1]))

    def _start(self, event: Started) -> None:
        run = self.runs[event.run_id]
        self._update(
            run.id, state=RunState.RUNNING, step=event.step, pausable=event.pausable,
            read_back=event.read_back, n_starts=run.n_starts + (event.train_s is not None),
            train_s=run.train_s if event.train_s is None else event.train_s,
            pausing_s=run.pausing_s + _since(run, event.train_s),
        )  # fmt: skip

    def _end(self, event: Ended) -> None:
        run = self.runs[event.run_id]
        # training since the newest report would count for pausing
        paused = event.state is RunState.PAUSED and run.n_starts > 0 and event.step == run.step
        self._update(
            event.run_id,
            state=event.state,
            step=run.step if event.step is None else event.step,
            train_s=run.train_s if event.train_s is None else event.train_s,
            reason=event.reason,
            error=event.error,
            pausing_s=run.pausing_s + (_since(run, event.train_s) if paused else 0.0),
        )

    def _series(self, run_id: str) -> Series:
        if run_id not in self._losses:
            self._losses[run_id] = Series(self.runs[run_id].curve)
        return self._losses[run_id]

    def _update(self, run_id: str, **fields: object) -> None:
        self.runs[run_id] = replace(self.runs[run_id], **fields)  # type: ignore[arg-type]


def _since(run: Run, train_s: float | None) -> float:
    """Seconds since the run's last report or end."""
    return 0.0 if train_s is None else max(0.0, train_s - run.train_s)


def _by_step(checkpoints: Iterable[Checkpoint]) -> tuple[Checkpoint, ...]:
    return tuple(sorted(checkpoints, key=lambda c: c.step))


Batch = tuple[float | None, tuple[str, ...], np.ndarray]


def merge_metrics(batches: Iterable[Batch]) -> dict[str, Curve]:
    """Curves of all metrics from batches of rows in the order they were reported.

    A batch is (step, names, rows): `step` is set where the run was rolled back to it before the
    batch, and rows has shape (n, 2 + m) as in `Reported`.
    """
    return merge_branches(batches)[-1]


def merge_branches(batches: Iterable[Batch]) -> list[dict[str, Curve]]:
    """The curves as they stood before each rollback, and last as they stand now."""
    branches = []
    series: dict[str, Series] = {}
    for back_to, names, rows in batches:
        if back_to is not None:
            branches.append({name: one.freeze() for name, one in series.items()})
            for one in series.values():
                one.truncate(back_to)
        for column, name in enumerate(names):
            series.setdefault(name, Series()).extend(rows[:, 0], rows[:, 2 + column])
    return [*branches, {name: one.freeze() for name, one in series.items()}]
