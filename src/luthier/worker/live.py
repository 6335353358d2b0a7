"""Live parameters in the user's optimizers: read, changed, and read back.

`optimizer.load_state_dict` puts the values of the checkpoint back, whatever has been asked for
since. So after every restore the changes are applied again, and what the optimizer then holds must
be what it should hold.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from luthier.core.domain import Value
from luthier.core.errors import ReadBackError

Effective = dict[str, list[float]]  # knob -> value of every parameter group, all optimizers in turn
_ALIASES = {
    "lr": "lr",
    "learning_rate": "lr",
    "momentum": "momentum",
    "weight_decay": "weight_decay",
    "wd": "weight_decay",
}
# what a scheduler computes the rate from; scaled along with it, so that an edit holds
_LR_KEYS = ("lr", "initial_lr", "max_lr", "min_lr")


def read(things: Iterable[Any]) -> Effective:
    """The values that the attached optimizers hold now."""
    found: Effective = {}
    for group in _groups(things):
        for knob in ("lr", "momentum", "weight_decay"):
            if (value := _get(group, knob)) is not None:
                found.setdefault(knob, []).append(value)
    return found


def shown(effective: Effective) -> dict[str, Value]:
    """For people: one number where all groups agree, else one per group."""
    return {k: v[0] if len(set(v)) == 1 else tuple(v) for k, v in effective.items()}


def apply(things: Iterable[Any], old: Mapping[str, Value], new: Mapping[str, Value]) -> None:
    """Carry changed parameters into the optimizers; ReadBackError when they do not take them.

    A rate or decay is scaled by new/old in every group, which keeps the ratio between groups, a
    group whose decay is zero, and the place in a schedule.
    """
    things = list(things)
    expected = read(things)
    for name, value in new.items():
        knob = _ALIASES.get(name)
        if knob not in expected or old.get(name) == value:
            continue
        before = old.get(name)
        expected[knob] = [_changed(knob, at, before, float(value)) for at in expected[knob]]
        for group in _groups(things):
            if knob == "lr":
                for key in _LR_KEYS:
                    if key in group:
                        _put(group, key, _changed(knob, float(group[key]), before, float(value)))
            elif (at := _get(group, knob)) is not None:
                _put(group, knob, _changed(knob, at, before, float(value)))
        if knob == "lr":
            for thing in things:
                if hasattr(thing, "base_lrs"):
                    thing.base_lrs = [
                        _changed(knob, float(at), before, float(value)) for at in thing.base_lrs
                    ]
    check(things, expected)


def check(things: Iterable[Any], expected: Effective) -> None:
    """ReadBackError unless the optimizers hold the expected values."""
    found = read(things)
    for knob, values in expected.items():
        same = len(values) == len(found.get(knob, [])) and all(
            math.isclose(a, b, rel_tol=1e-9) for a, b in zip(values, found[knob], strict=True)
        )
        if not same:
            raise ReadBackError(
                f"after a restore the optimizer holds {knob} {found.get(knob)}, expected {values}; "
                "the optimizer must be built with the same parameter groups as when it was saved, "
                "and its load_state_dict must take what state_dict gave."
            )


def _changed(knob: str, at: float, old: Value, new: float) -> float:
    if knob == "momentum" or not isinstance(old, int | float) or not old:
        return new
    return new if at == old else at * (new / old)


def _groups(things: Iterable[Any]) -> list[dict[str, Any]]:
    return [group for thing in things for group in getattr(thing, "param_groups", ())]


def _get(group: Mapping[str, Any], knob: str) -> float | None:
    if knob == "momentum" and "betas" in group:
        return float(group["betas"][0])
    return float(group[knob]) if knob in group else None


def _put(group: dict[str, Any], knob: str, value: float) -> None:
    if knob == "momentum" and "betas" in group:
        group["betas"] = (value, *group["betas"][1:])
    elif hasattr(group[knob], "fill_"):  # a rate kept as a tensor, as compiled optimizers do
        group[knob].fill_(value)
    else:
        group[knob] = value
