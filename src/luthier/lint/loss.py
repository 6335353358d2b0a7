"""The loss: what it is fed, how its terms compare, and its own parameters."""

import ast
import functools
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, final

import torch
from torch import nn

from luthier.analysis.case import Case, copied, small, terms_of, untouched
from luthier.analysis.sites import Site
from luthier.analysis.subject import first_batches, split_batch
from luthier.lint.finding import Finding, Rule, Severity

_LOGIT_LOSSES = ("cross_entropy", "binary_cross_entropy_with_logits")
_PAIRED = (
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
)
_CONTRASTIVE = re.compile(
    r"npair|n_pair|infonce|info_nce|ntxent|nt_xent|contrastive|simclr|clip", re.IGNORECASE
)
_MANY = 64
_APART = 100.0  # two orders of magnitude
_N_BATCHES = 5


@final
class NormalizedTwice(Rule):
    """Probabilities where the loss wants logits."""

    code = "L15"
    severity = Severity.ERROR
    needs = ("model", "batch", "loss")

    def check(self, case: Case) -> Iterator[Finding]:
        """By the flow of data; log-softmax twice changes nothing, so it is only a warning."""
        trace = case.trace
        for loss in trace.losses:
            if loss.name not in _LOGIT_LOSSES:
                continue
            last = trace.source(trace.prediction(loss), "view", "crop")
            if last is None:
                continue
            name = last.name.lower()
            soft = last.kind == "softmax" and loss.name == "cross_entropy"
            if soft or name in ("sigmoid", "sigmoid_"):
                harmless = "log" in name
                yield self.found(
                    last.path,
                    case.call_site(last),
                    Severity.WARNING if harmless else None,
                    layer=last.path or last.name,
                    kind=last.name,
                    loss=loss.name,
                    low=round(loss.low, 4),
                    high=round(loss.high, 4),
                )


@final
class LogitsWhereProbabilities(Rule):
    """Logits where the loss wants probabilities or their logarithms."""

    code = "L16"
    severity = Severity.ERROR
    needs = ("model", "batch", "loss")

    def check(self, case: Case) -> Iterator[Finding]:
        """By the numbers of the sample batch."""
        trace = case.trace
        for loss in trace.losses:
            raw = loss.name == "nll_loss" and not loss.exp_rows_sum_to_one
            outside = loss.name == "binary_cross_entropy" and (loss.low < 0 or loss.high > 1)
            # cross_entropy calls nll_loss in C++, so an nll_loss here was called by the user
            if raw or outside:
                last = trace.source(trace.prediction(loss), "view")
                site = case.subject.sites[case.subject.loss] or loss.site
                yield self.found(
                    last.path if last else "",
                    site,
                    loss=loss.name,
                    low=round(loss.low, 4),
                    high=round(loss.high, 4),
                )


@final
class BroadcastLoss(Rule):
    """Prediction and target of different shapes, which the loss stretches to fit."""

    code = "L21"
    severity = Severity.ERROR
    needs = ("model", "batch", "loss")

    def check(self, case: Case) -> Iterator[Finding]:
        """Losses that compare value by value."""
        for loss in case.trace.losses:
            if loss.name in _PAIRED and loss.prediction_shape != loss.target_shape:
                yield self.found(
                    loss.path if loss.path in case.modules else "",
                    _site(case, loss),
                    loss=loss.name,
                    prediction=loss.prediction_shape,
                    target=loss.target_shape,
                )


@final
class TargetOutsideClasses(Rule):
    """A class number that the model has no output for."""

    code = "L22"
    severity = Severity.ERROR
    needs = ("model", "batch", "loss")

    def check(self, case: Case) -> Iterator[Finding]:
        """In the sample batch; the loss's ignore_index is allowed."""
        for loss in case.trace.losses:
            if loss.name not in ("cross_entropy", "nll_loss") or not loss.target_is_index:
                continue
            n_classes = loss.prediction_shape[1 if len(loss.prediction_shape) > 1 else 0]
            ignored = loss.options.get("ignore_index", -100)
            low_is_wrong = loss.target_low < 0 and loss.target_low != ignored
            if loss.target_high >= n_classes or low_is_wrong:
                yield self.found(
                    "",
                    _site(case, loss),
                    n_classes=n_classes,
                    low=int(loss.target_low),
                    high=int(loss.target_high),
                )


