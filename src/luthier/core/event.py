"""What happened: all that an executor says, a tuner decides, and a store keeps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.core.action import Action
from luthier.core.domain import Value
from luthier.core.study import Checkpoint, Run, RunState, Trial


@final
@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody asked for an action; recorded before anything is done about it."""

    number: int  # 1, 2, … within the study
    action: Action
    time_s: float  # seconds since the epoch
    ticket: str = ""  # by which whoever asked from outside finds the answer


@final
@dataclass(frozen=True, slots=True)
class Proposed:
    """A run exists from now on, though nothing trains yet."""

    run: Run
    trial: Trial


@final
@dataclass(frozen=True, slots=True)
class Queued:
    """A paused run is to train again up to `to_step`, or a running one further than planned."""

    run_id: str
    to_step: float


@final
@dataclass(frozen=True, slots=True)
class Started:
    """The training loop has begun, or begun again, holding `step` steps of training."""

    run_id: str
    step: float
    pausable: bool
    read_back: Mapping[str, Value] = field(default_factory=dict)  # what the optimizer holds
    train_s: float | None = None  # at this moment; None: not known


@final
@dataclass(frozen=True, slots=True, eq=False)
class Reported:
    """Some reports of one run with the same metrics, in order."""

    run_id: str
    metrics: tuple[str, ...]  # m names
    rows: NDArray[np.float64]  # (n, 2 + m): step, train_s, values


@final
@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint is on the disk, whole."""

    run_id: str
    checkpoint: Checkpoint


@final
@dataclass(frozen=True, slots=True)
class Dropped:
    """A checkpoint is no more: deleted to make room, or found damaged."""

    run_id: str
    step: float
    reason: str


@final
@dataclass(frozen=True, slots=True)
class Obeyed:
    """An action took effect at `step`.

    `read_back` and `before` hold the live values found in the optimizer and the modules after and
    before it.
    """

    run_id: str
    number: int
    step: float
    read_back: Mapping[str, Value] = field(default_factory=dict)
    params: Mapping[str, Value] = field(default_factory=dict)  # the live parameters it changed
    before: Mapping[str, Value] = field(default_factory=dict)


@final
@dataclass(frozen=True, slots=True)
class Refused:
    """An action was not carried out, and why."""

    number: int
    why: str


@final
@dataclass(frozen=True, slots=True)
class Noted:
    """Something to know about an action that was obeyed: a scheduler has overwritten it, say."""

    run_id: str
    number: int
    words: str


@final
@dataclass(frozen=True, slots=True)
class RolledBack:
    """The run stands at `step` again; what it reported after that is history."""

    run_id: str
    step: float


@final
@dataclass(frozen=True, slots=True)
class Ended:
    """The run's process is done with it: for now (PAUSED) or for good."""

    run_id: str
    state: RunState
    step: float | None  # None: not known, the newest report counts
    train_s: float | None
    reason: str = ""
    error: str = ""


@final
@dataclass(frozen=True, slots=True)
class Heard:
    """The run's wire has been read up to this byte; what lies before is in the store."""

    run_id: str
    n_bytes: int


@final
@dataclass(frozen=True, slots=True)
class Ticked:
    """Seconds of tuning so far, all sittings together."""

    elapsed_s: float


@final
@dataclass(frozen=True, slots=True)
class Closed:
    """The study has ended and why; an empty reason opens it again."""

    reason: str


Event = (
    Asked
    | Proposed
    | Queued
    | Started
    | Reported
    | Saved
    | Dropped
    | Obeyed
    | Refused
    | Noted
    | RolledBack
    | Ended
    | Heard
    | Ticked
    | Closed
)
