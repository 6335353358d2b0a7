"""What is looked at: a model, and what of its training the user gave along with it."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from typing import Any, final

from luthier.analysis.sites import Site, Sites, recording
from luthier.core.errors import TargetError

Inputs = tuple[tuple[Any, ...], Mapping[str, Any]]  # positional and named arguments of a model

_NAMES = {
    "model": "model net network",
    "batch": "batch sample example example_input",
    "inputs": "inputs x",
    "target": "target targets label labels y",
    "loss": "loss criterion loss_fn loss_function",
    "optimizer": "optimizer optimizers optim opt",
    "scheduler": "scheduler schedulers lr_scheduler schedule",
    "loader": "loader train_loader dataloader train_dataloader",
    "val_loader": "val_loader valid_loader validation_loader test_loader val_dataloader",
    "epochs": "epochs n_epochs num_epochs max_epochs max_steps",
    "batch_size": "batch_size",
    "accumulation": "accumulation accumulation_steps gradient_accumulation_steps accumulate",
    "pretrained": "pretrained fine_tuning finetuning",
    "space": "space",
    "trials": "trials n_trials",
}
_MEANS = {alias: name for name, aliases in _NAMES.items() for alias in aliases.split()}


@final
@dataclass(frozen=True, slots=True)
class Subject:
    """The model and what is known of its training; None and () where nothing was given."""

    model: Any = None
    inputs: Inputs | None = None  # how the model is called
    target: Any = None
    loss: Any = None  # callable: (output, target) -> one loss, or several as a mapping or tuple
    optimizers: tuple[Any, ...] = ()
    schedulers: tuple[Any, ...] = ()
    loader: Any = None
    val_loader: Any = None
    epochs: int | None = None
    batch_size: int | None = None  # as given, or the loader's
    accumulation: int = 1  # batches per step of the optimizer
    pretrained: bool | None = None
    space: Any = None
    trials: int | None = None
    others: Mapping[str, Any] = field(default_factory=dict)  # numbers and words given besides
    script: Path | None = None
    sites: Sites = field(default_factory=Sites)
    where: Site | None = None  # the function that built it all


def build_subject(
    build: Any,  # noqa: ANN401
    script: Path | None = None,
    *,
    params: Mapping[str, Any] | None = None,
    sites: Sites | None = None,
) -> Subject:
    """Call `build` (or take the object as it is) and sort what it gives.

    Arguments of `build` are taken by name from `params`; TargetError when one is missing, or when
    there is no model in what comes back. Errors of the user's code pass through.
    """
    sites = sites or Sites()
    with recording(sites):
        given = build
        if inspect.isroutine(build) or inspect.isclass(build):
            given = build(**_arguments(build, params or {}))
    code = getattr(build, "__code__", None)
    where = Site(code.co_filename, code.co_firstlineno) if code else None
    return sort_out(given, script, sites, where)


def sort_out(
    given: Any,  # noqa: ANN401
    script: Path | None = None,
    sites: Sites | None = None,
    where: Site | None = None,
) -> Subject:
    """A Subject from a model, `(model, batch)`, or a mapping or object with named parts."""
    from torch import nn
    from torch.nn.parameter import is_lazy

    if isinstance(given, nn.Module):
        given = {"model": given}
    elif isinstance(given, tuple) and given and isinstance(given[0], nn.Module):
        given = dict(zip(("model", "batch", "loss", "optimizer"), given, strict=False))
    parts: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for name, value in _fields(given).items():
        if name in _MEANS:
            parts[_MEANS[name]] = value
        elif isinstance(value, int | float | str):
            others[name] = value
    model = parts.get("model")
    if not isinstance(model, nn.Module):
        raise TargetError(
            f"a value of type {type(given).__name__} came without a model; expected a "
            "torch.nn.Module, (model, batch), or a mapping with model= and perhaps batch, loss, "
            "optimizer, scheduler, loader, val_loader, epochs, accumulation, pretrained."
        )
    if any(is_lazy(p) or p.is_meta for p in model.parameters()):
        raise TargetError(
            "the model has parameters without values (lazy, or on the meta device); expected real "
            "ones: run a lazy model once before you return it, and build on the CPU."
        )
    loader, batch = parts.get("loader"), parts.get("batch")
    inputs, target = _split(model, batch, parts)
    size = parts.get("batch_size") or getattr(loader, "batch_size", None)
    return Subject(
        model=model,
        inputs=inputs,
        target=parts.get("target", target),
        loss=parts.get("loss"),
        optimizers=_several(parts.get("optimizer")),
        schedulers=_several(parts.get("scheduler")),
        loader=loader,
        val_loader=parts.get("val_loader"),
        epochs=parts.get("epochs"),
        batch_size=size,
        accumulation=parts.get("accumulation") or 1,
        pretrained=parts.get("pretrained"),
        space=parts.get("space"),
        trials=parts.get("trials"),
        others=others,
        script=script,
        sites=sites or Sites(),
        where=where,
    )


def first_batches(loader: Any, n: int) -> list[Any]:  # noqa: ANN401
    """The loader's next batches, made in this process; the loader's generators stay as they are."""
    generators = {id(g): g for g in _generators(loader)}.values()
    states = [generator.get_state() for generator in generators]
    try:
        batches: list[Any] = []
        if getattr(loader, "batch_sampler", None) is None or not hasattr(
            loader.dataset, "__getitem__"
        ):
            for batch in loader:
                batches.append(batch)
                if len(batches) == n:
                    break
            return batches
        for indices in loader.batch_sampler:
            batches.append(loader.collate_fn([loader.dataset[i] for i in indices]))
            if len(batches) == n:
                break
        return batches
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)


def split_batch(
    model: Any,  # noqa: ANN401
    batch: Any,  # noqa: ANN401
    has_loss: bool,
) -> tuple[Inputs | None, Any]:
    """A batch as (arguments of the model, target): a tensor, a mapping, or (inputs, target)."""
    if batch is None:
        return None, None
    if isinstance(batch, Mapping):
        return ((), dict(batch)), batch.get("labels")
    if isinstance(batch, list | tuple):
        n_needed = len(_needed(model.forward))
        if len(batch) == 2 and (has_loss or n_needed <= 1) and not hasattr(batch, "_fields"):
            inputs, target = batch
            if isinstance(inputs, Mapping):
                return ((), dict(inputs)), target
            return (tuple(inputs) if isinstance(inputs, list | tuple) else (inputs,), {}), target
        return (tuple(batch), {}), None
    return ((batch,), {}), None


def _split(
    model: Any,  # noqa: ANN401
    batch: Any,  # noqa: ANN401
    parts: Mapping[str, Any],
) -> tuple[Inputs | None, Any]:
    if "inputs" in parts:
        inputs = parts["inputs"]
        batch = (tuple(inputs) if isinstance(inputs, list | tuple) else (inputs,), None)
        if isinstance(inputs, Mapping):
            batch = inputs
        return split_batch(model, batch, has_loss=True)
    return split_batch(model, batch, "loss" in parts)


def _generators(loader: Any) -> list[Any]:  # noqa: ANN401
    samplers = [getattr(loader, "sampler", None), getattr(loader, "batch_sampler", None)]
    held = [getattr(it, "generator", None) for it in (loader, *samplers)]
    return [generator for generator in held if hasattr(generator, "set_state")]


def _several(value: Any) -> tuple[Any, ...]:  # noqa: ANN401
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _fields(given: Any) -> Mapping[str, Any]:  # noqa: ANN401
    if isinstance(given, Mapping):
        return given
    if hasattr(given, "_asdict"):
        fields: Mapping[str, Any] = given._asdict()
        return fields
    if is_dataclass(given):
        return {name: getattr(given, name) for name in given.__dataclass_fields__}
    if given is None or isinstance(given, int | float | str | Sequence):
        return {}
    return {name: value for name, value in vars(given).items() if not name.startswith("_")}


def _needed(function: Callable[..., Any]) -> list[str]:
    """Names of the positional arguments without a default."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [n for n, p in signature.parameters.items() if p.kind in kinds and p.default is p.empty]


def _arguments(build: Callable[..., Any], params: Mapping[str, Any]) -> dict[str, Any]:
    try:
        names: Iterable[str] = inspect.signature(build).parameters
    except (TypeError, ValueError):
        names = ()
    taken = {name: params[name] for name in names if name in params}
    missing = [name for name in _needed(build) if name not in taken]
    if missing:
        raise TargetError(
            f"{getattr(build, '__name__', 'build')} needs {missing}; expected a function without "
            "arguments, or with arguments named like the parameters of the script's space."
        )
    return taken