@final
class LossTermsApart(Rule):
    """One term of the loss a hundred times another."""

    code = "L25"
    severity = Severity.WARNING
    needs = ("model", "batch", "loss")

    def check(self, case: Case) -> Iterator[Finding]:
        """Terms as the loss gives them (a mapping or tuple), else the addends of its last sum."""
        seen = [] if case.run.error else self._per_batch(case)
        apart = [terms for terms in seen if self._ratio(terms) > _APART]
        if apart and len(apart) == len(seen):
            worst = max(apart, key=self._ratio)
            site = case.subject.sites[case.subject.loss] or _function_site(case.subject.loss)
            yield self.found(
                "",
                site or case.subject.where,
                terms=", ".join(f"{k} {v:.3g}" for k, v in worst.items()),
                ratio=f"{self._ratio(worst):.3g}",
                n_batches=len(seen),
            )

    def _ratio(self, terms: Mapping[str, float]) -> float:
        sizes = [abs(v) for v in terms.values() if v and math.isfinite(v)]
        return max(sizes) / min(sizes) if len(sizes) > 1 else 1.0

    def _per_batch(self, case: Case) -> list[dict[str, float]]:
        given = {k: v for k, v in terms_of(case.trace.loss).items() if isinstance(v, torch.Tensor)}
        if len(given) == 1:
            return [self._addends(case)]
        it = case.subject
        batches = [(it.inputs, it.target)] if it.loader is None else []
        with untouched(), torch.no_grad():
            model, loss = copied(it.model, it.loss)
            if it.loader is not None:
                batches = [
                    split_batch(model, b, True) for b in first_batches(it.loader, _N_BATCHES)
                ]
            values = []
            for inputs, target in batches:
                if inputs is None:
                    continue
                (args, options), target = small(inputs, target)
                output = model(*args, **options)
                terms = terms_of(loss(output) if target is None else loss(output, target))
                values.append({name: float(value) for name, value in terms.items()})
        return values

    def _addends(self, case: Case) -> dict[str, float]:
        trace = case.trace
        last = next(
            (c for c in reversed(trace.calls) if c.value is not None and not c.out_shape), None
        )
        found: dict[str, float] = {}
        waiting = [last] if last is not None and last.kind == "add" else []
        while waiting:
            call = waiting.pop()
            if call.kind == "add" and not call.out_shape:
                waiting += [c for c in trace.producers(call) if c.kind != "parameter"]
            elif call.value is not None:
                source = trace.source(call, "mul", "pool", "view") or call
                found[
                    f"{source.name} (line {call.site.line})"
                    if call.site
                    else source.name + (f" {len(found) + 1}")
                ] = call.value
        return found


@final
class SmallBatchForNegatives(Rule):
    """A loss that compares examples of a batch, and few of them."""

    code = "L43"
    severity = Severity.INFO
    needs = ("model", "loss", "batch size")

    def check(self, case: Case) -> Iterator[Finding]:
        """By the name of the loss."""
        n, name = case.n_examples, _name(case.subject.loss)
        if n is not None and n < _MANY and _CONTRASTIVE.search(name):
            yield self.found("", _loss_site(case), loss=name, n_examples=n)


@final
class UnusualFocalParameters(Rule):
    """Focal loss with another gamma or alpha than its paper found best."""

    code = "L44"
    severity = Severity.INFO

    def check(self, case: Case) -> Iterator[Finding]:
        """Attributes of a loss that is called focal; numbers in calls of the script to one."""
        gamma, alpha = _focal(case)
        if not _is_usual(gamma, alpha):
            yield self.found("", _loss_site(case), gamma=gamma, alpha=alpha)
        elif case.source is not None:
            for node in ast.walk(case.source.tree):
                if isinstance(node, ast.Call) and "focal" in ast.unparse(node.func).lower():
                    numbers = {k.arg: k.value.value for k in node.keywords
                               if isinstance(k.value, ast.Constant)}  # fmt: skip
                    gamma, alpha = _number(numbers.get("gamma")), _number(numbers.get("alpha"))
                    if not _is_usual(gamma, alpha):
                        yield self.found("", case.source.site(node), gamma=gamma, alpha=alpha)


