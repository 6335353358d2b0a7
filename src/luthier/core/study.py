"""What is sought (Study), one point of the space (Trial), one attempt at training it (Run)."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, final

import numpy as np

from luthier.core.budget import Budget
from luthier.core.curve import Curve
from luthier.core.domain import Value
from luthier.core.entry import Entry
from luthier.core.errors import OptionError
from luthier.core.space import Space

Goal = Literal["minimize", "maximize"]


def metric_and_goal(minimize: str | None, maximize: str | None) -> tuple[str, Goal]:
    """Of two names, the one that was given; OptionError unless it is just one."""
    metric = minimize or maximize
    if metric is None or (minimize and maximize):
        raise OptionError(f"minimize={minimize!r}, maximize={maximize!r}; expected one of them.")
    return metric, "minimize" if minimize else "maximize"


class RunState(enum.StrEnum):
    """Where a run stands. The values are stored: add, never rename."""

    PENDING = "pending"  # recorded, its process not yet heard of
    RUNNING = "running"
    PAUSED = "paused"  # has a checkpoint, waits to be continued
    COMPLETED = "completed"  # trained to its last step
    STOPPED = "stopped"  # told to end early
    FAILED = "failed"  # the user's code raised, or broke a limit
    LOST = "lost"  # its process died; a new run may take over from its checkpoint

    @property
    def ended(self) -> bool:
        """Whether the run will never train again."""
        return self in _ENDED


_ENDED = frozenset({RunState.COMPLETED, RunState.STOPPED, RunState.FAILED, RunState.LOST})


@final
@dataclass(frozen=True, slots=True)
class Study:
    """The question: which point of `space` gives the best `metric`."""

    name: str
    space: Space
    metric: str
    goal: Goal = "minimize"
    max_steps: int | None = None
    seed: int = 0
    budget: Budget = field(default_factory=Budget)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise OptionError(f"seed={self.seed}; expected 0 or more.")

    def loss(self, value: float) -> float:
        """The metric as something to minimize; the only place where the sign is turned."""
        return value if self.goal == "minimize" else -value

    def rng(self, *key: int) -> np.random.Generator:
        """Random numbers that depend on the study's seed and `key` alone."""
        return np.random.default_rng([self.seed, *key])

    def trial_seed(self, trial: int) -> int:
        """Seed, below 2**31, for everything random in the training of a trial."""
        return int(np.random.SeedSequence([self.seed, trial, 1]).generate_state(1)[0] >> 1)


@final
@dataclass(frozen=True, slots=True)
class Trial:
    """One point of the space, counted from 0."""

    number: int
    params: Mapping[str, Value]


@final
@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a run can go back to; `step` counts the training steps it holds."""

    run_id: str
    step: float
    file: str  # name inside the run's checkpoint directory
    n_bytes: int
    crc32: int
    loss: float | None = None  # newest objective at that step, as a loss
    kept: str = ""  # why it stays, with commas: "mark: …", "before:7" (the action)


@final
@dataclass(frozen=True, slots=True)
class Run:
    """One attempt at training a trial, from nothing or from the `parent` checkpoint.

    Pausing and rolling back keep the run; a retry, and a fork, are new runs with a parent.
    """

    id: str  # "<trial>.<attempt>"
    trial: int
    params: Mapping[str, Value]  # the trial's, with the live changes made since
    to_step: float  # trains up to here, then pauses (or is complete)
    parent: Checkpoint | None = None
    state: RunState = RunState.PENDING
    step: float = 0.0  # newest step trained
    train_s: float = 0.0  # seconds inside the training code
    pausable: bool = True
    reason: str = ""  # why it is where it is: a reason code
    error: str = ""  # the user's traceback, or what the system said
    curve: Curve = field(default_factory=Curve)  # the objective as losses, newest value per step
    checkpoints: tuple[Checkpoint, ...] = ()  # by step
    heard: int = 0  # bytes of its wire that are in the store
    seed: int | None = None  # in place of the trial's
    held: bool = False  # a human has taken it out of the policy's hands
    read_back: Mapping[str, Value] = field(default_factory=dict)  # live values, as last found
    pausing_s: float = 0.0  # of `train_s`: up to the loop, restoring included, and saving at pauses
    n_starts: int = 0  # times that its loop began, where that was measured
    own_from: float = 0.0  # up to this step another trial's parameters trained what it goes on from

    @property
    def attempt(self) -> int:
        """0 for the first run of a trial."""
        return int(self.id.partition(".")[2])

    @property
    def active(self) -> bool:
        """Holds, or is about to hold, a place in the executor."""
        return self.state in (RunState.PENDING, RunState.RUNNING)

    @property
    def own_curve(self) -> Curve:
        """What its own point came to: of a fork to another one, from where it left its parent."""
        return self.curve.after(self.own_from) if self.own_from else self.curve

    @property
    def best_loss(self) -> float:
        """Lowest finite loss that its own point came to; NaN when there is none."""
        return self.own_curve.best_loss

    @property
    def best_step(self) -> float:
        """Step of that loss; NaN when there is none."""
        return self.own_curve.best_step

    @property
    def latest(self) -> Checkpoint | None:
        """The furthest checkpoint, the parent's included."""
        return self.checkpoints[-1] if self.checkpoints else self.parent


@final
@dataclass(frozen=True, slots=True)
class StudyView:
    """A frozen picture of the study: all that a policy or a sampler may know."""

    study: Study
    trials: Mapping[int, Trial]
    runs: Mapping[str, Run]  # in the order in which they were proposed
    n_free: int = 0  # runs the executor could start now
    n_new: int = 0  # of these, how many may be new trials within the budget
    elapsed_s: float = 0.0  # of tuning, all sittings together
    diary: tuple[Entry, ...] = ()  # what was asked for, and what came of it

    def current(self) -> dict[int, Run]:
        """The newest run of every trial: a retry stands for the run it replaces."""
        return {run.trial: run for run in self.runs.values()}

    def results(self) -> dict[int, Run]:
        """The run that tells what a trial is worth: the best of those that were trained to the end,
        as a replay with another seed is, and until there is one the newest."""
        found = self.current()
        for run in self.runs.values():
            told = found[run.trial]
            if run is told or run.state is not RunState.COMPLETED:
                continue
            if told.state is not RunState.COMPLETED or run.best_loss < told.best_loss:
                found[run.trial] = run
        return found

    def best(self) -> Run | None:
        """The result with the lowest finite loss at any step, or None."""
        runs = [run for run in self.results().values() if np.isfinite(run.best_loss)]
        return min(runs, key=lambda run: run.best_loss, default=None)
