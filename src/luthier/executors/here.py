"""The run that the caller trains itself, in its own thread: the tuner listens in another.

For a plain script: the loop is the user's, and orders reach it as they reach any other run.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, final

from luthier.contracts import Assignment
from luthier.core.action import Action
from luthier.core.event import Ended, Event
from luthier.worker.link import Order, order_of
from luthier.worker.wire import WireReader

_POLL_S = 0.02


@final
class HereExecutor:
    """One place, for one start."""

    def __init__(self) -> None:
        self.link = _HereLink()
        self.assigned: queue.Queue[Assignment | BaseException] = queue.Queue()
        self._reader: WireReader | None = None
        self._started = False

    @property
    def n_free(self) -> int:
        """1 until the run has started."""
        return 0 if self._started else 1

    def start(self, assignments: Sequence[Assignment]) -> None:
        """Hand the assignment to the thread that trains."""
        (assignment,) = assignments
        self._started = True
        self._reader = WireReader(assignment.run.id, assignment.paths.wire, assignment.run.heard)
        self.assigned.put(assignment)

    def send(self, run_id: str, number: int, action: Action, **more: Any) -> None:  # noqa: ANN401
        """Pass an action on."""
        self.link.orders.append(order_of(number, action, **more))

    def events(self, timeout_s: float) -> Sequence[Event]:
        """Read the wire until something is there or the time is up."""
        if self._reader is None:
            return []
        deadline_s = time.monotonic() + timeout_s
        while not (events := self._reader.read()) and time.monotonic() < deadline_s:
            self.link.rung.wait(_POLL_S)
            self.link.rung.clear()
        if any(isinstance(event, Ended) for event in events):
            self._reader.close()
            self._reader = None
        return events

    def kill(self) -> None:
        """Ask the run to stop: code in the same process cannot be killed."""
        self.link.orders.append({"number": 0, "kind": "stop", "reason": "killed"})

    def close(self) -> None:
        """Close the wire."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None


@final
class _HereLink:
    """Orders between two threads."""

    def __init__(self) -> None:
        self.orders: deque[Order] = deque()
        self.rung = threading.Event()

    def poll(self) -> list[Order]:
        found = []
        while self.orders:
            found.append(self.orders.popleft())
        return found

    def ring(self) -> None:
        self.rung.set()
