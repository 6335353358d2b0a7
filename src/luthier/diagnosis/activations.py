"""Watchers of activations, of the start, and of the output."""

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from luthier.diagnosis.evidence import Evidence
from luthier.diagnosis.finding import Fact, Finding, Remedy, Severity
from luthier.diagnosis.series import trend


@final
@dataclass(frozen=True, slots=True)
class DeadUnits:
    """A layer most of whose units are zero for every sample."""

    id: str = "D20"
    share: float = 0.5  # of a layer's units (SageMaker Debugger)

    def watch(self, evidence: Evidence) -> Finding | None:
        """Dead from the start: initialization or bias; later: a step that was too large."""
        found = evidence.probed("dead_share")
        share = evidence.typical("dead_share", 3)
        if len(found) < 2 or not share > self.share:
            return None
        over = found.values > self.share
        start = int(np.argmax(over))
        early = start <= 1 and float(found.values[0]) > self.share
        severity = Severity.CRITICAL if share > 0.95 else Severity.WARNING
        return Finding(
            self.id, severity, 0.9, float(found.steps[start]),
            (Fact("dead_share", share, self.share), Fact("at_start", float(found.values[0]))),
            ("init", "lr") if early else ("lr", "init"),
            () if early else (Remedy("lr", factor=0.3),),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class Saturated:
    """Most outputs of a bounded activation lie at its bounds, where the slope is zero."""

    id: str = "D21"
    share: float = 0.5

    def watch(self, evidence: Evidence) -> Finding | None:
        """tanh or sigmoid, as modules or as functions."""
        found = evidence.probed("saturated_share")
        share = evidence.typical("saturated_share", 3)
        if len(found) < 2 or not share > self.share:
            return None
        start = int(np.argmax(found.values > self.share))
        early = start <= 1
        rms = evidence.typical("input_rms")
        causes = ("input", "init", "lr") if rms > 5 else ("init", "lr", "input")
        return Finding(
            self.id, Severity.WARNING, 0.85, float(found.steps[start]),
            (Fact("saturated_share", share, self.share), Fact("input_rms", rms)),
            causes if early else ("lr", "init", "input"),
            () if early else (Remedy("lr", factor=0.3),),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class BadStart:
    """Weights drawn too large or too small for signals to get through."""

    id: str = "D22"
    large: float = 4.0  # times the standard deviation of He initialization
    small: float = 0.02

    def watch(self, evidence: Evidence) -> Finding | None:
        """By the first probe; `nn.Linear` starts at 0.4, He at 1."""
        scale = evidence.latest("start_weight_scale")
        if not math.isfinite(scale) or evidence.pretrained:
            return None
        top = evidence.latest("start_weight_scale_max")
        activity = evidence.latest("start_act_rms_largest")
        faded = evidence.latest("start_act_last_to_first")
        known_input = max(evidence.latest("start_input_rms"), 1.0)
        step = float(evidence.probed("start_weight_scale").steps[0])
        facts = (Fact("weight_scale", scale, self.small if scale < 1 else self.large),
                 Fact("largest_weight_scale", top, self.large), Fact("act_rms", activity),
                 Fact("act_last_to_first", faded))  # fmt: skip
        blown_up = activity > 100 * known_input or faded > 100
        too_large = scale > self.large or (top > self.large and activity > 10) or blown_up
        if too_large or scale < self.small:
            return Finding(
                self.id, Severity.WARNING, 0.9, step, facts,
                ("too_large" if too_large else "too_small", "normalization"),
            )  # fmt: skip
        return None


@final
@dataclass(frozen=True, slots=True)
class StartingLoss:
    """The output does not start as knowing nothing, or can never be sure (softmax twice)."""

    id: str = "D23"
    ratio: float = 2.0  # of the first loss to ln(classes)

    def watch(self, evidence: Evidence) -> Finding | None:
        """Softmax twice: by its output, or by accuracy and loss adding up to ln(e + C - 1)."""
        n = evidence.classes
        twice = evidence.probed("softmax_twice")
        if len(twice) and float(np.median(twice.values)) > 0.5:
            return Finding(
                self.id, Severity.WARNING, 0.95, float(twice.steps[0]),
                (Fact("output_sums_to_one", 1.0), Fact("train_loss", evidence.train_loss.last),
                 Fact("lowest_possible", math.log(math.e + (n or 2) - 1) - 1)),
                ("softmax_twice",),
            )  # fmt: skip
        if not n or n < 3:
            return None
        loss, accuracy = evidence.train_loss, evidence.train_accuracy
        if len(loss) >= 6 and len(accuracy) >= 6:
            # several reports long: a healthy loss passes by there once
            k = min(len(loss), len(accuracy), 5)
            total = loss.levels[-k:] + accuracy.levels[-k:]
            off = np.abs(total - math.log(math.e + n - 1))
            if float(off.max()) < 0.1 and accuracy.last > 0.5:
                return Finding(
                    self.id, Severity.WARNING, 0.7, float(loss.steps[5]),
                    (Fact("loss_plus_accuracy", float(total[-1]), math.log(math.e + n - 1)),),
                    ("softmax_twice",),
                )  # fmt: skip
        first = evidence.probed("start_batch_loss")
        start = first.last
        if not start > self.ratio * math.log(n) or evidence.pretrained:
            return None
        return Finding(
            self.id, Severity.WARNING if start > 4 * math.log(n) else Severity.NOTE, 0.8,
            float(first.steps[0]), (Fact("first_loss", start, self.ratio * math.log(n)),),
            ("head", "init", "input"),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class OneAnswer:
    """The model predicts one class for everything."""

    id: str = "D31"
    share: float = 0.98

    def watch(self, evidence: Evidence) -> Finding | None:
        """While the labels of the batches differ."""
        found = evidence.probed("top_prediction_share")
        share = evidence.typical("top_prediction_share")
        label = evidence.typical("top_label_share", 20)
        if len(found) < 5 or not share > self.share or not label < 0.9:
            return None
        if evidence.progress < 0.1 or evidence.latest("label_order") > 0.3:
            return None
        start = int(np.argmax(found.values > self.share))
        return Finding(
            self.id, Severity.WARNING, 0.7, float(found.steps[start]),
            (Fact("top_prediction_share", share, self.share), Fact("top_label_share", label)),
            ("lr", "dead", "imbalance"), (Remedy("lr", factor=0.3),),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class OutputDrift:
    """The output grows without end: the normalizer of the softmax drifts."""

    id: str = "D33"

    def watch(self, evidence: Evidence) -> Finding | None:
        """A note (Wortsman et al., arXiv:2309.14322)."""
        found = evidence.probed("log_z")
        if len(found) < 8:
            return None
        size = evidence.typical("log_z")
        start = float(np.median(found.values[:3]))
        if not size > 30 or size < 4 * start or trend(found.values) < 3:
            return None
        return Finding(
            self.id, Severity.NOTE, 0.7, float(found.steps[-1]),
            (Fact("log_z", size, 30.0), Fact("at_start", start)),
            ("z_loss", "weight_decay"), (Remedy("weight_decay", factor=3.0),),
        )  # fmt: skip
