"""Live parameters in parameter groups: learning rate, momentum and betas, weight decay."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, final

from luthier.core.domain import Value

# what a scheduler computes the rate from; scaled along with it, so that an edit holds
_LR_KEYS = ("initial_lr", "max_lr", "min_lr")
_BETAS = {"momentum": 0, "beta2": 1}  # momentum is the first beta where there is no momentum


@final
class OptimizerKnob:
    """A value in every parameter group of every attached optimizer."""

    restored = True

    def __init__(
        self, name: str, aliases: frozenset[str], along: Callable[..., None] | None = None
    ) -> None:
        self.name = name
        self.aliases = aliases
        self._along = along

    def read(self, things: Iterable[Any]) -> list[Value]:
        """One value per group, of all optimizers in turn."""
        values = (_get(group, self.name) for group in _groups(things))
        return [value for value in values if value is not None]

    def write(self, things: Iterable[Any], change: Callable[[Value], Value]) -> None:
        """Set every group, in place where the value is a tensor."""
        things = list(things)
        for group in _groups(things):
            if (at := _get(group, self.name)) is not None:
                _put(group, self.name, change(at))
        if self._along is not None:
            self._along(things, change)


def learning_rate() -> OptimizerKnob:
    """The rate, and the bases that schedulers keep."""
    return OptimizerKnob("lr", frozenset({"lr", "learning_rate"}), _scale_bases)


def _scale_bases(things: list[Any], change: Callable[[Value], Value]) -> None:
    for group in _groups(things):
        for key in _LR_KEYS:
            if key in group:
                _put(group, key, change(float(group[key])))
    for thing in things:
        if hasattr(thing, "base_lrs"):
            thing.base_lrs = [change(float(at)) for at in thing.base_lrs]


def _groups(things: Iterable[Any]) -> list[dict[str, Any]]:
    return [group for thing in things for group in getattr(thing, "param_groups", ())]


def _get(group: Mapping[str, Any], name: str) -> float | None:
    if name in group:
        return float(group[name])
    if name in _BETAS and "betas" in group:
        return float(group["betas"][_BETAS[name]])
    return None


def _put(group: dict[str, Any], name: str, value: float) -> None:
    if name not in group:
        betas = list(group["betas"])
        betas[_BETAS[name]] = value
        group["betas"] = tuple(betas)
    elif hasattr(group[name], "fill_"):  # a rate kept as a tensor, as compiled optimizers do
        group[name].fill_(value)
    else:
        group[name] = value
