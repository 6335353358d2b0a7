"""No place to train: for acting on paused runs of a study that nobody tunes."""

from collections.abc import Sequence
from typing import Any, final

from luthier.contracts import Assignment
from luthier.core.action import Action
from luthier.core.event import Event


@final
class NowhereExecutor:
    """Nothing can be started, and nothing happens."""

    n_free = 0

    def start(self, assignments: Sequence[Assignment]) -> None:
        """Never called: no place is free."""
        raise AssertionError("started a run where there is no place")

    def send(self, run_id: str, number: int, action: Action, **more: Any) -> None:  # noqa: ANN401
        """Nobody is there to hear it."""

    def events(self, timeout_s: float) -> Sequence[Event]:
        """Nothing."""
        return []

    def kill(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
