"""Empirical against expected risk: the view, and the watchers that compare training to validation.

The training loss is the empirical risk, the validation loss an estimate of the expected risk. Their
gap says on which side to work: a large empirical risk asks for more capacity or better
optimization, a large gap for regularization or data.
"""

import math
from dataclasses import dataclass
from typing import Literal, final

import numpy as np

from luthier.diagnosis.evidence import Evidence
from luthier.diagnosis.finding import Fact, Finding, Remedy, Severity
from luthier.diagnosis.series import Series, forecast, trend

Side = Literal["fit", "regularize", "continue", "unknown"]


@final
@dataclass(frozen=True, slots=True)
class Generalization:
    """Where the risk comes from now, and where it is going."""

    empirical: float  # training loss
    expected: float  # validation loss
    gap: float
    gap_trend: float  # Mann-Kendall: above 2, the gap is growing
    gap_forecast: float  # at the end of the training; NaN when not known
    best_expected: float
    best_step: float
    side: Side
    knobs: tuple[Remedy, ...]  # what to turn, in order


def generalization(evidence: Evidence) -> Generalization | None:
    """The view of a run; None without a training and a validation loss, or where one of them is no
    number any more: what it was does not say where that training goes."""
    train, val = evidence.train_loss, evidence.val_loss
    ends = [c.last for c in (evidence.train_curve, evidence.val_curve) if c is not None and len(c)]
    if not len(train) or not len(val) or not all(map(math.isfinite, ends)):
        return None
    gaps = _gap(train, val)
    end = evidence.max_steps or evidence.last_step
    side = _side(evidence, gaps)
    dropout = evidence.latest("dropout")
    knobs: dict[Side, tuple[Remedy, ...]] = {
        # the order of importance in which capacity can be gained: rate, loss, batch, then the rest
        "fit": (
            Remedy("lr", factor=2.0),
            *([Remedy("dropout", factor=0.5)] if dropout > 0 else []),
            Remedy("weight_decay", factor=0.3), Remedy("width", factor=2.0),
        ),
        "regularize": (
            Remedy("weight_decay", factor=3.0),
            Remedy("dropout", value=round(min(0.5, (dropout if dropout > 0 else 0.0) + 0.1), 2)),
            Remedy("label_smoothing", value=0.1), Remedy("lr", factor=0.3),
        ),
        "continue": (), "unknown": (),
    }  # fmt: skip
    return Generalization(
        train.last, val.last, gaps.last, trend(gaps.part(0.4).levels), forecast(gaps, end),
        val.low, float(val.steps[min(val.low_at, len(val) - 1)]), side, knobs[side],
    )  # fmt: skip


def _gap(train: Series, val: Series) -> Series:
    at = np.interp(val.steps, train.steps, train.levels)
    return Series(val.steps, val.levels - at, math.hypot(val.noise, train.noise))


def _side(evidence: Evidence, gaps: Series) -> Side:
    train, val, base = evidence.train_loss, evidence.val_loss, evidence.baseline
    if len(val) < 4 or not base > 0:
        return "unknown"
    falling = trend(val.part(0.5).levels) < -2
    if falling and val.last <= val.low + 2 * val.noise and evidence.progress < 1:
        return "continue"
    gap = gaps.last
    if gap > max(0.05 * base, 2 * gaps.noise) and gap > 0.5 * max(train.last, 0.0):
        return "regularize"
    if train.last > 0.15 * base and gap < 0.5 * train.last:
        return "fit"
    return "continue" if falling or train.last < 0.15 * base else "unknown"


