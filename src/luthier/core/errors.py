"""One tree of errors; each class has a code that `luthier explain CODE` opens."""

from typing import ClassVar


class LuthierError(Exception):
    """What was given, what was expected, what to do; `code` opens the longer explanation."""

    code: ClassVar[str] = "E000"

    def __str__(self) -> str:
        return f"{super().__str__()} [{self.code}]"


class DomainError(LuthierError):
    """A Float, Int or Choice that cannot be."""

    code = "E101"


class ConditionError(LuthierError):
    """A `when=` that names nothing, or that goes round in a circle."""

    code = "E102"


class ConstraintError(LuthierError):
    """A constraint that cannot be read, evaluated, or met."""

    code = "E103"


class PointError(LuthierError):
    """Parameters that are not a point of the space."""

    code = "E104"


class TargetError(LuthierError):
    """The script or function to tune was not found, or cannot be tuned as it stands."""

    code = "E201"


class MetricError(LuthierError):
    """A report without the metric that was asked for, or with something that is no number."""

    code = "E202"


class TrainingError(LuthierError):
    """The user's training code raised; its own traceback is in `trace` and is shown first."""

    code = "E203"

    def __init__(self, message: str, trace: str = "") -> None:
        super().__init__(message)
        self.trace = trace


class AttachError(LuthierError):
    """Something was attached that cannot be saved and loaded."""

    code = "E204"


class LintError(LuthierError):
    """What was found before a study says that its training cannot work."""

    code = "E205"


class StoreError(LuthierError):
    """The store cannot be opened, read or written."""

    code = "E301"


class StudyError(LuthierError):
    """No such study, trial or run, or one of that name is there already."""

    code = "E302"


class BusyError(LuthierError):
    """Another process is tuning this study."""

    code = "E303"


class NewerStoreError(StoreError):
    """The store was brought up to date by a newer Luthier, which this one cannot write."""

    code = "E304"


class CheckpointError(LuthierError):
    """A checkpoint that is missing or damaged."""

    code = "E401"


class ReadBackError(LuthierError):
    """After a restore the optimizer holds other values than it should."""

    code = "E402"


class WorkerError(LuthierError):
    """The processes that train could not be started."""

    code = "E403"


class UnknownNameError(LuthierError):
    """A policy, sampler or executor that nobody registered."""

    code = "E501"


class OptionError(LuthierError):
    """An option with a value that means nothing."""

    code = "E502"


class PolicyError(LuthierError):
    """A policy that cannot work with this study."""

    code = "E503"


class TableError(LuthierError):
    """A table of learning curves that cannot be read or replayed."""

    code = "E601"


class KnowledgeError(LuthierError):
    """A knowledge file that does not keep to its schema."""

    code = "E701"


class RunSignal(BaseException):
    """Ends a run from inside the user's loop; a BaseException, so `except Exception` lets it by."""


class StopRun(RunSignal):
    """The run was told to stop."""


class PauseRun(RunSignal):
    """The run has saved its checkpoint and leaves its place to another."""
