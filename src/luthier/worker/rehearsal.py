"""What a training function attaches: it is run up to its loop over `run.steps()`, no further."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, final

from luthier.core.domain import Value
from luthier.core.errors import StopRun
from luthier.worker.parameters import Parameters
from luthier.worker.run import set_current


@final
class Rehearsal:
    """Stands for the run; the loop's first question ends it."""

    id = ""
    trial = 0
    seed = 0
    step = 0.0

    def __init__(self, params: Mapping[str, Value]) -> None:
        self.params = Parameters(params)
        self.things: dict[str, Any] = {}

    def attach(self, **things: Any) -> None:  # noqa: ANN401
        """Keep what the function hands over."""
        self.things |= things

    def steps(self, n: int | None = None) -> Iterator[int]:
        """No step is taken."""
        raise StopRun("rehearsed")

    def report(self, *, step: float | None = None, **metrics: object) -> None:
        """Nothing is reported."""


def rehearse(function: Callable[[Any], object], params: Mapping[str, Value]) -> dict[str, Any]:
    """The attached things by name; errors of the function pass through."""
    run = Rehearsal(params)
    set_current(run)  # type: ignore[arg-type]  # it speaks as a LiveRun does, up to the loop
    try:
        function(run)
    except StopRun:
        pass
    finally:
        set_current(None)
    return run.things
