"""Normalization: over how many examples, behind which bias, in which mode."""

from collections.abc import Iterator
from typing import Any, final

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from luthier.analysis.case import Case
from luthier.lint.finding import Finding, Rule, Severity

_FEW = 16  # arXiv:1803.08494, fig. 1: below it the error of batch normalization rises
_TOO_FEW = 8
_DEEP = 12


@final
class BatchNormOfFewExamples(Rule):
    """Batch statistics of a handful of examples."""

    code = "L11"
    severity = Severity.WARNING
    needs = ("model", "batch size")

    def check(self, case: Case) -> Iterator[Finding]:
        """Once per model, at its first such layer; a batch size of one is an error."""
        n = case.n_examples
        training = [
            (p, m)
            for p, m in _batch_norms(case)
            if m.training and not isinstance(m, nn.SyncBatchNorm)
        ]
        if n is None or n >= _FEW or not training:
            return
        severity = Severity.WARNING if n < _TOO_FEW else Severity.INFO
        if n == 1 and case.subject.batch_size is not None:
            severity = Severity.ERROR
        path = training[0][0]
        yield self.found(path, case.site(path), severity, n_examples=n, n_layers=len(training))


@final
class LastBatchOfOne(Rule):
    """The last batch of an epoch holds one example, which batch normalization refuses."""

    code = "L12"
    severity = Severity.ERROR
    needs = ("model", "loader")

    def check(self, case: Case) -> Iterator[Finding]:
        """Only where a layer sees one value per channel and example: without spatial extent."""
        loader = case.subject.loader
        size = getattr(loader, "batch_size", None)
        try:
            n = len(loader.dataset)
        except TypeError:  # a stream has no length
            return
        if not size or size < 2 or loader.drop_last or n % size != 1:
            return
        for path, module in _batch_norms(case):
            if module.training and self._is_flat(case, path, module):
                yield self.found(
                    path,
                    case.subject.sites[loader] or case.site(path),
                    n_examples=n,
                    batch_size=size,
                )
                return

    def _is_flat(self, case: Case, path: str, module: Any) -> bool:  # noqa: ANN401
        if not case.has_flow:
            return isinstance(module, nn.BatchNorm1d)
        shapes = [c.in_shapes[0] for c in case.trace.of("batch_norm") if c.path == path]
        return any(len(s) == 2 or all(size == 1 for size in s[2:]) for s in shapes)


@final
class BatchNormUnderAccumulation(Rule):
    """Gradient accumulation does not enlarge the batch that batch normalization sees."""

    code = "L13"
    severity = Severity.WARNING
    needs = ("model", "batch size")

    def check(self, case: Case) -> Iterator[Finding]:
        """Only where the batch itself is small."""
        n, k = case.n_examples, case.subject.accumulation
        paths = [path for path, module in _batch_norms(case) if module.training]
        if n is not None and k > 1 and n < _FEW and paths:
            yield self.found(paths[0], case.site(paths[0]), n_examples=n, accumulation=k)


@final
class BiasBeforeBatchNorm(Rule):
    """A bias that the next layer subtracts again."""

    code = "L14"
    severity = Severity.INFO
    needs = ("model", "runnable model")

    def check(self, case: Case) -> Iterator[Finding]:
        """Only where batch normalization is all that reads the layer."""
        trace = case.trace
        seen = set()
        for call in trace.of("linear", "convolution", "transposed_convolution"):
            readers = trace.consumers(call)
            bias = getattr(call.module, "bias", None)
            if bias is None or call.path in seen or not readers:
                continue
            if all(reader.kind == "batch_norm" for reader in readers):
                seen.add(call.path)
                yield self.found(
                    call.path, case.call_site(call), norm=readers[0].path, n_parameters=bias.numel()
                )


@final
class FrozenBatchNormUpdates(Rule):
    """Batch normalization whose weights are frozen while its running statistics go on changing."""

    code = "L38"
    severity = Severity.WARNING

    def check(self, case: Case) -> Iterator[Finding]:
        """Once per model, at the first such layer."""
        frozen = [
            path
            for path, module in _batch_norms(case)
            if module.training
            and module.affine
            and module.track_running_stats
            and not any(p.requires_grad for p in module.parameters())
        ]
        if frozen:
            yield self.found(frozen[0], case.site(frozen[0]), n_layers=len(frozen))


@final
class PostNormWithoutWarmup(Rule):
    """Many layers of normalization behind the sum, and a learning rate that starts at its peak."""

    code = "L60"
    severity = Severity.WARNING
    needs = ("model", "runnable model", "optimizer")

    def check(self, case: Case) -> Iterator[Finding]:
        """Behind the sum: the sum is read by the normalization alone, so no shortcut goes past."""
        trace = case.trace
        post = []
        for call in trace.of("norm"):
            made = trace.source(call, "norm", "dropout")
            if made is not None and made.kind == "add" and trace.consumers(made) == [call]:
                post.append(call)
        n_layers = len({call.path for call in post})
        if n_layers >= _DEEP and not _warms_up(case):
            yield self.found(post[0].path, case.call_site(post[0]), n_layers=n_layers)


def _warms_up(case: Case) -> bool:
    """Whether some group starts below the rate that it is meant to reach."""
    groups = [g for optimizer in case.subject.optimizers for g in optimizer.param_groups]
    return any(
        float(g["lr"]) < 0.5 * float(g.get("max_lr", g.get("initial_lr", g["lr"]))) for g in groups
    )


def _batch_norms(case: Case) -> Iterator[tuple[str, Any]]:
    for path, module in case.modules.items():
        if isinstance(module, _BatchNorm) and not isinstance(module, _InstanceNorm):
            yield path, module


RULES = (
    BatchNormOfFewExamples(),
    LastBatchOfOne(),
    BatchNormUnderAccumulation(),
    BiasBeforeBatchNorm(),
    FrozenBatchNormUpdates(),
    PostNormWithoutWarmup(),
)
