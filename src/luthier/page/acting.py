"""What the page may ask of a run; the run's tuner obeys or refuses, as for a hand in a terminal."""

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from luthier.core.domain import as_tuple
from luthier.core.errors import OptionError
from luthier.handle import RunHandle, Ticket

Place = Annotated[float, Field(allow_inf_nan=False)] | Annotated[str, Field(max_length=200)]
Short = Annotated[str, Field(max_length=4000)]


class Order(BaseModel):
    """One action."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["change", "roll_back", "fork", "mark", "pause", "resume", "stop", "hold",
                  "release"]  # fmt: skip
    params: dict[str, Any] = {}
    because: Short = ""
    to: Place | None = None
    at: Place | None = None
    at_step: Annotated[float, Field(allow_inf_nan=False)] | None = None
    to_step: Annotated[float, Field(allow_inf_nan=False, gt=0)] | None = None
    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None


def ask(store: Path, study: str, run_id: str, order: Order) -> Ticket:
    """Leave the order with the run's tuner; LuthierError when it cannot be meant."""
    hand = RunHandle(store, study, run_id)
    because = order.because or "on-the-page"
    params = {name: as_tuple(value) for name, value in order.params.items()}
    if clash := params.keys() & {"because", "at_step", "to_step", "at", "to"}:
        raise OptionError(f"parameters named {sorted(clash)} cannot be set from the page.")
    to_step = math.inf if order.to_step is None else order.to_step
    match order.kind:
        case "change":
            return hand.change(because=because, at_step=order.at_step, **params)
        case "roll_back":
            if order.to is None:
                raise OptionError('roll_back without `to`; give a step, "best" or "before:7".')
            return hand.roll_back(order.to, because=because, **params)
        case "fork":
            at = "latest" if order.at is None else order.at
            return hand.fork(at, to_step=to_step, because=because, **params)
        case "mark":
            return hand.mark(order.name or "here")
        case "resume":
            return hand.resume(to_step=to_step, because=because)
        case "pause":
            return hand.pause(because=because)
        case "stop":
            return hand.stop(because=because)
        case "hold":
            return hand.hold(because=because)
        case "release":
            return hand.release(because=because)
