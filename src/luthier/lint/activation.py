"""Nonlinearities: missing, doubled, or in the wrong place."""

from collections.abc import Iterator
from typing import Any, final

from torch import nn

from luthier.analysis.case import Case
from luthier.lint.finding import Finding, Rule, Severity

_CLIPPING = ("relu", "relu_", "relu6", "hardtanh")
_LOGITS = ("cross_entropy", "binary_cross_entropy_with_logits", "nll_loss")


@final
class ClippedPrediction(Rule):
    """A ReLU or a dropout between the last layer and the loss."""

    code = "L17"
    severity = Severity.WARNING
    needs = ("model", "batch", "loss")

    def check(self, case: Case) -> Iterator[Finding]:
        """A ReLU matters before losses of logits; dropout before any."""
        trace = case.trace
        for loss in trace.losses:
            last = trace.source(trace.prediction(loss), "view", "crop")
            if last is None:
                continue
            clipped = last.name.lower() in _CLIPPING and loss.name in _LOGITS
            dropped = last.kind == "dropout" and "dropout" in last.name.lower()
            if clipped or dropped:
                yield self.found(
                    last.path,
                    case.call_site(last),
                    layer=last.path or last.name,
                    kind=last.name,
                    loss=loss.name,
                )


@final
class StackedLinear(Rule):
    """Two linear maps with nothing nonlinear between, which are one linear map."""

    code = "L18"
    severity = Severity.WARNING
    needs = ("model", "runnable model")

    def check(self, case: Case) -> Iterator[Finding]:
        """A bottleneck, a depthwise or 1x1 partner, or a second reader makes it a factorization."""
        trace = case.trace
        for kind in ("linear", "convolution"):
            for call in trace.of(kind):
                reader = call
                while len(readers := trace.consumers(reader)) == 1:
                    reader = readers[0]
                    if reader.kind not in ("view", "dropout"):
                        break
                is_pair = reader.kind == kind and reader.path != call.path
                both = call.module is not None and reader.module is not None
                if is_pair and both and not _factorizes(call.module, reader.module):
                    yield self.found(
                        reader.path, case.call_site(reader), first=call.path, second=reader.path
                    )


@final
class DoubledActivation(Rule):
    """An activation of an activation."""

    code = "L19"
    severity = Severity.INFO
    needs = ("model", "runnable model")

    def check(self, case: Case) -> Iterator[Finding]:
        """tanh of softplus is Mish, written out."""
        trace = case.trace
        seen = set()
        for call in trace.of("activation"):
            made = trace.source(call, "view") if call.kind == "view" else None
            made = next((c for c in trace.producers(call) if c.kind != "parameter"), made)
            if made is None or made.kind != "activation" or (call.path, call.site) in seen:
                continue
            if (made.name.lower(), call.name.lower()) != ("softplus", "tanh"):
                seen.add((call.path, call.site))
                yield self.found(call.path, case.call_site(call), first=made.name, second=call.name)


@final
class SoftmaxWithoutDimension(Rule):
    """A softmax that guesses the dimension it runs over."""

    code = "L20"
    severity = Severity.WARNING

    def check(self, case: Case) -> Iterator[Finding]:
        """Modules, and functions where there is a trace."""
        for path, module in case.modules.items():
            if isinstance(module, nn.Softmax | nn.LogSoftmax | nn.Softmin) and module.dim is None:
                yield self.found(path, case.site(path))
        for call in case.trace.of("softmax") if case.has_flow else ():
            if call.module is None and "dim" in call.options and call.options["dim"] is None:
                yield self.found(call.path, case.call_site(call))


def _factorizes(first: Any, second: Any) -> bool:  # noqa: ANN401
    """Whether the pair is cheaper or shaped otherwise than the one map it stands for."""
    if isinstance(first, nn.Linear) and isinstance(second, nn.Linear):
        return bool(first.out_features < min(first.in_features, second.out_features))
    grouped = max(getattr(first, "groups", 1), getattr(second, "groups", 1)) > 1
    kernels = [tuple(getattr(m, "kernel_size", ())) for m in (first, second)]
    return bool(grouped or kernels[0] != kernels[1] or any(set(k) == {1} for k in kernels))


RULES = (ClippedPrediction(), StackedLinear(), DoubledActivation(), SoftmaxWithoutDimension())
