"""Kernels: their sizes, their padding, and the maps they slide over."""

from collections.abc import Iterator
from typing import Any, final

from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from luthier.analysis.case import Case
from luthier.analysis.sites import Site
from luthier.lint.finding import Finding, Rule, Severity

_MENU = {(1,), (3,), (5,), (7,)}
_BRANCH = ("batch_norm", "norm", "activation", "convolution", "dropout", "view")
_MAX_DEPTHWISE = 31  # arXiv:2203.06717


@final
class EvenKernel(Rule):
    """A kernel without a middle, unless it tiles its input (kernel == stride)."""

    code = "L01"
    severity = Severity.WARNING

    def check(self, case: Case) -> Iterator[Finding]:
        """Where kernel minus stride is even it is a note. Causal convolutions are left alone."""
        for path, module in _convolutions(case):
            if not _is_causal(module):
                yield from self._judge(path, case.site(path), module.kernel_size, module.stride)
        for call in case.trace.of("convolution") if case.has_flow else ():
            if call.module is None and "kernel" in call.options:
                sizes = call.options["kernel"], call.options["strides"]
                yield from self._judge(call.path, case.call_site(call), *sizes)

    def _judge(
        self, path: str, site: Site | None, kernel: tuple[int, ...], stride: tuple[int, ...]
    ) -> Iterator[Finding]:
        pairs = zip(kernel, stride, strict=True)
        even = [(k, s) for k, s in pairs if k > 1 and k % 2 == 0 and s < k]
        if even:
            centred = all((k - s) % 2 == 0 for k, s in even)
            yield self.found(
                path, site, Severity.INFO if centred else None, kernel=_by(kernel),
                stride=_by(stride),
            )  # fmt: skip


@final
class KernelOffMenu(Rule):
    """A kernel size that is neither usual, nor a patch, nor depthwise."""

    code = "L02"
    severity = Severity.INFO

    def check(self, case: Case) -> Iterator[Finding]:
        """Odd sizes only; even ones are another rule's."""
        for path, module in _convolutions(case):
            kernel = tuple(module.kernel_size)
            sizes = {size for size in kernel if size > 1}
            usual = tuple(sorted(sizes)) in _MENU or not sizes
            patch = kernel == tuple(module.stride)
            depthwise = module.groups == module.in_channels and max(kernel) <= _MAX_DEPTHWISE
            if not (usual or patch or depthwise) and all(size % 2 for size in sizes):
                yield self.found(path, case.site(path), kernel=_by(kernel))


@final
class UnevenTransposedOverlap(Rule):
    """A transposed convolution whose kernel is no multiple of its stride."""

    code = "L03"
    severity = Severity.WARNING

    def check(self, case: Case) -> Iterator[Finding]:
        """Stride 1 cannot overlap unevenly."""
        for path, module in case.modules.items():
            if isinstance(module, _ConvTransposeNd):
                pairs = zip(module.kernel_size, module.stride, strict=True)
                if any(stride > 1 and kernel % stride for kernel, stride in pairs):
                    yield self.found(
                        path,
                        case.site(path),
                        kernel=_by(module.kernel_size),
                        stride=_by(module.stride),
                    )


@final
class ShrinkingResidualBranch(Rule):
    """A stride-1 convolution that changes the map's size, so that its shortcut is cropped."""

    code = "L04"
    severity = Severity.INFO
    needs = ("model", "runnable model")

    def check(self, case: Case) -> Iterator[Finding]:
        """The crop or padding lies on the shortcut, before the sum of both."""
        trace = case.trace
        for call in trace.of("convolution"):
            module = call.module
            if module is None or not call.in_shapes or set(module.stride) != {1}:
                continue
            n_dims = len(module.kernel_size)
            shapes = [shape for shape in call.in_shapes if len(shape) == len(call.out_shape)]
            if not shapes or shapes[0][-n_dims:] == call.out_shape[-n_dims:]:
                continue
            for reader, _ in trace.forward(call, lambda c: c.kind in _BRANCH):
                if reader.kind == "add" and any(
                    maker.kind == "crop" for maker in trace.producers(reader)
                ):
                    yield self.found(
                        call.path,
                        case.call_site(call),
                        before=_by(shapes[0][-n_dims:]),
                        after=_by(call.out_shape[-n_dims:]),
                        padding=module.padding,
                    )
                    break


@final
class KernelOverMap(Rule):
    """A kernel larger than the map it slides over."""

    code = "L61"
    severity = Severity.WARNING
    needs = ("model", "batch")

    def check(self, case: Case) -> Iterator[Finding]:
        """Compared with the map of the sample batch, without its padding."""
        seen = set()
        for call in case.trace.of("convolution", "max_pool", "pool"):
            kernel = _sizes(getattr(call.module, "kernel_size", None), call)
            if kernel is None or not call.in_shapes or call.path in seen:
                continue
            size = call.in_shapes[0][-len(kernel) :]
            if any(k > s for k, s in zip(kernel, size, strict=False)):
                seen.add(call.path)
                yield self.found(call.path, case.call_site(call), kernel=_by(kernel), map=_by(size))


def _is_causal(module: Any) -> bool:  # noqa: ANN401
    """One axis, padded by all that the kernel looks back: time has a direction, and no middle."""
    steps = zip(module.kernel_size, module.dilation, strict=True)
    needed = tuple((k - 1) * d for k, d in steps)
    return len(needed) == 1 and tuple(module.padding) == needed


def _convolutions(case: Case) -> Iterator[tuple[str, Any]]:
    for path, module in case.modules.items():
        if isinstance(module, _ConvNd) and not isinstance(module, _ConvTransposeNd):
            yield path, module


def _sizes(kernel: Any, call: Any) -> tuple[int, ...] | None:  # noqa: ANN401
    if kernel is None:
        return None
    if isinstance(kernel, int):
        n_dims = int(call.module.__class__.__name__[-2]) if call.module else 2
        return (kernel,) * n_dims
    return tuple(kernel)


def _by(sizes: Any) -> str:  # noqa: ANN401
    return "x".join(str(size) for size in sizes)


RULES = (
    EvenKernel(),
    KernelOffMenu(),
    UnevenTransposedOverlap(),
    ShrinkingResidualBranch(),
    KernelOverMap(),
)
