"""Kernels in the order of the run: how far each layer sees, and how coarse its map is.

Along each way the field grows by (k - 1) x dilation x j, and the step j between neighbours by the
stride, both in pixels of the input (Araujo, Norris and Sim 2019, doi:10.23915/distill.00021). Where
ways meet, the largest counts.
"""

from dataclasses import dataclass
from typing import Any, final

from luthier.analysis.case import Case

_SEES_ALL = ("attention", "recurrent", "matmul")


@final
@dataclass(frozen=True, slots=True)
class Kernel:
    """One layer that slides. Sizes per spatial axis; None where the whole input is seen."""

    path: str
    kind: str
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    receptive_field: tuple[int, ...] | None
    output_stride: tuple[float, ...]
    map: tuple[int, ...]  # spatial size of the output


@final
@dataclass(frozen=True, slots=True)
class _Reach:
    field: tuple[float, ...] | None  # None: everything
    jump: tuple[float, ...]


def kernels_of(case: Case) -> list[Kernel]:
    """Every sliding layer that ran, once per module."""
    trace = case.trace
    reach: dict[int, _Reach] = {}
    found: dict[str, Kernel] = {}
    for call in trace.calls:
        before = [reach[i] for i in call.inputs if i in reach]
        if call.kind == "input" and len(call.out_shape) > 2:
            n_dims = len(call.out_shape) - 2
            reach[call.index] = _Reach((1.0,) * n_dims, (1.0,) * n_dims)
            continue
        if not before:
            continue
        merged = _merged(before)
        geometry = _geometry(call, len(merged.jump))
        if call.kind in _SEES_ALL or _is_global(call):
            reach[call.index] = _Reach(None, merged.jump)
        elif geometry is None:
            reach[call.index] = merged
        else:
            kernel, stride, dilation = geometry
            after = _after(merged, kernel, stride, dilation, "transposed" in call.kind)
            reach[call.index] = after
            path = call.path or call.name
            field = None if after.field is None else tuple(round(f) for f in after.field)
            module = call.module
            found[path] = Kernel(
                path,
                type(module).__name__ if module is not None else call.name,
                kernel,
                stride,
                dilation,
                getattr(module, "groups", 1),
                field,
                after.jump,
                call.out_shape[-len(kernel) :],
            )
    return list(found.values())


def _merged(before: list[_Reach]) -> _Reach:
    n_dims = max(len(r.jump) for r in before)
    same = [r for r in before if len(r.jump) == n_dims]
    jump = tuple(max(r.jump[i] for r in same) for i in range(n_dims))
    if any(r.field is None for r in same):
        return _Reach(None, jump)
    fields = [r.field for r in same if r.field is not None]
    return _Reach(tuple(max(f[i] for f in fields) for i in range(n_dims)), jump)


def _after(
    before: _Reach,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    transposed: bool,
) -> _Reach:
    if transposed:
        jump = tuple(j / s for j, s in zip(before.jump, stride, strict=True))
        steps = jump
    else:
        jump = tuple(j * s for j, s in zip(before.jump, stride, strict=True))
        steps = before.jump
    if before.field is None:
        return _Reach(None, jump)
    grown = zip(before.field, kernel, dilation, steps, strict=True)
    return _Reach(tuple(f + (k - 1) * d * j for f, k, d, j in grown), jump)


def _geometry(
    call: Any,  # noqa: ANN401
    n_dims: int,
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]] | None:
    module = call.module
    if call.kind not in ("convolution", "transposed_convolution", "max_pool", "pool"):
        return None
    if hasattr(module, "kernel_size"):
        kernel = _wide(module.kernel_size, n_dims)
        stride = _wide(module.stride or module.kernel_size, n_dims)
        return kernel, stride, _wide(getattr(module, "dilation", 1), n_dims)
    if call.kind == "max_pool" and call.in_shapes and len(call.out_shape) == n_dims + 2:
        # a pooling function: its window is taken to be its stride, seen from the two sizes
        sizes = zip(call.in_shapes[0][2:], call.out_shape[2:], strict=True)
        stride = tuple(max(1, round(a / b)) for a, b in sizes)
        return stride, stride, (1,) * n_dims
    return None


def _is_global(call: Any) -> bool:  # noqa: ANN401
    """Whether every output depends on the whole map: global pooling, or a layer over a flat map."""
    if call.kind == "pool" and not hasattr(call.module, "kernel_size"):
        return True
    return bool(call.kind == "linear" and len(call.out_shape) == 2)


def _wide(size: Any, n_dims: int) -> tuple[int, ...]:  # noqa: ANN401
    return (int(size),) * n_dims if isinstance(size, int) else tuple(int(s) for s in size)
