"""Watchers of gradients, updates and weights, as probes measured them."""

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from luthier.diagnosis.evidence import Evidence
from luthier.diagnosis.finding import Fact, Finding, Remedy, Severity
from luthier.diagnosis.series import largest, trend


@final
@dataclass(frozen=True, slots=True)
class GradientSpike:
    """The gradient norm leaps out of its usual range."""

    id: str = "D04"
    sigmas: float = 4.0  # of its logarithm; ZClip (arXiv:2504.02507) clips from 2.5
    n_tolerated: int = 5

    def watch(self, evidence: Evidence) -> Finding | None:
        """A note: the loss tells whether it did harm."""
        curve = evidence.curves.get("probe/grad_norm_max") or evidence.curves.get("grad_norm")
        if curve is None or len(curve) < 12:
            return None
        good = np.isfinite(curve.values) & (curve.values > 0)
        logs, steps = np.log(curve.values[good]), curve.steps[good]
        if len(logs) < 12:
            return None
        mid = np.array([np.median(logs[max(0, i - 8) : i]) for i in range(4, len(logs))])
        rest = logs[4:] - mid
        spread = max(1.4826 * float(np.median(np.abs(rest - np.median(rest)))), 0.25)
        over = np.flatnonzero(rest > self.sigmas * spread)
        if not len(over):
            return None
        return Finding(
            self.id, Severity.NOTE, 0.6, float(steps[4 + over[0]]),
            (Fact("spikes", len(over), self.n_tolerated),
             Fact("largest_in_sigmas", float(rest.max() / spread), self.sigmas)),
            ("batch", "lr"),
            (Remedy("clip", value=float(f"{np.quantile(np.exp(logs), 0.9):.2g}")),),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class AlwaysClipped:
    """Most gradients are cut to the same norm: clipping acts as a learning rate."""

    id: str = "D05"

    def watch(self, evidence: Evidence) -> Finding | None:
        """Norms after clipping that are equal give it away; harmful once updates are tiny."""
        norms = evidence.probed("grad_norm").values
        norms = norms[np.isfinite(norms)]
        if len(norms) < 4:
            return None
        top = float(np.quantile(norms, 0.9))
        share = float((np.abs(norms - top) < 1e-3 * top).mean()) if top > 0 else 0.0
        if share <= 0.5:
            return None
        ratio = evidence.typical("update_ratio", 20)
        harms = ratio < 1e-4 and evidence.explained < 0.7
        return Finding(
            self.id, Severity.WARNING if harms else Severity.NOTE, 0.9,
            float(evidence.probed("grad_norm").steps[3]),
            (Fact("clipped_share", share, 0.5), Fact("clip", top), Fact("update_ratio", ratio)),
            ("clip", "lr"), (Remedy("clip", factor=10.0 if harms else 2.0),),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class VanishingGradient:
    """The first layer gets next to nothing of the gradient that the last one gets."""

    id: str = "D18"
    ratio: float = 1e-3  # AutoTrainer

    def watch(self, evidence: Evidence) -> Finding | None:
        """Only while there is something left to learn."""
        found = evidence.probed("grad_first_to_last")
        ratio, first = evidence.typical("grad_first_to_last"), evidence.typical("grad_first")
        # strong dropout now and then cuts a layer off altogether
        if evidence.latest("dropout") > 0.6:
            return None
        zero = evidence.typical("zero_grad_share")
        if len(found) < 2 and not zero > 0.3:
            return None
        learned = evidence.explained > 0.9
        vanished = ratio < self.ratio or zero > 0.3 or (first < 1e-7 and len(found) >= 3)
        if not vanished or learned:
            return None
        steps = evidence.probed("zero_grad_share" if zero > 0.3 else "grad_first_to_last").steps
        return Finding(
            self.id, Severity.CRITICAL if evidence.explained < 0.3 else Severity.WARNING, 0.8,
            float(steps[0]),
            (Fact("grad_first_to_last", ratio, self.ratio), Fact("grad_first", first, 1e-7),
             Fact("zero_grad_share", zero, 0.3)),
            ("activation", "init", "depth"), (Remedy("lr", factor=3.0),),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class ExplodingGradient:
    """Gradients grow on their way down, or from step to step, by orders of magnitude."""

    id: str = "D19"
    ratio: float = 70.0  # AutoTrainer
    norm: float = 1e4
    growth: float = 100.0

    def watch(self, evidence: Evidence) -> Finding | None:
        """By size, or by growth over the run while the loss does not fall."""
        found = evidence.probed("grad_norm_max")
        values = found.values[np.isfinite(found.values)]
        if len(values) < 1:
            return None
        norm = float(np.median(values[-5:]))
        start = float(np.median(values[:3]))
        ratio = evidence.typical("grad_first_to_last")
        growth = norm / start if start > 0 else math.nan
        grown = len(values) >= 6 and growth > self.growth and trend(np.log(values + 1e-30)) > 2
        peak = float(values.max())
        layered = len(values) >= 2 and ratio > self.ratio and norm > 100
        if not (peak > self.norm or layered or (grown and not evidence.explained > 0.8)):
            return None
        over = np.flatnonzero(found.values > min(self.norm, max(10 * start, 100)))
        return Finding(
            self.id, Severity.WARNING, 0.8, float(found.steps[over[0] if len(over) else 0]),
            (Fact("grad_norm", norm), Fact("largest_grad_norm", peak, self.norm),
             Fact("growth", growth, self.growth), Fact("grad_first_to_last", ratio, self.ratio)),
            ("lr", "init", "recurrence", "zero_grad", "input"),
            (Remedy("clip", value=1.0), Remedy("lr", factor=0.3)),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class Frozen:
    """Parameters that do not train."""

    id: str = "D24"

    def watch(self, evidence: Evidence) -> Finding | None:
        """Frozen on purpose is a note; left out, or frozen as they were drawn, is not."""
        out, fresh = evidence.latest("left_out_share"), evidence.latest("fresh_frozen_share")
        none, frozen = evidence.typical("no_grad_share"), evidence.latest("frozen_share")
        if not max(_number(out), _number(fresh), _number(none), _number(frozen)) > 0:
            return None
        wrong = out > 0.001 or fresh > 0.001 or none > 0.01
        steps = evidence.probed("frozen_share").steps
        return Finding(
            self.id, Severity.WARNING if wrong else Severity.NOTE, 0.95, float(steps[0]),
            (Fact("not_in_optimizer", out, 0.001), Fact("frozen_as_drawn", fresh, 0.001),
             Fact("without_gradient", none, 0.01), Fact("frozen", frozen)),
            ("optimizer", "detached", "requires_grad"),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class DeadWeights:
    """The weights have shrunk to almost nothing."""

    id: str = "D25"

    def watch(self, evidence: Evidence) -> Finding | None:
        """By the weights' size against that of an initialization."""
        scale, start = evidence.probed("weight_scale"), evidence.latest("start_weight_scale")
        if not len(scale) or not start > 0:
            return None
        shrunk = scale.last / start
        if not shrunk <= 0.1:
            return None
        at = int(np.argmax(scale.values < 0.1 * start))
        return Finding(
            self.id, Severity.CRITICAL, 0.9, float(scale.steps[at]),
            (Fact("weights_left", shrunk, 0.1),
             Fact("decay_share", evidence.typical("decay_share"))),
            ("weight_decay",), (Remedy("weight_decay", factor=0.01),),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class DecayRules:
    """Weight decay moves the weights more than the data do."""

    id: str = "D26"
    share: float = 0.25  # of the decay in the update

    def watch(self, evidence: Evidence) -> Finding | None:
        """While little is learned: where all is learned, decay and gradient balance by nature."""
        found = evidence.probed("decay_share")
        if len(found) < 2:
            return None
        # once the weights are gone, so is their decay: the largest share counts
        share = largest(found.values)
        if not share > self.share or not evidence.explained < 0.85:
            return None
        over = np.flatnonzero(found.values > self.share)
        return Finding(
            self.id, Severity.WARNING, 0.85, float(found.steps[over[0]]),
            (Fact("decay_share", share, self.share),
             Fact("weight_scale", evidence.latest("weight_scale")),
             Fact("explained", evidence.explained, 0.85)),
            ("weight_decay",), (Remedy("weight_decay", factor=0.03),),
        )  # fmt: skip


def _number(value: float) -> float:
    return value if math.isfinite(value) else 0.0
