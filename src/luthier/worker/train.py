"""One run from its assignment to its last word, in whatever process or thread this is."""

from luthier.contracts import Assignment
from luthier.core.errors import CheckpointError, LuthierError, MetricError, PauseRun, StopRun
from luthier.core.study import RunState
from luthier.worker import rng
from luthier.worker.link import Link
from luthier.worker.run import LiveRun, set_current
from luthier.worker.target import TrainFunction, user_traceback
from luthier.worker.wire import WireWriter

DAMAGED = "checkpoint-damaged"


def train(function: TrainFunction, assignment: Assignment, link: Link) -> None:
    """Call the user's function; whatever it does ends as exactly one `end` on the wire."""
    wire = WireWriter(assignment.paths.wire)
    run = LiveRun(assignment, wire=wire, link=link)
    rng.seed_everything(assignment.seed)
    set_current(run)
    try:
        run.finish(*_outcome(function, run, assignment))
    finally:
        set_current(None)
        wire.close()


def _outcome(
    function: TrainFunction, run: LiveRun, assignment: Assignment
) -> tuple[RunState, str, str]:
    try:
        function(run)
        study = assignment.study
        if not len(assignment.run.curve) and study.metric not in run.metrics:
            raise MetricError(
                f"the training ended without a report of {study.metric!r}; "
                f"it reported {sorted(run.metrics) or 'nothing'}. "
                f"Call run.report({study.metric}=…), or name another metric in @tune."
            )
    except StopRun as signal:
        return RunState.STOPPED, str(signal), ""
    except PauseRun as signal:
        return RunState.PAUSED, str(signal), ""
    except CheckpointError as error:
        return RunState.LOST, DAMAGED, str(error)
    except LuthierError as error:
        return RunState.FAILED, error.code, user_traceback(error)
    except SystemExit as signal:
        return RunState.FAILED, "system-exit", f"the training code called exit({signal.code!r})\n"
    except MemoryError as error:
        return RunState.FAILED, "out-of-memory", user_traceback(error)
    except Exception as error:
        return RunState.FAILED, "exception", user_traceback(error)
    return RunState.COMPLETED, "done", ""
