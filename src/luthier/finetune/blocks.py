"""The blocks of a model, from its input to its head, found in its module tree."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

from torch import nn

from luthier.core.errors import OptionError

_LARGE = 0.5  # a module with this share of all parameters is looked into


@final
@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Layers that are frozen, or slowed down, together."""

    name: str
    parameters: tuple[tuple[str, nn.Parameter], ...]  # full names, in the model's order


def blocks(
    model: nn.Module,
    *,
    head: str | None = None,
    groups: Sequence[str | Sequence[str]] | None = None,
) -> tuple[Block, ...]:
    """The model's blocks in the order of registration, the head last.

    Lists of layers, and modules that hold half of the parameters or more, are looked into; a
    normalization layer belongs to what stands before it. `head` names the head where it is not the
    last module with parameters of its own. `groups`, names of modules or lists of names from input
    to head, replaces all of this and must cover every parameter.
    """
    named = dict(model.named_parameters())  # shared parameters once, under their first name
    if not named:
        raise OptionError(f"{type(model).__name__} has no parameters; nothing to fine-tune.")
    if groups is not None:
        return _given(named, groups)
    prefixes = [prefix for prefix, _ in _leaves(model, "", sum(p.numel() for p in named.values()))]
    if head is not None:
        prefixes = [p for p in prefixes if not _inside(p, head)] + [head]
    taken: dict[str, list[tuple[str, nn.Parameter]]] = {prefix: [] for prefix in prefixes}
    longest_first = sorted(prefixes, key=len, reverse=True)
    if head is not None:
        longest_first = [head, *(p for p in longest_first if p != head)]
    for name, parameter in named.items():
        prefix = next((p for p in longest_first if _inside(name, p)), prefixes[0])
        taken[prefix].append((name, parameter))
    if head is not None and not taken[head]:
        raise OptionError(f"head={head!r} has no parameters; modules are {sorted(_names(model))}.")
    norms = {name for name, module in model.named_modules() if is_norm(module)}
    found: list[Block] = []
    for prefix, parameters in taken.items():
        if not parameters:
            continue
        if found and prefix in norms and prefix != head:
            before = found.pop()
            found.append(Block(before.name, before.parameters + tuple(parameters)))
        else:
            found.append(Block(prefix, tuple(parameters)))
    return tuple(found)


def is_norm(module: nn.Module) -> bool:
    """Whether it is a normalization layer, of torch or by its name."""
    return "norm" in type(module).__name__.lower() and not any(True for _ in module.children())


def is_batch_norm(module: nn.Module) -> bool:
    """Whether it keeps running statistics of its batches."""
    return isinstance(module, nn.modules.batchnorm._BatchNorm)


def _leaves(model: nn.Module, prefix: str, n_all: int) -> Iterator[tuple[str, nn.Module]]:
    for name, child in model.named_children():
        path = f"{prefix}{name}"
        n_here = sum(p.numel() for p in child.parameters())
        if not n_here:
            continue
        large = n_here >= _LARGE * n_all and any(True for _ in child.children())
        if large or isinstance(child, nn.Sequential | nn.ModuleList | nn.ModuleDict):
            yield from _leaves(child, f"{path}.", n_all)
        else:
            yield path, child
    if not any(True for _ in model.children()):
        yield prefix.removesuffix("."), model


def _given(
    named: dict[str, nn.Parameter], groups: Sequence[str | Sequence[str]]
) -> tuple[Block, ...]:
    left = dict(named)
    found = []
    for group in groups:
        names = [group] if isinstance(group, str) else list(group)
        inside = [n for n in left if any(_inside(n, name) for name in names)]
        if not inside:
            raise OptionError(f"no parameters in group {group!r}; left are {sorted(left)[:10]}.")
        found.append(Block(names[0], tuple((n, left.pop(n)) for n in inside)))
    if left:
        raise OptionError(f"groups leave out {sorted(left)[:10]}; name every part of the model.")
    return tuple(found)


def _inside(name: str, prefix: str) -> bool:
    return not prefix or f"{name}.".startswith(f"{prefix}.")


def _names(model: nn.Module) -> list[str]:
    return [name for name, _ in model.named_modules() if name]
