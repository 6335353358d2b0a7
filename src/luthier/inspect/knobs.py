"""The hyperparameters of a training, found in its parts: what a person sets, by category."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

from luthier.analysis.case import Case
from luthier.core.domain import Category
from luthier.core.short import counted

_OPTIMIZER = ("lr", "momentum", "betas", "eps", "alpha", "rho", "nesterov", "amsgrad")
_SCHEDULE = ("T_max", "step_size", "gamma", "total_steps", "eta_min", "factor", "patience",
             "start_factor", "end_factor", "total_iters", "milestones")  # fmt: skip
_LOSS = ("label_smoothing", "gamma", "alpha", "margin", "beta", "delta", "temperature")


@final
@dataclass(frozen=True, slots=True)
class Knob:
    """One hyperparameter and where it was seen."""

    name: str
    value: str
    category: Category
    where: str


def knobs_of(case: Case) -> list[Knob]:
    """Everything a person set that can be read off, each value of a name once."""
    found = [*_optimization(case), *_regularization(case), *_network(case)]
    return list(dict.fromkeys(found))


def _optimization(case: Case) -> Iterator[Knob]:
    it = case.subject
    for optimizer in it.optimizers:
        name = type(optimizer).__name__
        yield Knob("optimizer", name, "optimization", "optimizer")
        for group in optimizer.param_groups:
            for key in _OPTIMIZER:
                if group.get(key) not in (None, False):
                    yield Knob(key, _text(group[key]), "optimization", name)
    for schedule in it.schedulers:
        name = type(schedule).__name__
        yield Knob("schedule", name, "optimization", "scheduler")
        for key in _SCHEDULE:
            if isinstance(value := getattr(schedule, key, None), int | float):
                yield Knob(key, _text(value), "optimization", name)
    given = {"batch_size": it.batch_size, "epochs": it.epochs}
    if it.accumulation > 1:
        given["accumulation"] = it.accumulation
    for key, number in given.items():
        if number is not None:
            yield Knob(key, str(number), "optimization", "given")
    if it.loss is not None:
        name = getattr(it.loss, "__name__", type(it.loss).__name__)
        yield Knob("loss", name, "optimization", "loss")
        for key in _LOSS:
            if isinstance(value := getattr(it.loss, key, None), int | float) and value:
                yield Knob(key, _text(value), "optimization", name)
    for key, value in it.others.items():
        yield Knob(key, _text(value), "optimization", "given")


def _regularization(case: Case) -> Iterator[Knob]:
    for optimizer in case.subject.optimizers:
        for group in optimizer.param_groups:
            if group.get("weight_decay"):
                yield Knob("weight_decay", _text(group["weight_decay"]), "regularization",
                           type(optimizer).__name__)  # fmt: skip
    rates = Counter(
        (type(module).__name__, float(rate))
        for module in case.modules.values()
        if isinstance(rate := _dropout(module), int | float)
    )
    for (name, rate), n in rates.items():
        yield Knob("dropout", _text(rate), "regularization", f"{name} x{n}")


def _network(case: Case) -> Iterator[Knob]:
    modules = list(case.modules.values())
    kernels = Counter(
        tuple(m.kernel_size) for m in modules if isinstance(getattr(m, "kernel_size", None), tuple)
    )
    for kernel, n in kernels.most_common():
        yield Knob("kernel", "x".join(map(str, kernel)), "network", counted(n, "layer"))
    widths = [w for m in modules if isinstance(w := _width(m), int)]
    if widths:
        low, high = min(widths), max(widths)
        shown = f"{low}" if low == high else f"{low} to {high}"
        yield Knob("width", shown, "network", counted(len(widths), "layer"))
    depth = sum(1 for m in modules if next(iter(m.parameters(recurse=False)), None) is not None
                and "Norm" not in type(m).__name__)  # fmt: skip
    yield Knob("depth", str(depth), "network", "layers with weights")
    if case.has_flow:
        acts = Counter(c.name for c in case.trace.of("activation"))
        for name, n in acts.most_common():
            yield Knob("activation", name, "network", counted(n, "call"))


def _dropout(module: Any) -> object:  # noqa: ANN401
    """The rate of a dropout layer, or of one inside a recurrent layer or an attention, if any."""
    if "Dropout" in type(module).__name__:
        return getattr(module, "p", None)
    return getattr(module, "dropout", None) or None


def _width(module: Any) -> object:  # noqa: ANN401
    """Units that the layer gives out, before both directions are put side by side."""
    names = ("out_channels", "out_features", "hidden_size")
    return next((w for name in names if (w := getattr(module, name, None)) is not None), None)


def _text(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, tuple | list):
        return ", ".join(_text(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
