"""How many numbers a model holds, who learns them, and which are used more than once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from luthier.analysis.case import Case


@final
@dataclass(frozen=True, slots=True)
class Block:
    """A child of the model, or a parameter of its own. Shared numbers count once, where first."""

    path: str
    kind: str
    n_trainable: int
    n_frozen: int
    n_buffers: int  # numbers in buffers: learned from data too, without a gradient
    n_calls: int | None  # of the module in one forward pass; None without a batch


@final
@dataclass(frozen=True, slots=True)
class Sharing:
    """One way in which weights are shared. `factor`: how many times they would be needed apart."""

    how: str  # "tied", "called again", "convolution"
    path: str
    n_weights: int
    factor: float
    detail: str


def blocks_of(case: Case, depth: int = 1) -> list[Block]:
    """The model's parts at `depth` below the root, in order."""
    model = case.subject.model
    seen: set[int] = set()
    calls: Mapping[str, int] = case.trace.module_calls if case.has_flow else {}
    blocks = []
    for path, module in _at_depth(model, "", depth):
        own = path not in dict(model.named_modules())
        parameters = [module] if own else list(module.parameters())
        counts = {True: 0, False: 0}
        for parameter in parameters:
            if id(parameter) not in seen:
                seen.add(id(parameter))
                counts[bool(parameter.requires_grad)] += parameter.numel()
        buffers = [] if own else [b for b in module.buffers() if id(b) not in seen]
        seen.update(map(id, buffers))
        blocks.append(
            Block(
                path,
                type(module).__name__,
                counts[True],
                counts[False],
                sum(b.numel() for b in buffers),
                calls.get(path) if case.has_flow and not own else None,
            )
        )
    return blocks


def sharing_of(case: Case) -> list[Sharing]:
    """Tied parameters, modules called again, and the weights that each convolution reuses."""
    found = [*_tied(case.subject.model)]
    if not case.has_flow:
        return found
    trace = case.trace
    for path, n_calls in trace.module_calls.items():
        module = case.modules.get(path)
        parent = path.rpartition(".")[0]
        if module is None or n_calls < 2 or trace.module_calls.get(parent, 1) == n_calls > 1:
            continue
        n = sum(p.numel() for p in module.parameters())
        if n:
            found.append(Sharing("called again", path, n, n_calls, f"{n_calls} calls"))
    for call in trace.of("convolution"):
        if call.module is None or not call.in_shapes:
            continue
        n = call.module.weight.numel()
        n_dense = _volume(call.in_shapes[0][1:]) * _volume(call.out_shape[1:])
        shapes = "x".join(map(str, call.in_shapes[0][1:])), "x".join(map(str, call.out_shape[1:]))
        found.append(
            Sharing("convolution", call.path, n, n_dense / n, f"{shapes[0]} to {shapes[1]}")
        )
    return found


def _tied(model: Any) -> list[Sharing]:  # noqa: ANN401
    names: dict[int, list[str]] = {}
    sizes = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
        sizes[id(parameter)] = parameter.numel()
    return [
        Sharing("tied", held[0], sizes[key], len(held), " = ".join(held))
        for key, held in names.items()
        if len(held) > 1
    ]


def _at_depth(module: Any, path: str, depth: int) -> list[tuple[str, Any]]:  # noqa: ANN401
    children = list(module.named_children())
    if depth == 0 or not children:
        return [(path, module)]
    prefix = f"{path}." if path else ""
    own = [(prefix + name, p) for name, p in module.named_parameters(recurse=False)]
    return own + [
        found for name, child in children for found in _at_depth(child, prefix + name, depth - 1)
    ]


def _volume(shape: tuple[int, ...]) -> int:
    n = 1
    for size in shape:
        n *= size
    return n
