"""Dropout: how much, and what follows it."""

import re
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Any, final

from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from luthier.analysis.case import Case
from luthier.lint.finding import Finding, Rule, Severity

_POINTWISE = ("view", "dropout", "add", "mul", "concat", "activation", "pool", "max_pool", "crop")
_MIXING = ("linear", "convolution", "transposed_convolution")
_CELL = re.compile(r"cell|rnn|lstm|gru|recurrent", re.IGNORECASE)


@final
class DropoutBeforeBatchNorm(Rule):
    """Dropout whose output a batch normalization sees, also through linear or convolution."""

    code = "L05"
    severity = Severity.ERROR
    needs = ("model", "runnable model")

    def check(self, case: Case) -> Iterator[Finding]:
        """An error when nothing mixes in between; only a warning behind linear or convolution."""
        trace = case.trace
        seen = set()
        for call in _dropouts(case):
            for reader, way in trace.forward(call, lambda c: c.kind in (*_POINTWISE, *_MIXING)):
                if reader.kind != "batch_norm" or (call.path, call.site) in seen:
                    continue
                seen.add((call.path, call.site))
                between = [c for c in way if c.kind in _MIXING]
                names = (c.path or c.name for c in (call, *between, reader))
                yield self.found(
                    call.path,
                    case.call_site(call),
                    Severity.WARNING if between else None,
                    way=" → ".join(names),
                    p=_probability(call),
                )
                break


@final
class DropoutInRecurrentCell(Rule):
    """Dropout on the way from a cell's state at one time to its state at the next."""

    code = "L06"
    severity = Severity.WARNING
    needs = ("model", "runnable model")

    def check(self, case: Case) -> Iterator[Finding]:
        """A new mask per time step. A mask drawn once, or on the candidate only, is left alone."""
        trace = case.trace
        loops = _loops(case)
        seen = set()
        for call in _dropouts(case):
            key = (call.path, call.site)
            makers = trace.producers(call)
            readers = trace.consumers(call)
            candidate = any(m.name.lower() == "tanh" for m in makers) and all(
                r.kind in ("mul", "other") for r in readers
            )
            if key in seen or candidate:
                continue
            for cell, steps in loops.items():
                if self._feeds_back(trace, call, steps):
                    seen.add(key)
                    yield self.found(
                        call.path,
                        case.call_site(call),
                        cell=cell or "the model",
                        n_steps=len(steps),
                        p=_probability(call),
                    )
                    break

    def _feeds_back(self, trace: Any, call: Any, steps: list[set[int]]) -> bool:  # noqa: ANN401
        """Whether the dropout lies in one time step, or reads it, and the next one reads it."""
        for now, following in pairwise(steps):
            inside = call.index in now
            between = max(now) < call.index < min(following)
            if inside or (between and _reads(trace, call, now)):
                before = partial(_is_before, min(following))
                return any(r.index in following for r, _ in trace.forward(call, before))
        return False


@final
class IdleRecurrentDropout(Rule):
    """`nn.LSTM(dropout=…)` with one layer: there is nothing between layers to drop."""

    code = "L07"
    severity = Severity.WARNING

    def check(self, case: Case) -> Iterator[Finding]:
        """LSTM, GRU and RNN alike."""
        for path, module in case.modules.items():
            if isinstance(module, nn.RNNBase) and module.dropout > 0 and module.num_layers == 1:
                yield self.found(path, case.site(path), p=module.dropout)


@final
class DropoutOutsideRange(Rule):
    """More than half dropped; or unusually little between fully connected layers."""

    code = "L08"
    severity = Severity.WARNING

    def check(self, case: Case) -> Iterator[Finding]:
        """Above 0.5 a warning; below 0.2 beside linear layers, or in a single epoch, a note."""
        modern = any(
            isinstance(m, nn.MultiheadAttention | nn.LayerNorm)
            or "attention" in type(m).__name__.lower()
            for m in case.modules.values()
        )
        once = case.subject.epochs == 1 and any(
            isinstance(m, nn.Embedding) for m in case.modules.values()
        )
        between_linear = (
            {c.path for c in _dropouts(case) if self._is_between_linear(case, c)}
            if (case.has_flow)
            else set()
        )
        functional = [c for c in _dropouts(case) if c.module is None] if case.has_flow else []
        for call in functional:
            if _probability(call) > 0.5:
                yield self.found(
                    call.path, case.call_site(call), p=_probability(call), expected="<= 0.5"
                )
        for path, module in case.modules.items():
            if not isinstance(module, _DropoutNd):
                continue
            site = case.site(path)
            if module.p > 0.5:
                yield self.found(path, site, p=module.p, expected="<= 0.5")
            elif once and module.p > 0:
                yield self.found(path, site, Severity.INFO, p=module.p, expected="0")
            elif 0 < module.p < 0.2 and path in between_linear and not modern:
                yield self.found(
                    path,
                    site,
                    Severity.INFO,
                    p=module.p,
                    expected="0.2–0.5",
                )

    def _is_between_linear(self, case: Case, call: Any) -> bool:  # noqa: ANN401
        trace = case.trace
        made = trace.source(call, "dropout", "activation", "view")
        reached = [r for r, _ in trace.forward(call, lambda c: c.kind in ("view", "activation"))]
        return (
            made is not None and made.kind == "linear" and any(r.kind == "linear" for r in reached)
        )


