"""What can be attached to a run: anything whose state can be taken and put back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

from luthier.core.errors import AttachError


@final
@dataclass(frozen=True, slots=True)
class Stateful:
    """How to take the state of one thing, and how to put it back."""

    take: Callable[[], Any]
    put: Callable[[Any], object]


def stateful(name: str, thing: Any) -> Stateful:  # noqa: ANN401  the user's object
    """State access for `thing`; AttachError when there is none."""
    if hasattr(thing, "state_dict") and hasattr(thing, "load_state_dict"):
        return Stateful(thing.state_dict, thing.load_state_dict)
    if hasattr(thing, "bit_generator"):  # numpy.random.Generator

        def put(state: Any) -> None:  # noqa: ANN401
            thing.bit_generator.state = state

        return Stateful(lambda: thing.bit_generator.state, put)
    if hasattr(thing, "get_state") and hasattr(thing, "set_state"):  # torch.Generator, RandomState
        return Stateful(thing.get_state, thing.set_state)
    if hasattr(thing, "getstate") and hasattr(thing, "setstate"):  # random.Random
        return Stateful(thing.getstate, thing.setstate)
    if hasattr(thing, "batch_sampler") and hasattr(thing, "dataset"):  # torch DataLoader
        return _loader(name, thing)
    raise AttachError(
        f"attach({name}=…) got a {type(thing).__name__}, which has no state_dict() and "
        "load_state_dict(); attach what holds state (model, optimizer, scheduler, scaler, EMA, "
        "random generators) and leave the rest out."
    )


def _loader(name: str, loader: Any) -> Stateful:  # noqa: ANN401
    """A DataLoader between two epochs: its generators and its samplers, each once."""
    sampler = loader.sampler
    parts: dict[str, Any] = {
        "sampler": sampler if hasattr(sampler, "load_state_dict") else None,
        "generator": loader.generator,
        "sampler_generator": getattr(sampler, "generator", None),
    }
    held = {part: stateful(f"{name}.{part}", it) for part, it in parts.items() if it is not None}

    def put(states: Mapping[str, Any]) -> None:
        for part, state in states.items():
            held[part].put(state)

    return Stateful(lambda: {part: access.take() for part, access in held.items()}, put)
