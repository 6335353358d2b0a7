"""Watchers of inputs, labels and the parts of a loss."""

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from luthier.diagnosis.evidence import PROBE, Evidence, words_of
from luthier.diagnosis.finding import Fact, Finding, Remedy, Severity
from luthier.diagnosis.generalization import advantage
from luthier.diagnosis.series import series, trend


@final
@dataclass(frozen=True, slots=True)
class PartsOfLoss:
    """One part of the loss is more than a hundred times another."""

    id: str = "D27"
    ratio: float = 100.0

    def watch(self, evidence: Evidence) -> Finding | None:
        """Parts are training losses with a word more than the loss itself."""
        whole = evidence.train_curve
        parts = {
            name: series(curve)
            for name, curve in evidence.curves.items()
            if not name.startswith(PROBE) and curve is not whole and "loss" in words_of(name)
            and not {"val", "valid", "validation", "test", "eval", "total"} & set(words_of(name))
        }  # fmt: skip
        levels = {name: abs(s.last) for name, s in parts.items() if len(s) >= 3 and s.last}
        if len(levels) < 2:
            return None
        large, small = max(levels.values()), min(levels.values())
        if large < self.ratio * small:
            return None
        step = min(float(s.steps[2]) for s in parts.values() if len(s) >= 3)
        return Finding(
            self.id, Severity.WARNING, 0.6, step,
            (Fact("largest_part", large), Fact("smallest_part", small),
             Fact("ratio", large / small, self.ratio)),
            ("loss_weight",), (Remedy("loss_weight", factor=float(f"{10 * small / large:.2g}")),),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class Imbalance:
    """One class has more than ten times the samples of another."""

    id: str = "D30"
    ratio: float = 10.0  # SageMaker Debugger

    def watch(self, evidence: Evidence) -> Finding | None:
        """By the labels of the probed batches, once there are 20 per class."""
        found = evidence.probed("class_ratio")
        if not len(found) or (evidence.classes or 1000) > 100:
            return None
        # sorted data show few classes at first
        if evidence.latest("label_order") > 0.3 or not found.last > self.ratio:
            return None
        return Finding(
            self.id, Severity.WARNING, 0.8,
            float(found.steps[np.argmax(found.values > self.ratio)]),
            (Fact("class_ratio", found.last, self.ratio),
             Fact("label_entropy", evidence.latest("label_entropy"),
                  math.log(evidence.classes or 2))),
            ("classes", "sampler"),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class InputScale:
    """Inputs that were not normalized."""

    id: str = "D39"
    rms: float = 5.0
    faint: float = 0.02
    spread: float = 30.0  # largest to typical standard deviation of a feature

    def watch(self, evidence: Evidence) -> Finding | None:
        """By the first layer's input; faint inputs slow training as large ones upset it."""
        rms, largest = evidence.typical("input_rms"), evidence.typical("input_largest")
        spread = evidence.typical("input_spread_ratio", 9)
        found = evidence.probed("input_rms")
        if not len(found):
            return None
        if not (rms > self.rms or rms < self.faint or (spread > self.spread and rms > 2)):
            return None
        return Finding(
            self.id, Severity.WARNING, 0.85, float(found.steps[0]),
            (Fact("input_rms", rms, self.rms if rms > 1 else self.faint),
             Fact("input_largest", largest),
             Fact("input_mean", evidence.typical("input_mean")),
             Fact("feature_spread_ratio", spread, self.spread)),
            ("normalize",),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class WrongLabels:
    """Labels that do not belong to their inputs: all of them, or a part."""

    id: str = "D52"

    def watch(self, evidence: Evidence) -> Finding | None:
        """Validation stays at chance while gradients flow and training loss falls or could fall."""
        base = evidence.baseline
        train = evidence.train_loss
        if not evidence.classes or len(train) < 6 or not base > 0:
            return None
        return self._all(evidence) or self._some(evidence)

    def _all(self, evidence: Evidence) -> Finding | None:
        base, n = evidence.baseline, evidence.classes or 2
        train, val = evidence.train_loss, evidence.val_loss
        if len(val) < 6 or evidence.progress < 0.15 or evidence.latest("dropout") > 0.6:
            return None
        explained = 1 - val.low / base
        accuracy = evidence.val_accuracy
        chance = max(1 / n, _number(evidence.typical("top_label_share", 20)) / 1.5)
        by_chance = len(accuracy) < 3 or accuracy.levels.max() < chance + 0.5 * (1 - chance) * 0.3
        learns = evidence.explained > 0.05 and trend(train.levels) < -3
        ratio = evidence.typical("update_ratio", 20)
        moves = ratio > 3e-4 and ratio < 0.05
        if explained > 0.03 or not by_chance or not (learns or (moves and evidence.progress > 0.3)):
            return None
        if not learns and _number(evidence.typical("zero_grad_share")) > 0:
            return None
        return Finding(
            self.id, Severity.CRITICAL, 0.85 if learns else 0.5, float(val.steps[5]),
            (Fact("val_explained", explained, 0.03),
             Fact("train_explained", evidence.explained, 0.05),
             Fact("val_accuracy", float(accuracy.levels.max()) if len(accuracy) else math.nan,
                  chance)),
            ("shuffled", "wrong_pairs"),
        )  # fmt: skip

    def _some(self, evidence: Evidence) -> Finding | None:
        """Some training samples have a loss far above chance while the rest are learned."""
        high = evidence.probed("loss_p95")
        if len(high) < 3 or evidence.progress < 0.2:
            return None
        base = evidence.baseline
        wrong, right = evidence.typical("loss_p95", 4), evidence.typical("loss_p50", 4)
        start = float(np.median(high.values[:2]))
        better, limit = advantage(evidence)
        # either memorizing has begun, or validation, whose labels are right, is ahead
        learned = wrong > 1.3 * max(base, start) and right < 0.35 * base
        accuracy = evidence.val_accuracy.last if len(evidence.val_accuracy) else 1.0
        known = evidence.train_accuracy.last if len(evidence.train_accuracy) else 0.0
        ahead = (
            better > limit
            and accuracy > known + 0.12
            and wrong > max(base, 3 * right)
            and right < 0.5 * base
        )
        if not learned and not ahead:
            return None
        # a training that is only too fast is wrong here and there, now here, now there
        if evidence.typical("update_ratio", 8) > 0.05:
            return None
        return Finding(
            self.id, Severity.WARNING, 0.6, float(high.steps[np.argmax(high.values > 1.3 * base)]),
            (Fact("loss_of_worst_samples", wrong, 1.3 * base), Fact("typical_loss", right)),
            ("noise", "wrong_pairs"), (Remedy("label_smoothing", value=0.1),),
        )  # fmt: skip


def _number(value: float) -> float:
    return value if math.isfinite(value) else 0.0