@final
class ElementwiseDropoutOnMaps(Rule):
    """Dropout of single pixels of a convolution's output."""

    code = "L09"
    severity = Severity.INFO
    needs = ("model", "runnable model")

    def check(self, case: Case) -> Iterator[Finding]:
        """Neighbouring pixels say nearly the same, so dropping one hides nothing."""
        seen = set()
        for call in _dropouts(case):
            elementwise = call.name in ("Dropout", "dropout", "dropout_")
            made = case.trace.source(call, "dropout", "activation", "batch_norm", "norm")
            spatial = len(call.out_shape) == 4 and min(call.out_shape[2:]) > 1
            if elementwise and spatial and made is not None and made.kind == "convolution":
                if (call.path, call.site) not in seen:
                    yield self.found(
                        call.path, case.call_site(call), p=_probability(call), layer=made.path
                    )
                seen.add((call.path, call.site))


@final
class DropoutBeforeMaxPool(Rule):
    """Dropout right before a maximum, which looks for another value."""

    code = "L10"
    severity = Severity.INFO
    needs = ("model", "runnable model")

    def check(self, case: Case) -> Iterator[Finding]:
        """Also through an activation."""
        for call in _dropouts(case):
            reached = case.trace.forward(call, lambda c: c.kind in ("activation", "view"))
            for reader, _ in reached:
                if reader.kind == "max_pool":
                    yield self.found(call.path, case.call_site(call), pool=reader.path)
                    break


def _dropouts(case: Case) -> list[Any]:
    """Calls that draw a mask of single values or channels; a whole example is stochastic depth."""
    return [
        call
        for call in case.trace.of("dropout")
        if ("dropout" in call.name.lower())
        and _probability(call) > 0
        and call.options.get("training", True)
    ]


def _probability(call: Any) -> float:  # noqa: ANN401
    return float(call.module.p if call.module is not None else call.options.get("p", 0.5))


def _loops(case: Case) -> dict[str, list[set[int]]]:
    """Recurrent cells: path -> the calls of each time step, for modules called three times or more.

    A module counts by its class (a cell of torch, or "cell", "rnn", … in its name), by holding both
    a sigmoid and a tanh, as gates do, or as a linear layer in a loop by hand.
    """
    trace = case.trace
    found: dict[str, list[set[int]]] = {}
    for path, n_calls in trace.module_calls.items():
        module = case.modules.get(path)
        if n_calls < 3 or module is None:
            continue
        inside = [c for c in trace.calls if c.path == path or c.path.startswith(path + ".")]
        names = {c.name.lower() for c in inside}
        gated = {"sigmoid", "tanh"} <= names
        named = isinstance(module, nn.RNNCellBase) or _CELL.search(type(module).__name__)
        by_hand = isinstance(module, nn.Linear) and _is_recurrence(trace, inside)
        if (named or gated or by_hand) and inside and len(inside) % n_calls == 0:
            size = len(inside) // n_calls
            found[path] = [
                {c.index for c in inside[i : i + size]} for i in range(0, len(inside), size)
            ]
    return found


def _is_recurrence(trace: Any, calls: list[Any]) -> bool:  # noqa: ANN401
    """Whether a layer's calls are the steps of a loop by hand: gates, no attention, no norm."""
    between = trace.calls[calls[0].index + 1 : calls[1].index]
    gates = any(c.name.lower() in ("tanh", "sigmoid") for c in between)
    blocks = any(c.kind in ("norm", "batch_norm", "softmax", "attention") for c in between)
    return gates and not blocks and _reads(trace, calls[1], {calls[0].index})


def _is_before(index: int, call: Any) -> bool:  # noqa: ANN401
    return bool(call.floating and call.index < index)


def _reads(trace: Any, call: Any, wanted: set[int]) -> bool:  # noqa: ANN401
    """Whether what the call reads comes from one of the wanted calls."""
    waiting, seen = list(trace.producers(call)), set()
    while waiting:
        maker = waiting.pop()
        if maker.index in wanted:
            return True
        if maker.index not in seen and maker.floating and maker.index > min(wanted):
            seen.add(maker.index)
            waiting += trace.producers(maker)
    return False


RULES = (
    DropoutBeforeBatchNorm(),
    DropoutInRecurrentCell(),
    IdleRecurrentDropout(),
    DropoutOutsideRange(),
    ElementwiseDropoutOnMaps(),
    DropoutBeforeMaxPool(),
)
