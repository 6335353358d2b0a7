"""What is done to runs. Policies, humans and guards all ask through these seven."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

from luthier.core.domain import Value


class Author(enum.StrEnum):
    """Who asks. The values are stored: add, never rename."""

    POLICY = "policy"
    HUMAN = "human"
    GUARD = "guard"  # what protects the study: retries after a crash, the end of the budget


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Train a new trial from nothing up to `to_step`."""

    params: Mapping[str, Value]
    to_step: float
    reason: str
    author: Author = Author.POLICY


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Continue:
    """Train on up to `to_step`: a paused run starts again, a running one gets more room."""

    run_id: str
    to_step: float
    reason: str
    author: Author = Author.POLICY


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Give live parameters new values while the run trains."""

    run_id: str
    params: Mapping[str, Value]
    reason: str
    author: Author = Author.POLICY


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RollBack:
    """Go back to the checkpoint at `to_step` and train on from there, with changes if given."""

    run_id: str
    to_step: float
    params: Mapping[str, Value] = field(default_factory=dict)
    reason: str
    author: Author = Author.POLICY


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """A new run from the checkpoint at `at_step`: of the same trial, or of a new one if changed."""

    run_id: str
    at_step: float
    to_step: float
    params: Mapping[str, Value] = field(default_factory=dict)
    reason: str
    author: Author = Author.POLICY


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Save a checkpoint after the step under way, and leave."""

    run_id: str
    reason: str
    author: Author = Author.POLICY


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """End the run for good, at its next report."""

    run_id: str
    reason: str
    author: Author = Author.POLICY


Action = Start | Continue | Change | RollBack | Fork | Pause | Stop
KINDS: dict[str, type[Action]] = {
    "start": Start,
    "continue": Continue,
    "change": Change,
    "rollback": RollBack,
    "fork": Fork,
    "pause": Pause,
    "stop": Stop,
}


def kind_of(action: Action) -> str:
    """The action's name in the store and in the terminal."""
    return "rollback" if isinstance(action, RollBack) else type(action).__name__.lower()
