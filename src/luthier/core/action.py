"""What is done to runs. Policies, humans and guards all ask through these ten."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

from luthier.core.domain import Value, values_from_json

Plan = tuple[tuple[float, Mapping[str, Value]], ...]  # (step, live parameters from there on)


ASKS = "asks: "  # begins the reason of a pause that only a person ends


class Author(enum.StrEnum):
    """Who asks. The values are stored: add, never rename."""

    POLICY = "policy"
    HUMAN = "human"
    GUARD = "guard"  # what protects the study: retries after a crash, the end of the budget


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Train a new trial from nothing up to `to_step`; `plan`: changes, each at its step."""

    params: Mapping[str, Value]
    to_step: float
    reason: str
    author: Author = Author.POLICY
    plan: Plan = ()


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
    """Give live parameters new values: as soon as can be, or when the run reaches `at_step`."""

    run_id: str
    params: Mapping[str, Value]
    reason: str
    author: Author = Author.POLICY
    at_step: float | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RollBack:
    """Go back to the checkpoint at `to_step` and train on from there, with changes if given.

    Live parameters keep the values that they have now, whatever the checkpoint holds.
    """

    run_id: str
    to_step: float
    params: Mapping[str, Value] = field(default_factory=dict)
    reason: str
    author: Author = Author.POLICY


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """A new run from the checkpoint at `at_step`, or from nothing at 0.

    Of the same trial, or of a new one when `params` differ from the trial's. `seed` replaces the
    trial's seed, `plan` as in `Start`.
    """

    run_id: str
    at_step: float
    to_step: float
    params: Mapping[str, Value] = field(default_factory=dict)
    reason: str
    author: Author = Author.POLICY
    plan: Plan = ()
    seed: int | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Save a checkpoint after the step under way, and leave."""

    run_id: str
    reason: str
    author: Author = Author.POLICY
    p_best: float | None = None  # chance that the run would have become the best


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """End the run for good, at its next report."""

    run_id: str
    reason: str
    author: Author = Author.POLICY
    p_best: float | None = None  # chance that the run would have become the best


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Keep a checkpoint of the run as it is after the step under way; `reason` is its name."""

    run_id: str
    reason: str
    author: Author = Author.POLICY


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Take a run out of the policy's hands: it trains on, and only humans and guards act on it."""

    run_id: str
    reason: str
    author: Author = Author.POLICY


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Hand a run that was held back to the policy."""

    run_id: str
    reason: str
    author: Author = Author.POLICY


Action = Start | Continue | Change | RollBack | Fork | Pause | Stop | Mark | Hold | Release
KINDS: dict[str, type[Action]] = {
    "start": Start,
    "continue": Continue,
    "change": Change,
    "rollback": RollBack,
    "fork": Fork,
    "pause": Pause,
    "stop": Stop,
    "mark": Mark,
    "hold": Hold,
    "release": Release,
}


def kind_of(action: Action) -> str:
    """The action's name in the store and in the terminal."""
    return "rollback" if isinstance(action, RollBack) else type(action).__name__.lower()


def action_from_json(kind: str, shown: Mapping[str, Any]) -> Action:
    """An action from its kind and its fields; KeyError or TypeError when they are no action's."""
    values = {**shown, "author": Author(shown["author"])}
    if "params" in shown:
        values["params"] = values_from_json(shown["params"])
    if "plan" in shown:
        values["plan"] = tuple((step, values_from_json(params)) for step, params in shown["plan"])
    return KINDS[kind](**values)
