"""The whole extension surface: four Protocols. Players see frozen data, never the live study."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, final, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from luthier.core.action import Action, Change
from luthier.core.curve import Curve
from luthier.core.event import Event
from luthier.core.ledger import Entry
from luthier.core.paths import RunPaths, StudyPaths
from luthier.core.study import Checkpoint, Run, Study, StudyView


class Sampler(Protocol):
    """Proposes new points."""

    def suggest(
        self, view: StudyView, n: int, rng: np.random.Generator
    ) -> NDArray[np.float64]:  # (<= n, d) in the unit cube; fewer rows: no more points to give
        """A function of its arguments: nothing is kept between calls.

        The points already proposed are `view.trials`, numbered in the order they were drawn.
        """
        ...


@runtime_checkable
class ListedSampler(Sampler, Protocol):
    """A sampler with a list of points beside which it has none, such as the rows of a table."""

    @property
    def places(self) -> Sequence[Sequence[float]]:
        """All of them in the unit cube, m rows of d numbers."""
        ...


class Policy(Protocol):
    """Decides what trains next and what changes."""

    def decide(self, view: StudyView) -> Sequence[Action]:
        """Called whenever something happened; at most `view.n_free` actions may need a place.

        A function of the view. Random numbers come from `view.study.rng`. No action while nothing
        trains means that the study is finished.
        """
        ...


@final
@dataclass(frozen=True, slots=True)
class Assignment:
    """All a worker needs to train one run."""

    study: Study
    run: Run
    resume_from: Checkpoint | None
    seed: int
    paths: RunPaths
    resume_path: str = ""  # the checkpoint's file, which may belong to a parent run
    plan: tuple[tuple[int, Change], ...] = ()  # numbers and changes that wait for their step
    environment: Mapping[str, str] = field(default_factory=dict)  # set by the executor


class Executor(Protocol):
    """Where runs train."""

    @property
    def n_free(self) -> int:
        """Runs it could start now."""
        ...

    def start(self, assignments: Sequence[Assignment]) -> None:
        """Begin training; each start ends in exactly one `Ended`."""
        ...

    def send(self, run_id: str, number: int, action: Action, **more: Any) -> None:  # noqa: ANN401
        """Pass an action on to a running run; it answers with `Obeyed`, `Refused` or `Ended`.

        A rollback comes with `checkpoint` (its fields) and `path` (its file) in `more`.
        """
        ...

    def events(self, timeout_s: float) -> Sequence[Event]:
        """What happened since the last call, each run's in order; waits at most `timeout_s`."""
        ...

    def kill(self) -> None:
        """End every run at once; what they reported is kept."""
        ...

    def close(self) -> None:
        """Let go of processes and files. Safe to call twice."""
        ...


class Store(Protocol):
    """Keeps what happened. One process writes a study; any number may read."""

    @property
    def study(self) -> Study:
        """The question."""
        ...

    @property
    def paths(self) -> StudyPaths:
        """Where the files of the study lie."""
        ...

    @property
    def closed(self) -> str:
        """Why the study ended; empty while it has not."""
        ...

    def record(self, events: Sequence[Event]) -> None:
        """Keep the events, all or none of them. When it returns they survive a `kill -9`.

        Batches with anything but reports also survive a power failure.
        """
        ...

    def view(self, n_free: int = 0, n_new: int = 0) -> StudyView:
        """The study as it stands."""
        ...

    def metrics(self, run_id: str) -> Mapping[str, Curve]:
        """All metrics of a run as reported (not as losses), its parent's part included."""
        ...

    def branches(self, run_id: str) -> Sequence[Mapping[str, Curve]]:
        """All metrics as they stood before each rollback, and as they stand now: the last."""
        ...

    def diary(self) -> Sequence[Entry]:
        """All actions, in the order they were asked for."""
        ...

    def close(self) -> None:
        """Write what is left and let go of the file. Safe to call twice."""
        ...
