"""Live parameters in modules: dropout, label smoothing, and which parts stand still."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, final

from luthier.core.domain import Value
from luthier.core.errors import PointError

_COMPILED = "_orig_mod."  # how torch.compile names the module it wraps


@final
class Dropout:
    """The rate of every dropout layer, attention and recurrent layer.

    A compiled module sees the new rate: its guards fail and it compiles again. An attention or
    recurrent layer whose rate is 0 was built without dropout and stays so.
    """

    name = "dropout"
    aliases = frozenset({"dropout", "dropout_rate", "p_dropout", "drop_rate"})
    restored = False

    def read(self, things: Iterable[Any]) -> list[Value]:
        """One rate per layer, in the order of the modules."""
        return [float(getattr(module, key)) for module, key in self._places(things)]

    def write(self, things: Iterable[Any], change: Callable[[Value], Value]) -> None:
        """Set every layer's rate."""
        places = list(self._places(things))
        rates = [float(change(float(getattr(module, key)))) for module, key in places]
        if not all(0.0 <= rate < 1.0 for rate in rates):
            raise PointError(f"dropout would be {max(rates)}; expected at least 0 and below 1.")
        for (module, key), rate in zip(places, rates, strict=True):
            setattr(module, key, rate)

    def _places(self, things: Iterable[Any]) -> Iterator[tuple[Any, str]]:
        for module in _modules(things):
            kinds = {kind.__name__ for kind in type(module).__mro__}
            if "_DropoutNd" in kinds:
                yield module, "p"
            elif kinds & {"MultiheadAttention", "RNNBase"} and module.dropout:
                yield module, "dropout"


@final
class LabelSmoothing:
    """`label_smoothing` of every attached loss module."""

    name = "label_smoothing"
    aliases = frozenset({"label_smoothing"})
    restored = False

    def read(self, things: Iterable[Any]) -> list[Value]:
        """One value per loss module."""
        return [float(module.label_smoothing) for module in self._places(things)]

    def write(self, things: Iterable[Any], change: Callable[[Value], Value]) -> None:
        """Set it in every loss module."""
        for module in self._places(things):
            module.label_smoothing = float(change(float(module.label_smoothing)))

    def _places(self, things: Iterable[Any]) -> Iterator[Any]:
        return (module for module in _modules(things) if hasattr(module, "label_smoothing"))


@final
class Frozen:
    """The parts of the attached modules that stand still: names with commas, "" for none.

    A frozen parameter asks for no gradient and has none, so that no optimizer moves it, not by
    momentum and not by decay. Running statistics of a normalization layer go on in training mode.
    """

    name = "frozen"
    aliases = frozenset({"frozen", "freeze"})
    restored = False

    def __init__(self) -> None:
        self._frozen: dict[int, Any] = {}  # by id: the parameters frozen here
        self._spec = ""

    def read(self, things: Iterable[Any]) -> list[Value]:
        """The names, when there is a module that could be frozen."""
        return [self._spec] if any(_roots(things)) else []

    def write(self, things: Iterable[Any], change: Callable[[Value], Value]) -> None:
        """Freeze exactly these parts; what was frozen here before is trained again."""
        things = list(things)
        spec = str(change(self._spec) or "")
        wanted = self._parameters(things, spec)
        thawed = [p for key, p in self._frozen.items() if key not in wanted]
        held = {id(p) for thing in things for group in getattr(thing, "param_groups", ())
                for p in group["params"]}  # fmt: skip
        if not all(id(p) in held for p in thawed):
            raise PointError(
                "the optimizer does not hold all of what would be trained again; give it every "
                "parameter when it is built, frozen or not."
            )
        for parameter in thawed:
            parameter.requires_grad_(True)
            del self._frozen[id(parameter)]
        for key, parameter in wanted.items():
            if parameter.requires_grad:
                parameter.requires_grad_(False)
                parameter.grad = None
                self._frozen[key] = parameter
        self._spec = spec

    def _parameters(self, things: Iterable[Any], spec: str) -> dict[int, Any]:
        named = {
            name.replace(_COMPILED, ""): parameter
            for root in _roots(things)
            for name, parameter in root.named_parameters()
        }
        found: dict[int, Any] = {}
        for part in filter(None, (word.strip() for word in spec.split(","))):
            inside = [p for name, p in named.items() if f"{name}.".startswith(f"{part}.")]
            if not inside:
                parts = sorted({name.partition(".")[0] for name in named})
                raise PointError(f"no part {part!r} to freeze; there are {parts}.")
            found |= {id(p): p for p in inside}
        return found


def _roots(things: Iterable[Any]) -> Iterator[Any]:
    return (thing for thing in things if hasattr(thing, "named_parameters"))


def _modules(things: Iterable[Any]) -> Iterator[Any]:
    seen = set()
    for thing in things:
        for module in thing.modules() if hasattr(thing, "modules") else ():
            if id(module) not in seen:
                seen.add(id(module))
                yield module
