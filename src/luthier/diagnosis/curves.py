"""Watchers of the training loss and the learning rate over the steps."""

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.core.curve import Curve
from luthier.diagnosis.evidence import Evidence
from luthier.diagnosis.finding import Fact, Finding, Remedy, Severity
from luthier.diagnosis.series import forecast, largest, noise, series, trend

SOFTER = (Remedy("lr", factor=0.3),)


@final
@dataclass(frozen=True, slots=True)
class NonFinite:
    """NaN or infinity in a loss or a gradient, and the training did not get over it."""

    id: str = "D01"
    n_before: int = 10  # reports looked at for the cause

    def watch(self, evidence: Evidence) -> Finding | None:
        """Critical: the weights are usually lost with it."""
        onset = math.inf
        for curve in (evidence.train_curve, evidence.val_curve):
            if curve is not None and len(curve) and not math.isfinite(curve.values[-1]):
                bad = ~np.isfinite(curve.values)
                start = len(bad) - int(np.argmin(bad[::-1])) if not bad.all() else 0
                onset = min(onset, float(curve.steps[start]))
        counts = evidence.probed("nonfinite")
        if len(counts) and counts.last > 0 and not len(evidence.probed("loss_scale")):
            onset = min(onset, float(counts.steps[np.argmax(counts.values > 0)]))
        if not math.isfinite(onset):
            return None
        before = _before(evidence.train_curve or evidence.val_curve, onset, self.n_before)
        growth = float(before[-1] / before.min()) if len(before) and before.min() > 0 else math.nan
        update = _before(evidence.curves.get("probe/update_ratio_max"), onset, self.n_before)
        fast = float(update.max()) if len(update) else math.nan
        too_fast = growth > 1.5 or fast > 0.3 or (not len(before) and not len(update))
        return Finding(
            self.id, Severity.CRITICAL, 1.0, onset,
            (Fact("first_nonfinite_step", onset), Fact("loss_growth_before", growth, 1.5),
             Fact("update_ratio_before", fast, 0.3)),
            ("lr", "batch", "precision") if too_fast else ("batch", "precision", "lr"),
            (Remedy("lr", factor=0.3 if too_fast else 0.5), Remedy("clip", value=1.0)),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class Divergence:
    """The loss rose far above its best, or above that of knowing nothing, and stayed there."""

    id: str = "D02"
    patience: int = 3  # reports
    sigmas: float = 6.0

    def watch(self, evidence: Evidence) -> Finding | None:
        """Told from a spike by staying up, from overfitting by being the training loss."""
        curve = evidence.train_curve or evidence.val_curve
        loss = evidence.train_loss if len(evidence.train_loss) else evidence.val_loss
        if curve is None or len(loss) < 2:
            return None
        values = curve.values[np.isfinite(curve.values)]
        steps = curve.steps[np.isfinite(curve.values)]
        patience = max(self.patience, len(values) // 20)
        if len(values) < 2:
            return None
        tail = values[-patience:]
        known = evidence.baseline if evidence.classes or len(values) > patience else math.inf
        top = max(known, float(np.median(values[: max(1, len(values) // 20)])))
        off_scale = len(values) >= 2 and float(values[-2:].min()) > 5 * known > 0
        if not off_scale and len(values) <= patience + 1:
            return None
        low = loss.low
        wobble = loss.noise if math.isfinite(loss.noise) else 0.0
        risen = float(np.min(tail)) - low > max(self.sigmas * wobble, 0.3 * abs(top - low))
        doubled = float(np.min(tail)) > 2 * low if low > 0 else True
        above = evidence.classes is not None and float(np.min(tail)) > 1.3 * known
        negative = evidence.classes is not None and float(np.max(tail)) < -1e-3
        if not (off_scale or negative or (risen and doubled) or (above and self._late(evidence))):
            return None
        limit = max(2 * low, low + self.sigmas * wobble) if not above else 1.3 * known
        calm = np.flatnonzero(values <= limit)
        start = int(calm[-1]) + 1 if len(calm) else 0
        return Finding(
            self.id, Severity.CRITICAL, 0.9, float(steps[min(start, len(steps) - 1)]),
            (Fact("train_loss", float(np.median(tail))), Fact("lowest", low),
             Fact("noise", wobble), Fact("baseline", known)),
            ("sign",) if negative else ("lr", "init", "batch"),
            () if negative else SOFTER,
        )  # fmt: skip

    def _late(self, evidence: Evidence) -> bool:
        return evidence.progress > 0.1 and len(evidence.train_loss) > 5


@final
@dataclass(frozen=True, slots=True)
class Spikes:
    """The loss jumped and came back: a note; three times: clip."""

    id: str = "D03"
    sigmas: float = 8.0
    n_tolerated: int = 2

    def watch(self, evidence: Evidence) -> Finding | None:
        """A spike is a point far above both neighbourhoods, whose loss is then reached again."""
        curve = evidence.train_curve or evidence.val_curve
        if curve is None or len(curve) < 10:
            return None
        found = spikes(curve, self.sigmas)
        if not len(found):
            return None
        recent = found[-1]
        many = len(found) > self.n_tolerated
        values = curve.values
        height = float(
            values[recent] / max(np.nanmedian(values[max(0, recent - 6) : recent]), 1e-12)
        )
        return Finding(
            self.id, Severity.WARNING if many else Severity.NOTE, 0.7,
            float(curve.steps[found[min(len(found) - 1, self.n_tolerated)]]),
            (Fact("spikes", len(found), self.n_tolerated), Fact("last_spike_step",
             float(curve.steps[recent])), Fact("height", height)),
            ("lr", "batch"), (Remedy("clip", value=1.0), Remedy("lr", factor=0.5)),
        )  # fmt: skip


def spikes(curve: Curve, sigmas: float) -> list[int]:
    """Indices of the tops of spikes that have passed, above noise and level."""
    values = curve.values
    found: list[int] = []
    half = 5
    sd = noise(values[np.isfinite(values)])
    i = 3
    while i < len(values) - 1:
        before = values[max(0, i - half) : i]
        before = before[np.isfinite(before)]
        level = float(np.median(before)) if len(before) else math.nan
        spread = float(np.median(np.abs(before - level))) * 1.5 if len(before) else math.nan
        limit = level + max(sigmas * max(spread, sd), 0.5 * abs(level))
        if values[i] > limit:
            end = i + 1
            while end < len(values) and values[end] > level + 0.5 * (limit - level):
                end += 1
            if end < len(values) and end - i <= max(3, len(values) // 20):
                found.append(i)
            i = end
        i += 1
    return found


@final
@dataclass(frozen=True, slots=True)
class EarlyInstability:
    """The loss rose above its start in the first tenth of the training, then fell."""

    id: str = "D06"

    def watch(self, evidence: Evidence) -> Finding | None:
        """No warm-up, or a learning rate at the edge of what is stable."""
        curve = evidence.train_curve
        if curve is None or len(curve) < 10:
            return None
        loss = series(curve)
        if evidence.pretrained or not math.isfinite(loss.noise):
            return None
        n = max(3, math.ceil(0.1 * len(loss) / max(evidence.progress, 1e-9)))
        early = loss.levels[: min(n, len(loss))]
        top = int(early.argmax())
        limit = max(1.5 * loss.first, loss.first + 6 * loss.noise)
        if top < 1 or early[top] <= limit or loss.last > loss.first:
            return None
        return Finding(
            self.id, Severity.WARNING, 0.6, float(loss.steps[top]),
            (Fact("early_peak", float(early[top]), limit), Fact("first_loss", loss.first)),
            ("warmup", "lr", "init"),
            (Remedy("warmup", value=0.05), Remedy("lr", factor=0.5)),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class TooSlow:
    """Updates too small for the weights to get anywhere within the training."""

    id: str = "D07"
    ratio: float = 1e-4  # of update to weight, per step; CS231n: 1e-3 is usual
    journey: float = 0.3  # ratio times steps: how far the weights get if all updates agree

    def watch(self, evidence: Evidence) -> Finding | None:
        """By the update ratio if measured, else by a loss that falls in a straight line."""
        if not evidence.explained < 0.7:
            return None
        loss = evidence.train_loss
        ratio = evidence.typical("update_ratio", 20)
        planned = (evidence.max_steps or evidence.last_step) * evidence.updates_per_step
        remedy = (Remedy("lr", factor=10.0), Remedy("lr", factor=3.0))
        if math.isfinite(ratio):
            peak = float(np.max(evidence.lr.values)) if evidence.lr is not None else math.nan
            decayed = evidence.lr is not None and evidence.lr.last < 0.1 * peak
            if len(evidence.probed("update_ratio")) < 2 or decayed or ratio == 0:
                return None
            if not (ratio < self.ratio and ratio * planned < self.journey):
                return None
            return Finding(
                self.id, Severity.WARNING, 0.9, float(evidence.probed("update_ratio").steps[1]),
                (Fact("update_ratio", ratio, self.ratio),
                 Fact("reachable_change", ratio * planned, self.journey),
                 Fact("explained", evidence.explained, 0.7)),
                ("lr", "clip", "schedule"), remedy,
            )  # fmt: skip
        if len(loss) < 10 or evidence.progress < 0.3 or not loss.first > 0:
            return None
        z = trend(loss.levels)
        middle = float(np.median(loss.levels[len(loss) // 2 - 1 : len(loss) // 2 + 2]))
        gained, lately = loss.first - loss.last, middle - loss.last
        if z < -3 and 0 < gained < 0.3 * loss.first and lately > 0.35 * gained > loss.noise:
            return Finding(
                self.id, Severity.WARNING, 0.5, float(loss.steps[9]),
                (Fact("trend", z, -3.0), Fact("gained", gained / loss.first, 0.3),
                 Fact("gained_in_second_half", lately / gained, 0.35)),
                ("lr", "clip", "schedule"), remedy,
            )  # fmt: skip
        return None


@final
@dataclass(frozen=True, slots=True)
class TooFast:
    """Updates so large that the weights are thrown about rather than led."""

    id: str = "D08"
    ratio: float = 0.1
    doubtful: float = 0.01  # too fast only if the loss gets nowhere
    thrown: float = 0.5  # once, and the loss got nowhere afterwards

    def watch(self, evidence: Evidence) -> Finding | None:
        """By the update ratio, or by a training loss that jumps about without getting lower."""
        loss = evidence.train_loss
        found = evidence.probed("update_ratio")
        ratio = evidence.typical("update_ratio", 5)
        # the first updates of Adam are large in any training
        settled = len(found) >= 3
        highest = evidence.probed("update_ratio_max").values
        peak = largest(highest)
        stuck = len(loss) >= 6 and evidence.explained < 0.5 and trend(loss.part(0.5).levels) > -1.5
        jumps = loss.noise / abs(loss.last) if len(loss) >= 10 and loss.last else 0.0
        halves = len(loss) >= 10 and trend(loss.part(0.4).levels) > -1.0
        facts = (Fact("update_ratio", ratio, self.ratio),
                 Fact("largest_update_ratio", peak, self.thrown), Fact("jumps", jumps, 0.35),
                 Fact("explained", evidence.explained))  # fmt: skip
        thrown = peak > self.thrown and (stuck or self._thrown_out(evidence))
        strong = settled and (ratio > self.ratio or thrown)
        weak = settled and ratio > self.doubtful and stuck
        # without probes: epoch by epoch the loss changes by a third of itself, and never settles
        wild = jumps > 0.35 and halves and evidence.explained < 0.9
        if not (strong or weak or wild):
            return None
        over = np.flatnonzero(found.values > (self.ratio if strong else self.doubtful))
        onset = float(found.steps[over[0]]) if len(over) else float(loss.steps[len(loss) // 2])
        sure = 0.95 if strong and stuck else 0.8 if strong else 0.7
        severity = Severity.CRITICAL if strong and stuck else Severity.WARNING
        causes = ("lr", "momentum", "batch_size")
        return Finding(self.id, severity, sure, onset, facts, causes, SOFTER)

    def _thrown_out(self, evidence: Evidence) -> bool:
        """Whether the loss began where knowing nothing is, and was then far above it."""
        start, curve = evidence.latest("start_batch_loss"), evidence.train_curve
        if curve is None or not start > 0 or not evidence.classes:
            return False
        return bool(largest(curve.values) > 2 * max(start, evidence.baseline))


@final
@dataclass(frozen=True, slots=True)
class NoisePlateau:
    """The loss has come to rest at the noise of a constant learning rate: time to decay."""

    id: str = "D09"

    def watch(self, evidence: Evidence) -> Finding | None:
        """A note, as every training with a constant rate ends so."""
        loss = evidence.val_loss if len(evidence.val_loss) else evidence.train_loss
        rate = evidence.lr
        if (
            len(loss) < 12
            or evidence.progress < 0.3
            or rate is None
            or not evidence.explained > 0.3
        ):
            return None
        late = loss.part(0.6)
        constant = rate.last > 0.5 * float(np.max(rate.values))
        constant &= not rate.last < 0.9 * rate.at(late.steps[0])  # it falls already
        gain = loss.last - forecast(loss, (evidence.max_steps or evidence.last_step) * 1.1)
        if not constant or abs(trend(late.levels)) > 1.28 or gain > loss.noise:
            return None
        return Finding(
            self.id, Severity.NOTE, 0.6, float(late.steps[0]),
            (Fact("trend", trend(late.levels), 1.28), Fact("expected_gain", gain, loss.noise)),
            ("schedule", "lr"), (Remedy("lr", factor=0.3),),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class NothingLearned:
    """The training loss stands where a model stands that ignores its input."""

    id: str = "D10"
    after: float = 0.1  # of the training
    explained: float = 0.05

    def watch(self, evidence: Evidence) -> Finding | None:
        """Many causes; the other findings, if any, say which."""
        loss = evidence.train_loss if len(evidence.train_loss) else evidence.val_loss
        if len(loss) < 6 or evidence.progress < self.after or evidence.latest("dropout") > 0.6:
            return None
        explained = 1 - loss.last / evidence.baseline if evidence.baseline > 0 else math.nan
        falling = trend(loss.levels) < -1.5 and loss.first > loss.last
        unsure = loss.noise > 0.05 * evidence.baseline and len(loss) < 15
        if not explained < self.explained or falling or unsure:
            return None
        return Finding(
            self.id, Severity.CRITICAL, 0.6, float(loss.steps[min(5, len(loss) - 1)]),
            (Fact("explained", explained, self.explained), Fact("baseline", evidence.baseline),
             Fact("train_loss", loss.last)),
            ("labels", "lr", "dead", "frozen", "code"),
            (Remedy("lr", factor=0.1), Remedy("lr", factor=10.0)),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class Periodic:
    """The training loss swings with the period of an epoch: the data come in the same order."""

    id: str = "D45"
    correlation: float = 0.5
    order: float = 0.3  # 0: labels come at random, 1: sorted

    def watch(self, evidence: Evidence) -> Finding | None:
        """By the labels within a batch where probes saw them, else by the curve's own rhythm."""
        order = evidence.probed("label_order")
        period = evidence.steps_per_epoch
        strength = math.nan
        curve = evidence.train_curve
        if curve is not None and period and period >= 4 and len(curve) >= 3 * period:
            strength = _autocorrelation(curve.values, round(period))
        by_label = len(order) > 0 and order.last > self.order
        if not by_label and not strength > self.correlation:
            return None
        return Finding(
            self.id, Severity.WARNING, 0.95 if by_label else 0.7,
            float(order.steps[0] if by_label else evidence.last_step),
            (Fact("label_order", order.last, self.order),
             Fact("autocorrelation", strength, self.correlation)),
            ("shuffle",),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class RateExhausted:
    """The learning rate is used up while training goes on and the loss still falls."""

    id: str = "D46"

    def watch(self, evidence: Evidence) -> Finding | None:
        """Below 1 % of its peak with more than a tenth of the steps to go."""
        rate = evidence.lr
        if rate is None or len(rate) < 5:
            return None
        peak = float(np.max(rate.values))
        spent = np.flatnonzero(rate.values < 0.01 * peak)
        spent = spent[spent > int(np.argmax(rate.values))]
        end = max(evidence.max_steps or 0.0, evidence.last_step)
        if not len(spent) or rate.last >= 0.01 * peak:
            return None
        left = 1 - float(rate.steps[spent[0]]) / end
        if left < 0.15:
            return None
        return Finding(
            self.id, Severity.WARNING, 0.8, float(rate.steps[spent[0]]),
            (Fact("lr", rate.last, 0.01 * peak), Fact("steps_left_share", left, 0.15)),
            ("schedule",), (Remedy("lr", value=float(f"{0.1 * peak:.3g}")),),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class RateReturns:
    """The learning rate has fallen to almost nothing and creeps up again: a schedule too short."""

    id: str = "D47"

    def watch(self, evidence: Evidence) -> Finding | None:
        """Told from a restart, which is one jump."""
        rate = evidence.lr
        if rate is None or len(rate) < 8:
            return None
        values = rate.values
        low = int(np.argmin(values))
        after = values[low:]
        peak = float(values[: low + 1].max())
        creeping = len(after) > 3 and np.all(np.diff(after) > 0)
        if not creeping or values[low] > 0.05 * peak or after[-1] < 0.1 * peak or low < 2:
            return None
        if np.max(np.diff(after)) > 0.5 * peak:
            return None
        return Finding(
            self.id, Severity.WARNING, 0.7, float(rate.steps[low]),
            (Fact("lowest_lr", float(values[low])), Fact("lr", rate.last, 0.1 * peak)),
            ("schedule",), (Remedy("lr", value=float(values[low])),),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class FineTuningCollapse:
    """A pretrained model lost what it knew in the first tenth."""

    id: str = "D48"

    def watch(self, evidence: Evidence) -> Finding | None:
        """Loss above 1.2 times its first value (Mosbach et al., arXiv:2006.04884)."""
        loss = evidence.train_loss
        if not evidence.pretrained or len(loss) < 4:
            return None
        n = max(3, math.ceil(0.1 * len(loss) / max(evidence.progress, 1e-9)))
        early = loss.levels[1:n]
        limit = max(1.2 * loss.first, loss.first + 4 * loss.noise)
        if not len(early) or float(np.median(early)) <= limit:
            return None
        return Finding(
            self.id, Severity.WARNING, 0.7, float(loss.steps[1]),
            (Fact("early_loss", float(np.median(early)), limit), Fact("first_loss", loss.first)),
            ("lr", "warmup"), (Remedy("lr", factor=0.2), Remedy("warmup", value=0.1)),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class StillImproving:
    """The run ends while it still gets better: more steps would help."""

    id: str = "D51"

    def watch(self, evidence: Evidence) -> Finding | None:
        """A note."""
        loss = evidence.val_loss if len(evidence.val_loss) else evidence.train_loss
        if len(loss) < 8 or evidence.progress < 0.9:
            return None
        late = loss.part(0.6)
        gain = loss.last - forecast(loss, 1.2 * evidence.last_step)
        if trend(late.levels) > -2 or not gain > max(loss.noise, 0.02 * abs(loss.last)):
            return None
        return Finding(
            self.id, Severity.NOTE, 0.6, float(late.steps[0]),
            (Fact("trend", trend(late.levels), -2.0), Fact("expected_gain", gain)),
            ("steps", "lr"), (Remedy("steps", factor=1.5),),
        )  # fmt: skip


def _before(curve: Curve | None, step: float, n: int) -> NDArray[np.float64]:
    if curve is None:
        return np.empty(0)
    values = curve.values[curve.steps < step][-n:]
    return values[np.isfinite(values)]


def _autocorrelation(values: NDArray[np.float64], lag: int) -> float:
    """At `lag`, of what is left after a running mean over `lag` points."""
    good = np.isfinite(values)
    if not good.any():
        return 0.0
    values = np.where(good, values, np.median(values[good]))
    kernel = np.ones(lag) / lag
    rest = values[lag // 2 : lag // 2 + len(values) - lag + 1] - np.convolve(
        values, kernel, "valid"
    )
    a, b = rest[:-lag], rest[lag:]
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum() / size) if size > 0 else 0.0
