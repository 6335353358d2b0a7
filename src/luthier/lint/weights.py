"""The weights as they are: tied, constant, badly scaled; examples that leak into each other."""

from collections.abc import Iterator, Mapping
from typing import Any, final

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from luthier.analysis.case import Case, small, untouched
from luthier.lint.finding import Finding, Rule, Severity

_FAR = 3.0  # times the scale that suits the activation
_TOLERANCE = 1e-3  # relative; sums in another order differ by less
_GAINS = {"relu": 2.0, "relu_": 2.0, "tanh": 1.0}  # He, arXiv:1502.01852; Xavier


@final
class BrokenTie(Rule):
    """Embedding and output layer that should share their weights and do not."""

    code = "L35"
    severity = Severity.WARNING

    def check(self, case: Case) -> Iterator[Finding]:
        """Said by the model's config, or seen from equal values in two tensors."""
        model = case.subject.model
        config = getattr(model, "config", None)
        if getattr(config, "tie_word_embeddings", False):
            ends = (model.get_input_embeddings(), model.get_output_embeddings())
            first, second = (getattr(end, "weight", None) for end in ends)
            if first is not None and second is not None and first is not second:
                yield self.found(
                    "",
                    case.subject.where,
                    first="get_input_embeddings()",
                    second="get_output_embeddings()",
                )
                return
        for path, module in case.modules.items():
            if not isinstance(module, nn.Embedding):
                continue
            for other_path, other in case.modules.items():
                if isinstance(other, nn.Linear) and other.weight.shape == module.weight.shape:
                    same = other.weight is module.weight
                    if not same and torch.equal(other.weight, module.weight):
                        yield self.found(
                            other_path, case.site(other_path), first=path, second=other_path
                        )


@final
class BatchLeak(Rule):
    """The prediction of one example changes with the others of its batch."""

    code = "L57"
    severity = Severity.ERROR
    needs = ("model", "runnable model")

    def check(self, case: Case) -> Iterator[Finding]:
        """In evaluation mode, the first example among others and among copies of itself.

        Batch normalization without running statistics does so by design: a warning.
        """
        with untouched(), torch.no_grad():
            model = case.run.model.eval()
            (args, options), _ = small(case.sample)
            tensors = [
                t
                for t in torch.utils._pytree.tree_leaves((args, options))
                if isinstance(t, torch.Tensor)
            ]
            sizes = {t.shape[0] if t.dim() else 0 for t in tensors}
            if len(sizes) != 1 or (n := sizes.pop()) < 2:
                return
            repeated, repeated_options = torch.utils._pytree.tree_map(_repeated, (args, options))
            try:
                among = _first(model(*args, **options), n)
                alone = _first(model(*repeated, **repeated_options), n)
                change = _largest_change(among, alone)
                if change <= _TOLERANCE:
                    return
                again = _first(model(*args, **options), n)
            except Exception:  # what went wrong in running it is in the report's `error`
                return
        if _largest_change(among, again) == 0.0:  # else it draws random numbers
            by_design = any(
                isinstance(module, _BatchNorm) and not module.track_running_stats
                for module in case.modules.values()
            )
            severity = Severity.WARNING if by_design else None
            yield self.found("", case.subject.where, severity, change=f"{change:.2g}", n_examples=n)


@final
class ConstantWeights(Rule):
    """A weight matrix of one value, whose units can never differ."""

    code = "L58"
    severity = Severity.ERROR

    def check(self, case: Case) -> Iterator[Finding]:
        """Zeros are meant in LoRA, in heads and on residual branches: a warning elsewhere."""
        last = next(
            reversed([p for p, m in case.modules.items() if isinstance(m, nn.Linear | _ConvNd)]),
            None,
        )
        for path, module in case.modules.items():
            if not isinstance(module, nn.Linear | _ConvNd | nn.RNNBase):
                continue
            for name, weight in module.named_parameters(recurse=False):
                if (
                    not name.startswith("weight")
                    or weight.dim() < 2
                    or weight.shape[0] < 2
                    or not weight.requires_grad
                ):
                    continue
                values = weight.detach()
                if "lora" in f"{path}.{name}".lower() or float(values.max() - values.min()) > 0:
                    continue
                zero = not float(values.flatten()[0])
                if zero and (path == last or self._is_on_branch(case, path)):
                    continue
                yield self.found(
                    f"{path}.{name}" if path else name,
                    case.site(path),
                    Severity.WARNING if zero else None,
                    value=float(values.flatten()[0]),
                    shape=tuple(weight.shape),
                )

    def _is_on_branch(self, case: Case, path: str) -> bool:
        """Whether its output is added to, or scales, something else."""
        if not case.has_flow:
            return True
        trace = case.trace
        passing = ("view", "crop", "dropout", "activation", "add", "mul", "batch_norm", "norm")
        for call in trace.calls:
            if call.path == path and call.module is not None:
                ends = trace.forward(call, lambda c: c.kind in passing)
                return any(reader.kind in ("add", "mul") for reader, _ in ends) or not any(
                    trace.forward(call, lambda c: True)
                )
        return True


@final
class InitializationForAnotherActivation(Rule):
    """First weights whose scale does not suit the activation behind them."""

    code = "L59"
    severity = Severity.INFO
    needs = ("model", "runnable model")

    def check(self, case: Case) -> Iterator[Finding]:
        """Only right before a ReLU or tanh; a normalization makes the scale irrelevant."""
        if case.is_pretrained:
            return
        trace = case.trace
        seen = set()
        for call in trace.of("linear", "convolution"):
            readers = trace.consumers(call)
            weight = getattr(call.module, "weight", None)
            if len(readers) != 1 or weight is None or call.path in seen:
                continue
            gain = _GAINS.get(readers[0].name.lower())
            fan_in = weight[0].numel()
            std = float(weight.detach().float().std()) if weight.numel() > 1 else 0.0
            if gain is None or not std:
                continue
            expected = float((gain / fan_in) ** 0.5)
            if not 1 / _FAR <= std / expected <= _FAR:
                seen.add(call.path)
                yield self.found(
                    call.path,
                    case.call_site(call),
                    std=f"{std:.3g}",
                    expected=f"{expected:.3g}",
                    activation=readers[0].name,
                )


def _largest_change(before: list[Any], after: list[Any]) -> float:
    """Relative to the size of each output."""
    changes = [
        float((b - a).abs().max()) / (float(b.abs().max()) or 1.0)
        for b, a in zip(before, after, strict=False)
        if b.shape == a.shape and b.numel()
    ]
    return max(changes, default=0.0)


def _repeated(value: Any) -> Any:  # noqa: ANN401
    """The first example in the place of all."""
    if isinstance(value, torch.Tensor) and value.dim():
        return value[:1].expand_as(value).clone()
    return value


def _first(output: Any, n: int) -> list[Any]:  # noqa: ANN401
    """What was predicted for the first example."""
    if hasattr(output, "to_tuple"):
        output = output.to_tuple()
    if isinstance(output, Mapping):
        output = list(output.values())
    return [
        t[0].double()
        for t in torch.utils._pytree.tree_leaves(output)
        if isinstance(t, torch.Tensor) and t.dim() and t.shape[0] == n and t.is_floating_point()
    ]


RULES = (BrokenTie(), BatchLeak(), ConstantWeights(), InitializationForAnotherActivation())
