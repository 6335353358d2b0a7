"""One run from its assignment to its last word, in whatever process or thread this is."""

from collections.abc import Iterator
from contextlib import contextmanager

from luthier.contracts import Assignment
from luthier.core.errors import (
    CheckpointError,
    LuthierError,
    MetricError,
    PauseRun,
    RunSignal,
    StopRun,
)
from luthier.core.study import RunState
from luthier.worker import rng
from luthier.worker.link import Link
from luthier.worker.run import LiveRun, set_current
from luthier.worker.target import TrainFunction, user_traceback
from luthier.worker.wire import WireWriter

DAMAGED = "checkpoint-damaged"


Ending = tuple[RunState, str, str]  # state, reason, words


def train(function: TrainFunction, assignment: Assignment, link: Link) -> None:
    """Call the user's function; whatever it does ends as exactly one `end` on the wire."""
    with training(assignment, link) as run:
        function(run)


@contextmanager
def training(assignment: Assignment, link: Link, *, tell: bool = False) -> Iterator[LiveRun]:
    """The run, for the code in the block; stop and pause end the block quietly.

    Errors of the code end it quietly too: they are in the store. With `tell` they are raised again.
    """
    wire = WireWriter(assignment.paths.wire)
    run = LiveRun(assignment, wire=wire, link=link)
    rng.seed_everything(assignment.seed)
    set_current(run)
    error: BaseException | None = None
    try:
        try:
            yield run
            _check_reported(run, assignment)
        except BaseException as caught:
            error = caught
        run.finish(*_ending(error))
    finally:
        set_current(None)
        wire.close()
    if isinstance(error, KeyboardInterrupt) or (
        tell and error is not None and not isinstance(error, RunSignal)
    ):
        raise error


def _check_reported(run: LiveRun, assignment: Assignment) -> None:
    metric = assignment.study.metric
    if not len(assignment.run.curve) and metric not in run.metrics:
        raise MetricError(
            f"the training ended without a report of {metric!r}; "
            f"it reported {sorted(run.metrics) or 'nothing'}. "
            f"Call run.report({metric}=…), or name another metric in @tune."
        )


def _ending(error: BaseException | None) -> Ending:
    match error:
        case None:
            return RunState.COMPLETED, "done", ""
        case StopRun():
            return RunState.STOPPED, str(error), ""
        case PauseRun():
            return RunState.PAUSED, str(error), ""
        case CheckpointError():
            return RunState.LOST, DAMAGED, str(error)
        case LuthierError():
            return RunState.FAILED, error.code, user_traceback(error)
        case SystemExit():
            words = f"the training code called exit({error.code!r})\n"
            return RunState.FAILED, "system-exit", words
        case KeyboardInterrupt():
            return RunState.LOST, "interrupted", "interrupted by the keyboard"
        case MemoryError():
            return RunState.FAILED, "out-of-memory", user_traceback(error)
        case _:
            return RunState.FAILED, "exception", user_traceback(error)
