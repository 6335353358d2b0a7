"""Runs in this process, one at a time, in step with the tuner: breakpoints work.

The training code has a thread of its own, but only one side moves at a time: the training waits in
every `report()` and between two steps until the tuner has seen what is new and has decided.
"""

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, final

from luthier.contracts import Assignment
from luthier.core.action import Action
from luthier.core.event import Ended, Event
from luthier.core.study import RunState
from luthier.worker.link import Order, order_of
from luthier.worker.target import TrainFunction, user_traceback
from luthier.worker.train import train
from luthier.worker.wire import WireReader

_KILLED = "killed"


@final
class InlineExecutor:
    """This process; one run at a time."""

    def __init__(self, function: TrainFunction) -> None:
        self._function = function
        self._session: _Session | None = None

    @property
    def n_free(self) -> int:
        """1 when nothing trains."""
        return 0 if self._session else 1

    def start(self, assignments: Sequence[Assignment]) -> None:
        """Take the run; it trains during `events`."""
        for assignment in assignments:
            assert self._session is None, "started more runs than were free"
            self._session = _Session(self._function, assignment)

    def send(self, run_id: str, number: int, action: Action, **more: Any) -> None:  # noqa: ANN401
        """Pass an action on."""
        if self._session and self._session.run_id == run_id:
            self._session.link.orders.append(order_of(number, action, **more))

    def events(self, timeout_s: float) -> Sequence[Event]:
        """Let the run train until it has something to say; the time-out is not looked at."""
        if self._session is None:
            return []
        events, ended = self._session.advance()
        if ended:
            self._session = None
        return [_lost_if_killed(event) for event in events]

    def kill(self) -> None:
        """Ask the run to stop; code in the same process cannot be killed."""
        if self._session:
            self._session.link.orders.append({"number": 0, "kind": "stop", "reason": _KILLED})

    def close(self) -> None:
        """End what still trains."""
        self.kill()
        while self._session:
            self.events(0.0)


def _lost_if_killed(event: Event) -> Event:
    if isinstance(event, Ended) and event.state is RunState.STOPPED and event.reason == _KILLED:
        return replace(event, state=RunState.LOST)  # it may go on from its checkpoint
    return event


@final
class _TurnLink:
    """Hands the turn to the tuner at every poll and takes it back with the orders."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.to_tuner = threading.Semaphore(0)
        self.to_run = threading.Semaphore(0)

    def poll(self) -> list[Order]:
        self.to_tuner.release()
        self.to_run.acquire()
        orders, self.orders = self.orders, []
        return orders

    def ring(self) -> None:
        pass


@final
class _Session:
    """One start of one run."""

    def __init__(self, function: TrainFunction, assignment: Assignment) -> None:
        self.run_id = assignment.run.id
        self.link = _TurnLink()
        self._reader = WireReader(self.run_id, assignment.paths.wire, assignment.run.heard)
        self._broken = ""
        self._done = False
        self._thread = threading.Thread(
            target=self._train, args=(function, assignment), name=f"luthier-run-{self.run_id}"
        )

    def advance(self) -> tuple[list[Event], bool]:
        """Give the turn to the training until it comes back; what was said, and if it ended."""
        if self._thread.ident is None:
            self._thread.start()
        else:
            self.link.to_run.release()
        self.link.to_tuner.acquire()
        events = self._reader.read()
        if self._done:
            self._thread.join()
            self._reader.close()
            if not any(isinstance(event, Ended) for event in events):
                events.append(Ended(self.run_id, RunState.LOST, None, None, "broken", self._broken))
        return events, self._done

    def _train(self, function: TrainFunction, assignment: Assignment) -> None:
        try:
            train(function, assignment, self.link)
        except BaseException as error:
            self._broken = user_traceback(error)
        finally:
            self._done = True
            self.link.to_tuner.release()
