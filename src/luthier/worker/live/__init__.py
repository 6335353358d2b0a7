"""Live parameters in the user's objects: read, changed, and read back.

`optimizer.load_state_dict` puts the values of the checkpoint back, whatever has been asked for
since, and a dropout rate is in no state at all. So after every restore the values are put where
they were, the changes are applied again, and what is then found must be what should be there.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, final

from luthier.core.domain import Value
from luthier.core.errors import PointError, ReadBackError
from luthier.worker.live.loader import BatchSize
from luthier.worker.live.modules import Dropout, Frozen, LabelSmoothing
from luthier.worker.live.optimizer import OptimizerKnob, learning_rate

Effective = dict[str, list[Value]]  # knob -> the value of every place that has it, in order
Things = Iterable[Any]


class Knob(Protocol):
    """One kind of live parameter, wherever it is found in what was attached."""

    name: str
    aliases: frozenset[str]
    restored: bool  # its values come back with `load_state_dict` of what is attached

    def read(self, things: Things) -> list[Value]:
        """The values now, one per place; empty when nothing attached has it."""
        ...

    def write(self, things: Things, change: Callable[[Value], Value]) -> None:
        """Replace every value by `change` of it, in the order of `read`.

        PointError when the place does not take it; then nothing has changed.
        """
        ...


@final
class Own:
    """A live parameter of the user's: written by a function, read by another if there is one."""

    restored = False

    def __init__(
        self,
        name: str,
        write: Callable[[Value], object],
        read: Callable[[], Value] | None,
        value: Value,
    ) -> None:
        self.name = name
        self.aliases = frozenset({name})
        self._write = write
        self._read = read
        self._value = value

    def read(self, things: Things) -> list[Value]:
        """What the user's function reads, else what was written last."""
        return [self._read() if self._read else self._value]

    def write(self, things: Things, change: Callable[[Value], Value]) -> None:
        """Call the user's function."""
        self._value = change(self._value)
        self._write(self._value)


@final
class Live:
    """All knobs of one run."""

    def __init__(self) -> None:
        self.things: dict[str, Any] = {}
        self._knobs: list[Knob] = [
            learning_rate(),
            OptimizerKnob("momentum", frozenset({"momentum", "beta1"})),
            OptimizerKnob("beta2", frozenset({"beta2"})),
            OptimizerKnob("weight_decay", frozenset({"weight_decay", "wd"})),
            Dropout(),
            LabelSmoothing(),
            BatchSize(),
            Frozen(),
        ]

    def attach(self, things: Mapping[str, Any]) -> None:
        """Look for live parameters in these too."""
        self.things |= things

    def bind(self, knob: Own) -> None:
        """Use the user's functions for a parameter."""
        self._knobs = [k for k in self._knobs if knob.name not in k.aliases]
        self._knobs.append(knob)

    def read(self) -> Effective:
        """The values of all knobs that are there."""
        things = list(self.things.values())
        found = {knob.name: knob.read(things) for knob in self._knobs}
        return {name: values for name, values in found.items() if values}

    def knob(self, parameter: str) -> Knob | None:
        """The knob that a parameter of the space turns; None when nothing attached has it."""
        things = list(self.things.values())
        turned = (knob for knob in self._knobs if parameter in knob.aliases)
        return next((knob for knob in turned if knob.read(things)), None)

    def apply(self, old: Mapping[str, Value], new: Mapping[str, Value]) -> None:
        """Carry changed parameters into the objects; PointError or ReadBackError if one fails.

        A number is scaled by new/old in every place, which keeps the ratio between places, a group
        whose decay is zero, and the place in a schedule. Nothing is changed when one fails.
        """
        before = self.read()
        try:
            self._apply(before, old, new)
        except (PointError, ReadBackError):
            self._put(before, self._knobs)
            raise

    def scale(self, parameter: str, ratio: float) -> str:
        """Multiply a parameter in every place; the knob's name, or "" where nothing has it.

        Without a look at what is then found: it is done between any two batches.
        """
        knob = self.knob(parameter)
        if knob is None:
            return ""
        knob.write(list(self.things.values()), lambda at: at * ratio)
        return knob.name

    def restore(self, saved: Effective, old: Mapping[str, Value], new: Mapping[str, Value]) -> None:
        """After a restore: the values as saved, then the changes from `old` to `new`."""
        self._put(saved, [knob for knob in self._knobs if not knob.restored])
        self._check({name: values for name, values in saved.items() if name in self.read()})
        missing = saved.keys() - self.read().keys()
        if missing:
            raise ReadBackError(
                f"after a restore nothing attached has {sorted(missing)}; attach the same things "
                "as when it was saved."
            )
        self._apply(self.read(), old, new)

    def _apply(self, before: Effective, old: Mapping[str, Value], new: Mapping[str, Value]) -> None:
        expected = dict(before)
        things = list(self.things.values())
        for name, value in new.items():
            knob = self.knob(name)
            was = old.get(name)
            if knob is None or was == value:
                continue

            def change(at: Value, was: Value = was, value: Value = value) -> Value:
                return _changed(at, was, value)

            expected[knob.name] = [change(at) for at in expected[knob.name]]
            knob.write(things, change)
        self._check(expected)

    def _put(self, values: Effective, knobs: Iterable[Knob]) -> None:
        things = list(self.things.values())
        for knob in knobs:
            now = knob.read(things)
            wanted = values.get(knob.name, [])
            if now != wanted and len(now) == len(wanted):
                each = iter(wanted)
                knob.write(things, lambda at, each=each: next(each))  # type: ignore[misc]

    def _check(self, expected: Effective) -> None:
        found = self.read()
        for name, values in expected.items():
            there = found.get(name, [])
            if len(values) != len(there) or not all(map(_same, values, there)):
                raise ReadBackError(
                    f"{name} is found as {there}, expected {values}; the objects must be built the "
                    "same way as when they were saved, and take what is put into them."
                )


def shown(effective: Effective) -> dict[str, Value]:
    """For people: one value where all places agree, else one per place."""
    return {k: v[0] if len(set(v)) == 1 else tuple(v) for k, v in effective.items()}


def _changed(at: Value, old: Value, new: Value) -> Value:
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (at, old, new))
    if not numbers or not old or at == old:
        return new
    return at if isinstance(at, int) else at * (new / old)  # a batch size is its loader's own


def _same(a: Value, b: Value) -> bool:
    if isinstance(a, float) and isinstance(b, int | float):
        return math.isclose(a, b, rel_tol=1e-6)  # 1e-6: a rate may be kept as a float32 tensor
    return bool(a == b)