@final
class FocalWithoutPrior(Rule):
    """Focal loss, and a last layer that begins by calling every second example positive."""

    code = "L45"
    severity = Severity.WARNING
    needs = ("model", "loss")

    def check(self, case: Case) -> Iterator[Finding]:
        """The bias that RetinaNet starts from is -4.6, for one positive in a hundred."""
        if _focal(case) == (None, None) or case.is_pretrained:
            return
        last = [
            (p, m)
            for p, m in case.modules.items()
            if isinstance(m, nn.Linear | nn.modules.conv._ConvNd)
        ]
        if last and (bias := last[-1][1].bias) is not None and float(bias.mean()) > -2.0:
            path = last[-1][0]
            yield self.found(path, case.site(path), bias=round(float(bias.mean()), 3))


@final
class UnexpectedFirstLoss(Rule):
    """A first cross-entropy far from the logarithm of the number of classes."""

    code = "L56"
    severity = Severity.WARNING
    needs = ("model", "batch", "loss")

    def check(self, case: Case) -> Iterator[Finding]:
        """Not for pretrained models, class weights or label smoothing."""
        if case.is_pretrained:
            return
        for loss in case.trace.losses:
            plain = not loss.options.get("label_smoothing") and loss.target_is_index
            if loss.name != "cross_entropy" or not plain or loss.index is None:
                continue
            value = case.trace.calls[loss.index].value
            n_classes = loss.prediction_shape[1 if len(loss.prediction_shape) > 1 else 0]
            expected = math.log(max(2, n_classes))
            if (
                getattr(case.subject.loss, "weight", None) is None
                and value is not None
                and (abs(value - expected) > 0.25 * expected)
            ):
                yield self.found(
                    "",
                    _site(case, loss),
                    value=round(value, 3),
                    expected=round(expected, 3),
                    n_classes=n_classes,
                )
                return


def _focal(case: Case) -> tuple[float | None, float | None]:
    """gamma and alpha of a focal loss; (None, None) when it is none."""
    loss = case.subject.loss
    if "focal" not in _name(loss).lower():
        return None, None
    held: Mapping[str, Any] = (
        loss.keywords
        if isinstance(loss, functools.partial)
        else ({k: getattr(loss, k, None) for k in ("gamma", "alpha")})
    )
    gamma, alpha = (held.get(k) for k in ("gamma", "alpha"))
    return _number(gamma), _number(alpha)


def _is_usual(gamma: float | None, alpha: float | None) -> bool:
    return gamma in (None, 2.0) and alpha in (None, 0.25)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _name(loss: Any) -> str:  # noqa: ANN401
    if isinstance(loss, functools.partial):
        return _name(loss.func)
    return getattr(loss, "__name__", type(loss).__name__)


def _site(case: Case, loss: Any) -> Site | None:  # noqa: ANN401  analysis.trace.LossCall
    made: Site | None = loss.site
    return case.subject.sites[case.subject.loss] or made or case.subject.where


def _loss_site(case: Case) -> Site | None:
    """Where the loss was made; for a partial, the line of the script that names it."""
    loss = case.subject.loss
    made = case.subject.sites[loss]
    if made is None and case.source is not None:
        for node in ast.walk(case.source.tree):
            if isinstance(node, ast.Call) and any(
                _name(loss) in ast.unparse(a) for a in (node.func, *node.args)
            ):
                return case.source.site(node)
    return made or _function_site(loss) or case.subject.where


def _function_site(function: Any) -> Site | None:  # noqa: ANN401
    code = getattr(function, "__code__", None)
    return Site(code.co_filename, code.co_firstlineno) if code else None


RULES = (
    NormalizedTwice(),
    LogitsWhereProbabilities(),
    BroadcastLoss(),
    TargetOutsideClasses(),
    LossTermsApart(),
    SmallBatchForNegatives(),
    UnusualFocalParameters(),
    FocalWithoutPrior(),
    UnexpectedFirstLoss(),
)
