"""The learning rate: by optimizer, in fine-tuning, from layer to layer, along a schedule."""

import math
from collections.abc import Iterator
from typing import Any, final

from luthier.analysis.case import Case
from luthier.core.domain import Float
from luthier.lint.finding import Finding, Rule, Severity
from luthier.lint.interval import interval_of, peak_lr

_HEAD_SHARE = 0.1  # of the trainable parameters: a group that small is taken for a head
_FULL_FINE_TUNING = 2e-5  # Adam on a pretrained transformer
_BASE_BATCH = 256


@final
class RateOutsideInterval(Rule):
    """A learning rate that neither the textbook nor today's practice would start from."""

    code = "L23"
    severity = Severity.WARNING
    needs = ("optimizer",)

    def check(self, case: Case) -> Iterator[Finding]:
        """Outside of both a warning, outside of the textbook's interval only a note.

        Not for pretrained models. SGD's upper end grows with the batch beyond 256 examples.
        """
        if case.is_pretrained:
            return
        for optimizer, group, _ in _groups(case):
            lr, name = peak_lr(group), type(optimizer).__name__
            interval = interval_of(name, float(group.get("momentum", 0.0)))
            if interval is None or lr <= 0 or _is_lora(case, group) or _is_middle(case, lr):
                continue
            n = case.n_examples if case.subject.model is not None else None
            scale = max(1.0, (n or 0) / _BASE_BATCH) if name == "SGD" else 1.0
            outside = not interval.low * 0.999 <= lr <= interval.high * scale * 1.001
            chapter_only = not interval.chapter[0] * 0.999 <= lr <= interval.chapter[1] * 1.001
            if outside or chapter_only:
                yield self.found(
                    "",
                    case.subject.sites[optimizer],
                    None if outside else Severity.INFO,
                    optimizer=name,
                    lr=lr,
                    chapter=_text(interval.chapter),
                    modern=_text(interval.modern),
                )


def _is_middle(case: Case, lr: float) -> bool:
    """Whether nobody stated the rate: it is searched, and that is the middle of its range."""
    domains = case.subject.space.domains.values() if case.subject.space is not None else ()
    return any(
        isinstance(d, Float) and d.prior is None and math.isclose(d.default(), lr) for d in domains
    )


@final
class FineTuningRateNotLowered(Rule):
    """Pretrained weights trained at a rate for training from scratch."""

    code = "L24"
    severity = Severity.WARNING
    needs = ("model", "optimizer")

    def check(self, case: Case) -> Iterator[Finding]:
        """Expected: a tenth of the usual rate or less. Not for heads, probes and LoRA."""
        if not case.is_pretrained:
            return
        n_trainable = sum(p.numel() for p in case.parameters.values() if p.requires_grad)
        n_all = sum(p.numel() for p in case.parameters.values())
        if n_trainable < _HEAD_SHARE * n_all:
            return
        for optimizer, group, _ in _groups(case):
            interval = interval_of(type(optimizer).__name__, float(group.get("momentum", 0.0)))
            if interval is None or _is_lora(case, group) or _is_head(case, group):
                continue
            lr, most = peak_lr(group), 0.1 * interval.usual
            if lr > most * 1.001:
                yield self.found(
                    "",
                    case.subject.sites[optimizer],
                    optimizer=type(optimizer).__name__,
                    lr=lr,
                    most=most,
                )


@final
class ScheduleOfAnotherLength(Rule):
    """A schedule made for another number of steps than the training has."""

    code = "L50"
    severity = Severity.WARNING
    needs = ("model", "scheduler", "epochs")

    def check(self, case: Case) -> Iterator[Finding]:
        """OneCycleLR is stepped per batch; a cosine may be stepped per epoch or per batch."""
        epochs, loader = case.subject.epochs, case.subject.loader
        n_batches = len(loader) if loader is not None and hasattr(loader, "__len__") else None
        per_epoch = -(-n_batches // case.subject.accumulation) if n_batches else None
        for schedule in case.subject.schedulers:
            name = type(schedule).__name__
            length = getattr(schedule, "total_steps", getattr(schedule, "T_max", None))
            if length is None or epochs is None:
                continue
            steps = epochs * per_epoch if per_epoch else None
            expected = [steps] if name == "OneCycleLR" else [epochs, steps]
            if any(e is not None for e in expected) and length not in expected:
                yield self.found(
                    "",
                    case.subject.sites[schedule],
                    schedule=name,
                    length=length,
                    expected=" / ".join(str(e) for e in expected if e),
                )


@final
class ReversedLayerRates(Rule):
    """Early layers that learn faster than the head."""

    code = "L66"
    severity = Severity.WARNING
    needs = ("model", "optimizer")

    def check(self, case: Case) -> Iterator[Finding]:
        """Compares the groups that hold the model's first and last weights."""
        place = {id(p): number for number, p in enumerate(case.parameters.values())}
        for optimizer in case.subject.optimizers:
            places = []
            for group in optimizer.param_groups:
                held = [place[id(p)] for p in group["params"] if id(p) in place and p.dim() > 1]
                if held:
                    places.append((sum(held) / len(held), peak_lr(group)))
            places.sort()
            if len(places) > 1 and places[0][1] > places[-1][1]:
                yield self.found(
                    "", case.subject.sites[optimizer], first=places[0][1], last=places[-1][1]
                )


@final
class UnusualLoraRate(Rule):
    """LoRA matrices trained at a rate far from ten times that of full fine-tuning."""

    code = "L67"
    severity = Severity.INFO
    needs = ("model", "optimizer")

    def check(self, case: Case) -> Iterator[Finding]:
        """Expected: 3 to 30 times 2e-5, for the Adam family."""
        for optimizer, group, _ in _groups(case):
            lr = peak_lr(group)
            low, high = 3 * _FULL_FINE_TUNING, 30 * _FULL_FINE_TUNING
            adam = "adam" in type(optimizer).__name__.lower()
            if adam and _is_lora(case, group) and not low * 0.999 <= lr <= high * 1.001:
                yield self.found("", case.subject.sites[optimizer], lr=lr, low=low, high=high)


def _groups(case: Case) -> Iterator[tuple[Any, dict[str, Any], int]]:
    """Groups, each rate of an optimizer once."""
    for optimizer in case.subject.optimizers:
        seen = set()
        for number, group in enumerate(optimizer.param_groups):
            key = (peak_lr(group), _is_head(case, group), _is_lora(case, group))
            if key not in seen and group["params"]:
                seen.add(key)
                yield optimizer, group, number


def _names(case: Case, group: dict[str, Any]) -> list[str]:
    if case.subject.model is None:
        return []
    held = {id(p) for p in group["params"]}
    return [name for name, p in case.parameters.items() if id(p) in held]


def _is_lora(case: Case, group: dict[str, Any]) -> bool:
    names = _names(case, group)
    return bool(names) and all("lora_" in name for name in names)


def _is_head(case: Case, group: dict[str, Any]) -> bool:
    """A small group that holds the last weights of the model."""
    names = _names(case, group)
    if not names or len(names) == len(case.parameters):
        return False
    n = sum(p.numel() for p in group["params"])
    n_all = sum(p.numel() for p in case.parameters.values())
    return [*case.parameters][-1] in names and n < _HEAD_SHARE * n_all


def _text(ends: tuple[float, float]) -> str:
    return f"{ends[0]:g}–{ends[1]:g}"


RULES = (
    RateOutsideInterval(),
    FineTuningRateNotLowered(),
    ScheduleOfAnotherLength(),
    ReversedLayerRates(),
    UnusualLoraRate(),
)
