"""What is known of a run: its curves by the names the user gave, and some facts."""

import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

import numpy as np

from luthier.core.curve import Curve
from luthier.core.domain import Value
from luthier.diagnosis.series import Series, largest, series

PROBE = "probe/"
_VALIDATION = {"val", "valid", "validation", "test", "eval", "dev", "heldout"}
_LOSS = {"loss", "nll", "ce", "xent", "crossentropy", "mse", "mae", "rmse", "objective", "cost"}
_ACCURACY = {"acc", "accuracy", "top1", "f1", "auc"}
_ERROR = {"err", "error"}


@final
@dataclass(frozen=True)
class Evidence:
    """A run as a watcher sees it. Everything but the curves may be missing."""

    curves: Mapping[str, Curve]
    params: Mapping[str, Value] = field(default_factory=dict)
    max_steps: float | None = None  # planned length, in the steps of the curves
    n_classes: int | None = None
    steps_per_epoch: float | None = None  # in the steps of the curves
    pretrained: bool = False
    idle_s: float | None = None  # since it was last heard of, while it should train

    @functools.cached_property
    def last_step(self) -> float:
        """Newest step of any curve."""
        return max((float(c.steps[-1]) for c in self.curves.values() if len(c)), default=0.0)

    @functools.cached_property
    def progress(self) -> float:
        """Part of the planned training that is done; 1 when the plan is not known."""
        if not self.max_steps or not math.isfinite(self.max_steps):
            return 1.0
        return min(1.0, self.last_step / self.max_steps)

    @functools.cached_property
    def train_curve(self) -> Curve | None:
        """The training loss as reported."""
        return self._role(validation=False, words=_LOSS)

    @functools.cached_property
    def val_curve(self) -> Curve | None:
        """The validation loss as reported."""
        return self._role(validation=True, words=_LOSS)

    @functools.cached_property
    def train_loss(self) -> Series:
        """The training loss; without one, the loss of the probed batches."""
        found = self.train_curve
        return series(found) if found is not None else self.probe("batch_loss")

    @functools.cached_property
    def val_loss(self) -> Series:
        """The validation loss."""
        return series(self.val_curve)

    @functools.cached_property
    def train_accuracy(self) -> Series:
        """Accuracy on training data, 0 to 1."""
        found = self._accuracy(validation=False)
        return found if len(found) else self.probe("batch_accuracy")

    @functools.cached_property
    def val_accuracy(self) -> Series:
        """Accuracy on validation data, 0 to 1."""
        return self._accuracy(validation=True)

    @functools.cached_property
    def lr(self) -> Curve | None:
        """The learning rate over the steps."""
        for name, curve in self.curves.items():
            if set(words_of(name)) & {"lr", "rate"} and len(curve):
                return curve
        return None

    @functools.cached_property
    def classes(self) -> int | None:
        """Number of classes; None when it is no classification, or not known."""
        n = self.n_classes or self.latest("n_classes")
        return int(n) if n == n and n else None

    @functools.cached_property
    def baseline(self) -> float:
        """Loss of a model that ignores its input: entropy of the labels, else the first loss."""
        entropy = self.latest("label_entropy")
        if self.classes:
            # few labels seen: their entropy is not to be trusted
            return math.log(self.classes) if not entropy > 0.05 else entropy
        first = self.train_loss if len(self.train_loss) else self.val_loss
        return first.first if len(first) else math.nan

    @functools.cached_property
    def explained(self) -> float:
        """Share of the baseline loss that training has removed by now; NaN when not known."""
        if not len(self.train_loss) or not self.baseline > 0:
            return math.nan
        return 1 - self.train_loss.last / self.baseline

    @functools.cached_property
    def updates_per_step(self) -> float:
        """Updates of the optimizer per step of the curves; 1 when not known."""
        curve = self.curves.get(PROBE + "steps")
        if curve is None or not len(curve) or curve.steps[-1] <= 0:
            return 1.0
        return float(curve.values[-1] / curve.steps[-1])

    @functools.cached_property
    def known_params(self) -> Mapping[str, Value]:
        """The parameters, with the newest learning rate."""
        lr = {"lr": self.lr.last} if self.lr is not None and "lr" not in self.params else {}
        return {**self.params, **lr}

    def probe(self, name: str) -> Series:
        """A probe's metric as blocks; empty when it was not measured."""
        return series(self.curves.get(PROBE + name))

    def probed(self, name: str) -> Curve:
        """A probe's metric as reported; empty when it was not measured."""
        return self.curves.get(PROBE + name, Curve())

    def latest(self, name: str) -> float:
        """Newest value of a probe's metric; NaN when it was not measured."""
        return self.probed(name).last

    def typical(self, name: str, last: int = 5) -> float:
        """Median of the last values of a probe's metric; NaN when it was not measured."""
        values = self.probed(name).values[-last:]
        values = values[np.isfinite(values)]
        return float(np.median(values)) if len(values) else math.nan

    def until(self, step: float) -> "Evidence":
        """What was known at `step`."""
        cut = {name: curve.until(step) for name, curve in self.curves.items()}
        return Evidence(
            {name: curve for name, curve in cut.items() if len(curve)},
            self.params, self.max_steps if self.max_steps else self.last_step,
            self.n_classes, self.steps_per_epoch, self.pretrained, self.idle_s,
        )  # fmt: skip

    def _accuracy(self, *, validation: bool) -> Series:
        curve = self._role(validation=validation, words=_ACCURACY)
        if curve is None:
            errors = self._role(validation=validation, words=_ERROR)
            if errors is None or largest(errors.values) > 1 or largest(-errors.values) > 0:
                return series(None)
            curve = Curve(errors.steps, 1 - errors.values)
        percent = largest(curve.values) > 1.5
        return series(Curve(curve.steps, curve.values / 100) if percent else curve)

    def _role(self, *, validation: bool, words: set[str]) -> Curve | None:
        """The curve with the shortest fitting name, as parts of a loss have longer ones."""
        fitting: list[tuple[int, int, str]] = []
        plain = [name for name in self.curves if not name.startswith(PROBE)]
        trains = any("train" in words_of(n) and set(words_of(n)) & words for n in plain)
        for name in plain:
            found = words_of(name)
            if not set(found) & words or not len(self.curves[name]):
                continue
            is_train = "train" in found or "training" in found
            is_val = bool(set(found) & _VALIDATION)
            if not is_train and not is_val:
                is_val = trains  # a bare `loss` beside `train_loss`
            if is_val == validation:
                fitting.append((0 if is_train or set(found) & _VALIDATION else 1, len(name), name))
        return self.curves[min(fitting)[2]] if fitting else None


def words_of(name: str) -> list[str]:
    """The words of a metric's name, in lower case: `trainLoss_2` has train, loss and 2."""
    split = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    words = re.split(r"[^a-z0-9]+", split.lower())
    return [part for word in words for part in _joined(word)]


def _joined(word: str) -> list[str]:
    for head in ("train", "valid", "val", "test"):
        if word.startswith(head) and word[len(head) :] in _LOSS | _ACCURACY | _ERROR:
            return [head, word[len(head) :]]
    return [word]