@final
@dataclass(frozen=True, slots=True)
class Underfit:
    """Training has come to rest at a high loss, and validation with it."""

    id: str = "D11"

    def watch(self, evidence: Evidence) -> Finding | None:
        """How high is high depends on the number of classes, as noise leaves more of few."""
        loss = evidence.train_loss
        if len(loss) < 8 or evidence.progress < 0.4 or not math.isfinite(evidence.explained):
            return None
        n = evidence.classes
        dropout, decay = evidence.latest("dropout"), evidence.typical("decay_share")
        limit = 0.15 if not n or n <= 3 else 0.5 if n <= 20 else 0.35
        late = loss.part(0.6)
        coming = late.first - late.last
        at_rest = trend(late.levels) > -2 or coming < 0.05 * abs(late.last)
        accuracy = evidence.train_accuracy.last if len(evidence.train_accuracy) else 0.0
        if not evidence.explained < limit or not at_rest or accuracy > 0.85:
            return None
        gap = _gap(loss, evidence.val_loss).last if len(evidence.val_loss) else math.nan
        if gap > 0.5 * loss.last:
            return None
        causes = ["capacity", "lr", "steps"]
        remedies = [Remedy("width", factor=2.0), Remedy("lr", factor=3.0)]
        if decay > 0.1:
            causes.insert(0, "weight_decay")
            remedies.insert(0, Remedy("weight_decay", factor=0.1))
        if dropout > 0.3 or gap < -2 * max(loss.noise, 0.02 * loss.last):
            causes.insert(0, "dropout")
            remedies.insert(0, Remedy("dropout", factor=0.3))
        return Finding(
            self.id, Severity.WARNING, 0.6, float(late.steps[0]),
            (Fact("explained", evidence.explained, limit), Fact("gap", gap),
             Fact("dropout", dropout)), tuple(causes), tuple(remedies),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class Overfit:
    """The validation loss rises, or stays far behind, while the training loss falls."""

    id: str = "D12"
    rise: float = 0.03  # GL of Prechelt (1998), alpha = 3 %
    of_baseline: float = 0.05  # a rise that matters
    accuracy_gap: float = 0.1  # AutoTrainer
    sure_gap: float = 0.07  # AutoTrainer, for models that are right on nearly all training data

    def watch(self, evidence: Evidence) -> Finding | None:
        """Not while the validation loss turns down again (double descent)."""
        train, val = evidence.train_loss, evidence.val_loss
        if len(train) < 4 or len(val) < 6:
            return None
        base = max(evidence.baseline - val.low, 0.0)
        tail = val.levels[-3:]
        rise = float(tail.min()) - val.low
        limit = max(self.rise * abs(val.low), 4 * val.noise, self.of_baseline * base)
        gap = _gap(train, val)
        rising = rise > limit and not turning(val)
        still = trend(train.part(0.3).levels) < 0 or evidence.explained > 0.9
        wide = gap.last > max(0.3 * abs(val.last), 0.1 * evidence.baseline, 3 * gap.noise)
        accuracy = math.nan
        if len(evidence.val_accuracy) and len(evidence.train_accuracy):
            accuracy = evidence.train_accuracy.last - evidence.val_accuracy.last
        slowly = (
            rise > max(0.1 * abs(val.low), 4 * val.noise) and not turning(val)
            and accuracy > self.sure_gap and evidence.explained > 0.95
        )  # fmt: skip
        # memorized: nothing left to learn from training, much left to know about validation
        memorized = (
            accuracy > 2 * self.accuracy_gap and evidence.explained > 0.9
            and trend(val.part(0.5).levels) > -1.5 and len(val) >= 8
        )  # fmt: skip
        if not (wide and ((rising and still) or slowly or memorized)):
            return None
        over = np.flatnonzero(val.levels > val.low + limit)
        over = over[over > val.low_at] if rising else over
        onset = float(val.steps[over[0]]) if len(over) else float(val.steps[-1])
        dropout = evidence.latest("dropout")
        dropout = dropout if dropout == dropout else 0.0
        return Finding(
            self.id, Severity.WARNING, 0.9 if rising else 0.6, onset,
            (Fact("val_rise", rise, limit), Fact("gap", gap.last), Fact("noise", val.noise),
             Fact("accuracy_gap", accuracy, 2 * self.accuracy_gap)),
            ("capacity", "data", "steps"),
            (Remedy("weight_decay", factor=3.0),
             Remedy("dropout", value=round(min(0.5, dropout + 0.1), 2)),
             Remedy("lr", factor=0.3), Remedy("label_smoothing", value=0.1)),
        )  # fmt: skip


def turning(val: Series) -> bool:
    """Whether the validation loss has passed a hump and falls again, by more than its noise."""
    start = val.low_at
    after = val.levels[start:]
    if len(after) < 5:
        return False
    top = int(after.argmax())
    down = float(after[top] - np.median(after[-3:]))
    return bool(
        top < len(after) - 2
        and down > max(3 * val.noise, 0.15 * (after[top] - val.low))
        and trend(after[top:]) < -1
    )


@final
@dataclass(frozen=True, slots=True)
class Overtraining:
    """Nothing gained in validation for long, and nothing lost: enough."""

    id: str = "D13"

    def watch(self, evidence: Evidence) -> Finding | None:
        """A note."""
        val = evidence.val_loss
        if len(val) < 20 or not evidence.explained > 0.5:
            return None
        since = len(val) - 1 - val.low_at
        gain = val.last - forecast(val, 1.1 * evidence.last_step)
        if since < 10 or gain > max(val.noise, 0.01 * abs(val.last)):
            return None
        return Finding(
            self.id, Severity.NOTE, 0.6, float(val.steps[val.low_at]),
            (Fact("reports_without_gain", since, 10), Fact("expected_gain", gain)),
            ("done",), (Remedy("lr", factor=0.3),),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class DoubleDescent:
    """The validation loss went up and comes down again while training goes on: wait."""

    id: str = "D14"

    def watch(self, evidence: Evidence) -> Finding | None:
        """A note (Nakkiran et al., arXiv:1912.02292)."""
        val, train = evidence.val_loss, evidence.train_loss
        if len(val) < 10 or len(train) < 4:
            return None
        smooth = np.median(np.lib.stride_tricks.sliding_window_view(val.levels, 3), axis=1)
        lows = np.minimum.accumulate(smooth)
        top = int((smooth - lows).argmax())
        hump = float(smooth[top] - lows[top])
        fallen = float(smooth[top] - smooth[-1])
        wide = top - int(np.argmin(smooth[: top + 1])) >= 3 and len(smooth) - top >= 4
        if (
            hump < max(4 * val.noise, 0.1 * abs(float(lows[top])))
            or fallen < 0.5 * hump
            or not wide
        ):
            return None
        top += 1
        return Finding(
            self.id, Severity.NOTE, 0.7, float(val.steps[top]),
            (Fact("hump", hump, 4 * val.noise),
             Fact("fallen_since", float(val.levels[top]) - val.last)),
            ("double_descent",),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class NoisyValidation:
    """The validation loss jumps about more than the training loss."""

    id: str = "D15"

    def watch(self, evidence: Evidence) -> Finding | None:
        """A note: compare runs by a smoothed curve."""
        val, train = evidence.val_loss, evidence.train_loss
        if len(val) < 10 or len(train) < 10 or not val.last > 0:
            return None
        jumps, calm = val.noise / abs(val.last), train.noise / max(abs(train.last), 1e-12)
        if jumps < 0.05 or jumps < 2 * calm:
            return None
        return Finding(
            self.id, Severity.NOTE, 0.6, float(val.steps[9]),
            (Fact("val_noise", jumps, 0.05), Fact("train_noise", calm)),
            ("val_size", "lr"), (Remedy("lr", factor=0.5),),
        )  # fmt: skip


def advantage(evidence: Evidence) -> tuple[float, float]:
    """By how much validation is lately better than training, and what would be remarkable.

    The mean over an epoch lags behind, so training is taken from half a report later.
    """
    train, val = evidence.train_loss, evidence.val_loss
    if len(val) < 8 or len(train) < 8:
        return math.nan, math.nan
    lag = float(np.median(np.diff(train.steps))) / 2
    at = np.interp(val.steps[:-1], train.steps - lag, train.levels)
    gaps = (at - val.levels[:-1])[-max(5, len(val) // 3) :]
    wobble = math.hypot(val.noise, train.noise)
    limit = max(0.15 * abs(train.last), 3 * wobble, 0.02 * evidence.baseline)
    return float(np.median(gaps)), limit


@final
@dataclass(frozen=True, slots=True)
class ValidationBetter:
    """Validation is clearly and lastingly better than training."""

    id: str = "D16"
    margin: float = 0.05  # of accuracy (UMLAUT)

    def watch(self, evidence: Evidence) -> Finding | None:
        """Dropout and augmentation explain some of it; they act in training alone."""
        val = evidence.val_loss
        better, limit = advantage(evidence)
        accuracy = math.nan
        if len(evidence.val_accuracy) >= 5 and len(evidence.train_accuracy) >= 5:
            accuracy = evidence.val_accuracy.last - evidence.train_accuracy.last
        if not better > limit or accuracy < self.margin:
            return None
        dropout = evidence.latest("dropout")
        drops = dropout > 0.1 and evidence.val_loss.last > 0.02 * evidence.baseline
        clear = accuracy > 2 * self.margin and not (drops and dropout <= 0.5)
        causes = ("dropout", "augmentation", "leakage") if drops else ("leakage", "augmentation")
        return Finding(
            self.id, Severity.WARNING if clear else Severity.NOTE, 0.5,
            float(val.steps[-max(5, len(val) // 3)]),
            (Fact("gap", -better, -limit), Fact("accuracy_gap", accuracy, self.margin),
             Fact("dropout", dropout)),
            causes, (Remedy("dropout", factor=0.3),) if drops else (),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class TooGood:
    """Validation is perfect as soon as training is: the answer may be in the data."""

    id: str = "D17"
    accuracy: float = 0.995
    explained: float = 0.98

    def watch(self, evidence: Evidence) -> Finding | None:
        """Perfect in the first tenth; or later, and no worse than memorized training."""
        val, train = evidence.val_loss, evidence.train_loss
        base = evidence.baseline
        if len(val) < 3 or not base > 0:
            return None
        accuracy = evidence.val_accuracy.last if len(evidence.val_accuracy) else math.nan
        left = val.last / base
        if accuracy < self.accuracy or left > 1 - self.explained:
            return None
        good = np.flatnonzero(val.levels < (1 - self.explained) * base)
        onset = float(val.steps[good[0]])
        planned = evidence.max_steps or evidence.last_step
        early = len(good) and onset <= max(0.1 * planned, float(val.steps[min(2, len(val) - 1)]))
        no_gap = self._no_gap(evidence)
        if not (early or no_gap):
            return None
        return Finding(
            self.id, Severity.WARNING, 0.7 if no_gap else 0.6, onset,
            (Fact("val_accuracy", accuracy, self.accuracy), Fact("val_loss_share", left,
             1 - self.explained), Fact("gap", val.last - train.last if len(train) else math.nan)),
            ("split", "feature", "easy"),
        )  # fmt: skip

    def _no_gap(self, evidence: Evidence) -> bool:
        """Whether for several reports validation is no worse than training that is as good as done.

        The mean over an epoch lags behind, so training is taken from half a report later.
        """
        train, val = evidence.train_loss, evidence.val_loss
        if len(train) < 8 or len(val) < 8:
            return False
        lag = float(np.median(np.diff(train.steps))) / 2
        at = np.interp(val.steps[:-1], train.steps - lag, train.levels)
        late = (at < 0.1 * evidence.baseline) & (val.levels[:-1] < 0.1 * evidence.baseline)
        ratio = val.levels[:-1][late] / np.maximum(at[late], 1e-12)
        done = train.last < 0.03 * evidence.baseline
        return bool(done and late.sum() >= 5 and np.mean(ratio < 1.05) > 0.8)


@final
@dataclass(frozen=True, slots=True)
class TrainEvalGap:
    """The model in evaluation mode is another one: batch statistics, or a mode never switched."""

    id: str = "D29"
    tiny: int = 4  # samples per BatchNorm

    def watch(self, evidence: Evidence) -> Finding | None:
        """By what probes know of BatchNorm and of the mode, or by a wild validation loss."""
        batch = evidence.typical("bn_batch", 20)
        forgotten = evidence.typical("eval_mode_share", 20)
        train, val = evidence.train_loss, evidence.val_loss
        gap = math.nan
        if len(train) >= 4 and len(val) >= 4:
            gap = _gap(train, val).last
        if forgotten > 0.5:
            return Finding(
                self.id, Severity.WARNING, 0.9, float(evidence.probed("eval_mode_share").steps[0]),
                (Fact("eval_mode_share", forgotten, 0.5),), ("mode",),
            )  # fmt: skip
        if batch <= self.tiny:
            return Finding(
                self.id, Severity.WARNING, 0.85, float(evidence.probed("bn_batch").steps[0]),
                (Fact("bn_batch", batch, float(self.tiny)), Fact("gap", gap)),
                ("bn_batch", "bn_momentum"), (Remedy("batch_size", factor=8.0),),
            )  # fmt: skip
        if not len(evidence.probed("bn_batch")) or len(val) < 5:
            return None
        # worse than knowing nothing in most reports, while training does well
        worse = float((val.levels > 1.2 * evidence.baseline).mean())
        jumps = val.noise / max(abs(val.last), 1e-12)
        if worse > 0.4 and evidence.explained > 0.3 and jumps > 0.1:
            return Finding(
                self.id, Severity.WARNING, 0.6, float(val.steps[0]),
                (Fact("reports_worse_than_baseline", worse, 0.4), Fact("gap", gap)),
                ("bn_momentum", "bn_batch", "mode"), (Remedy("batch_size", factor=4.0),),
            )  # fmt: skip
        return None


@final
@dataclass(frozen=True, slots=True)
class MetricMismatch:
    """Loss and accuracy in validation do not go together."""

    id: str = "D28"

    def watch(self, evidence: Evidence) -> Finding | None:
        """A note: in overfitting the loss rises while the accuracy stays."""
        loss, accuracy = evidence.val_loss, evidence.val_accuracy
        if len(loss) < 10 or len(accuracy) != len(loss) or np.ptp(accuracy.levels) < 0.05:
            return None
        together = float(np.corrcoef(loss.levels, accuracy.levels)[0, 1])
        if not together > -0.5:
            return None
        severity = Severity.WARNING if together > 0.7 else Severity.NOTE
        return Finding(
            self.id, severity, 0.6, float(loss.steps[9]),
            (Fact("correlation", together, -0.5),), ("loss_function", "threshold"),
        )  # fmt: skip
