"""The user's own loop: what people ask for is handed out as its next task."""

from collections.abc import Sequence
from typing import Any, final

from luthier.contracts import Assignment
from luthier.core.action import Action
from luthier.core.event import Event, Refused


@final
class OwnLoopExecutor:
    """One place if the loop is asking, else none; a task that is out hears nothing."""

    def __init__(self, n_free: int) -> None:
        self.n_free = n_free
        self.assigned: list[Assignment] = []
        self._unheard: list[Event] = []

    def start(self, assignments: Sequence[Assignment]) -> None:
        """The loop's next task."""
        self.assigned += assignments
        self.n_free -= len(assignments)

    def send(self, run_id: str, number: int, action: Action, **more: Any) -> None:  # noqa: ANN401
        """Refuse: the loop may be anywhere."""
        why = f"run {run_id} is trained by a loop of its own, which hears no orders; it has to end"
        self._unheard.append(Refused(number, why))

    def events(self, timeout_s: float) -> Sequence[Event]:
        """The refusals."""
        unheard, self._unheard = self._unheard, []
        return unheard

    def kill(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
