"""Runs that are read from a table of stored curves, on a clock of their own: for simulations.

A discrete-event simulation: nothing trains and nobody waits. Each `events` call moves the clock to
the next step that some run finishes. The order is a function of the table and of what was asked.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from luthier.contracts import Assignment
from luthier.core.action import Action, Change, Continue, Pause, RollBack, Stop
from luthier.core.errors import TableError
from luthier.core.event import Ended, Event, Obeyed, Refused, Reported, RolledBack, Saved, Started
from luthier.core.study import Checkpoint, RunState
from luthier.tables import Table

Order = tuple[int, Action]


@final
@dataclass(slots=True, eq=False)
class _Replayed:
    """A run under way."""

    row: int
    step: int  # held by the last checkpoint or report
    to_step: float
    train_s: float
    due_s: float  # when the next step is done
    new: bool = True
    orders: deque[Order] = field(default_factory=deque)


@final
class ReplayExecutor:
    """`n_workers` places; a run of params p shows the stored curve of the table's point p.

    Of several repeats of a point, the study's seed and the trial say which is shown.
    """

    def __init__(self, table: Table, n_workers: int = 1) -> None:
        self._table = table
        self._n_workers = n_workers
        self._running: dict[str, _Replayed] = {}
        self._now_s = 0.0
        self._last: list[Event] = []

    def clock(self) -> float:
        """Simulated seconds since the beginning."""
        return self._now_s

    @property
    def n_free(self) -> int:
        """Places where nothing runs."""
        return self._n_workers - len(self._running)

    def start(self, assignments: Sequence[Assignment]) -> None:
        """Begin where the run's checkpoint stands."""
        for given in assignments:
            point = self._table.find(given.run.params)
            if point is None:
                raise TableError(
                    f"table {self._table.name} has no row for {dict(given.run.params)}; "
                    "wrap the policy in OnTable, which proposes only what the table holds."
                )
            repeats = self._table.rows[point]
            row = repeats[given.seed % len(repeats)]
            step = int(given.resume_from.step) if given.resume_from else 0
            run = _Replayed(row, step, given.run.to_step, given.run.train_s, 0.0)
            run.due_s = self._now_s + self._seconds(run)
            self._running[given.run.id] = run

    def send(self, run_id: str, number: int, action: Action, **more: Any) -> None:  # noqa: ANN401
        """Keep the action until the run's next step is done."""
        if run_id in self._running:
            self._running[run_id].orders.append((number, action))

    def events(self, timeout_s: float) -> Sequence[Event]:
        """What the next step brings that has something to tell; the time-out is not looked at.

        Of runs that are done together the one that started first comes first.
        """
        events, self._last = self._last, []
        while not events and self._running:
            events = self._next_step()
        return events

    def _next_step(self) -> list[Event]:
        """Of the run that is done first."""
        run_id = min(self._running, key=lambda name: self._running[name].due_s)
        run = self._running[run_id]
        self._now_s = run.due_s
        events: list[Event] = [Started(run_id, run.step, True)] if run.new else []
        run.new = False
        events += self._advance(run_id, run)
        if events and isinstance(events[-1], Ended):
            del self._running[run_id]
        else:
            run.due_s += self._seconds(run)
        return events

    def kill(self) -> None:
        """End all runs where they are."""
        self._last = [
            Ended(run_id, RunState.LOST, None, None, "killed") for run_id in self._running
        ]
        self._running.clear()

    def close(self) -> None:
        """Nothing is held."""
        self._running.clear()

    def _seconds(self, run: _Replayed) -> float:
        return float(self._table.step_s[run.row, min(run.step, self._table.max_steps - 1)])

    def _advance(self, run_id: str, run: _Replayed) -> list[Event]:
        """One more step of a run, and what was asked of it meanwhile."""
        table, row = self._table, run.row
        events: list[Event] = []
        if run.step < table.n_steps[row]:
            run.train_s += self._seconds(run)
            run.step += 1
            events += self._report(run_id, run)
        for number, action in run.orders:
            events += self._obey(run_id, run, number, action)
            if isinstance(events[-1], Ended):
                return events
        run.orders.clear()
        if run.step >= table.n_steps[row]:
            fate = RunState.FAILED if table.diverged[row] else RunState.COMPLETED
            why = "diverged" if table.diverged[row] else "done"
            return [*events, self._save(run_id, run), self._end(run_id, run, fate, why)]
        if run.step >= run.to_step:
            return [*events, *self._pause(run_id, run, "slice-end")]
        return events

    def _report(self, run_id: str, run: _Replayed) -> list[Event]:
        """Nothing at a step of which the row knows nothing, but for the one where it diverges."""
        loss = self._table.losses[run.row, run.step - 1]
        diverges = self._table.diverged[run.row] and run.step == self._table.n_steps[run.row]
        if np.isnan(loss) and not diverges:
            return []
        value = loss if self._table.goal == "minimize" else -loss
        rows = np.array([[run.step, run.train_s, value]])
        return [Reported(run_id, (self._table.metric,), rows)]

    def _obey(self, run_id: str, run: _Replayed, number: int, action: Action) -> list[Event]:
        obeyed = Obeyed(run_id, number, run.step)
        match action:
            case Continue(to_step=to_step):
                run.to_step = to_step
                return [obeyed]
            case Stop(reason=reason):
                return [obeyed, self._end(run_id, run, RunState.STOPPED, reason)]
            case Pause(reason=reason):
                return [obeyed, *self._pause(run_id, run, reason)]
            case RollBack(to_step=to_step) if not action.params:
                run.step = int(to_step)
                return [RolledBack(run_id, run.step), Obeyed(run_id, number, run.step)]
            case Change() | RollBack():
                return [Refused(number, "a stored curve cannot be changed while it is replayed")]
            case _:
                return [Refused(number, "not for a run under way")]

    def _pause(self, run_id: str, run: _Replayed, reason: str) -> list[Event]:
        return [self._save(run_id, run), self._end(run_id, run, RunState.PAUSED, reason)]

    def _save(self, run_id: str, run: _Replayed) -> Saved:
        loss = float(self._table.losses[run.row, run.step - 1]) if run.step else float("nan")
        known = loss if np.isfinite(loss) else None
        return Saved(run_id, Checkpoint(run_id, run.step, f"{run.step}.ckpt", 0, 0, known))

    def _end(self, run_id: str, run: _Replayed, state: RunState, reason: str) -> Ended:
        return Ended(run_id, state, run.step, run.train_s, reason)
