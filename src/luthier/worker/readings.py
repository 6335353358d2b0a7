"""What probed steps say, once fetched: many numbers per step become few metrics per report."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
MIN_ROWS = 128  # a unit that was zero for fewer samples than this is not called dead
# of these, what the very first step showed is kept as `start_…`
STARTS = ("weight_scale", "weight_scale_max", "act_rms_largest", "act_last_to_first", "batch_loss",
          "input_rms")  # fmt: skip
MIN_LABELLED = 8  # batches seen before anything is said about the order of the labels


@final
@dataclass(frozen=True, slots=True)
class OutputReading:
    """Size of the classifier's output that stands at the end of the vector; 0: none does."""

    n_rows: int
    n_classes: int


@final
@dataclass(frozen=True, slots=True)
class StepReading:
    """How the vector of a probed step is to be read."""

    step: int
    names: tuple[str, ...]
    counts: tuple[int, ...]  # numbers per name
    depths: tuple[int, ...]  # of the tensors with a gradient; -1: no weight matrix
    sizes: tuple[int, ...]  # their numbers of elements
    weight_sizes: tuple[int, ...]  # of the weights whose update was measured
    decays: tuple[float, ...]  # weight decay; negative, and times the rate, if decoupled
    fans: tuple[int, ...]  # inputs per unit
    layer_rows: tuple[int, ...]  # samples looked at per layer, in the order of the forward pass
    n_rows: int  # batch size
    has_batch_norm: bool
    no_grad: int  # elements of parameters in the optimizer that got no gradient
    output: OutputReading


@final
class Readings:
    """Collects probed steps until `take`; labels are counted over the whole training."""

    def __init__(self) -> None:
        self._waiting: list[tuple[StepReading, Callable[[], Numbers]]] = []
        self._step_s: list[float] = []
        self._wait_s: list[float] = []
        self._n_modes = self._n_evaluating = 0
        self._began = False
        self._labels = np.zeros(0)  # (classes,), counts over the training
        self._same: list[float] = []  # per batch: chance that two of its samples share the label

    @property
    def n_waiting(self) -> int:
        """Probed steps since the last `take`."""
        return len(self._waiting)

    def add(self, step: StepReading, fetch: Callable[[], Numbers]) -> None:
        """A probed step; its numbers are fetched at `take`."""
        self._waiting.append((step, fetch))

    def add_time(self, step_s: float, wait_s: float) -> None:
        """How long a step took, and of that how long until the forward pass began."""
        self._step_s.append(step_s)
        self._wait_s.append(wait_s)

    def add_mode(self, training: bool) -> None:
        """Whether the model was in training mode at a step."""
        self._n_modes += 1
        self._n_evaluating += not training

    def take(self) -> dict[str, float]:
        """The metrics since the last call: medians over the probed steps unless named otherwise."""
        rows: list[dict[str, float]] = []
        start: dict[str, float] = {}
        for step, fetch in self._waiting:
            vector = fetch()
            parts, at = {}, 0
            for name, n in zip(step.names, step.counts, strict=True):
                parts[name] = vector[at : at + n]
                at += n
            row = dict(_gradients(step, parts)) | dict(_updates(step, parts))
            row |= dict(_layers(step, parts)) | dict(self._outputs(step, vector[at:]))
            row["batch_size"] = step.n_rows
            if step.has_batch_norm:
                row["bn_batch"] = step.n_rows
            rows.append(row)
            if not self._began:
                self._began = True
                start = {"start_" + name: row[name] for name in STARTS if name in row}
        found: dict[str, float] = {}
        for name in dict.fromkeys(name for row in rows for name in row):
            values = [row[name] for row in rows if name in row]
            if len(values) == 1:  # the usual case; a median of NumPy takes 30 µs
                found[name] = float(values[0])
            elif name.endswith("_max") or name == "nonfinite":
                found[name] = float(np.max(values))
            elif name in ("label_order", "class_ratio", "label_entropy", "n_classes"):
                found[name] = float(values[-1])
            else:
                found[name] = float(np.median(values))
        if self._step_s:
            # without the slowest tenth of the steps, when other programs had the machine
            quick = np.argsort(self._step_s)[: max(1, int(0.9 * len(self._step_s)))]
            found["step_s"] = float(np.array(self._step_s)[quick].mean())
            found["loader_wait_s"] = float(np.array(self._wait_s)[quick].mean())
        if self._n_modes:
            found["eval_mode_share"] = self._n_evaluating / self._n_modes
        self._waiting, self._step_s, self._wait_s = [], [], []
        self._n_modes = self._n_evaluating = 0
        return start | found

    def _outputs(self, step: StepReading, vector: Numbers) -> Iterator[tuple[str, float]]:
        n, classes = step.output.n_rows, step.output.n_classes
        if not n:
            return
        label, top, loss, log_z, total, low, balanced = vector.reshape(7, n)
        log_probabilities = bool(np.abs(log_z).max() < 1e-3)
        if balanced.mean() < 0.9 and not log_probabilities:
            return  # the gradient is not that of a cross-entropy
        yield "n_classes", classes
        yield "batch_loss", float(loss.mean())
        with np.errstate(invalid="ignore"):  # infinite losses
            yield "loss_p50", float(np.quantile(loss, 0.5))
            yield "loss_p95", float(np.quantile(loss, 0.95))
        yield "batch_accuracy", float((label == top).mean())
        yield "log_z", float(np.abs(log_z).mean())
        are_probabilities = bool(low.min() >= 0 and np.abs(total - 1).max() < 1e-3)
        yield "softmax_twice", float(are_probabilities)
        counts = np.bincount(label.astype(int), minlength=classes).astype(float)
        share_top = np.bincount(top.astype(int), minlength=classes).max() / n
        yield "top_prediction_share", float(share_top)
        yield "top_label_share", float(counts.max() / n)
        if len(self._labels) != classes:
            self._labels, self._same = np.zeros(classes), []
        self._labels += counts
        if n > 1:
            self._same.append(float((counts * (counts - 1)).sum() / (n * (n - 1))))
        share = self._labels / self._labels.sum()
        seen = share[share > 0]
        yield "label_entropy", float(-(seen * np.log(seen)).sum())
        if self._labels.sum() >= 20 * classes:
            yield "class_ratio", float(share.max() / max(share.min(), 1 / self._labels.sum()))
        if len(self._same) >= MIN_LABELLED:
            pooled = float((share * share).sum())
            yield "label_order", (float(np.mean(self._same)) - pooled) / max(1 - pooled, 1e-9)


def _gradients(step: StepReading, parts: dict[str, Numbers]) -> Iterator[tuple[str, float]]:
    if "grad" not in parts:
        return
    norms, depths, sizes = parts["grad"], np.array(step.depths), np.array(step.sizes)
    yield "nonfinite", float((~np.isfinite(norms)).sum())
    norm = float(np.linalg.norm(norms))
    yield "grad_norm", norm
    yield "grad_norm_max", norm
    yield "no_grad_share", step.no_grad / (step.no_grad + int(sizes.sum()))
    weights = depths >= 0
    yield "zero_grad_share", float((norms[weights] == 0).mean()) if weights.any() else 0.0
    if weights.sum() >= 2:
        rms = norms[weights] / np.sqrt(sizes[weights])
        yield "grad_first", float(rms[0])
        ok = 0 < rms[-1] < math.inf
        yield "grad_first_to_last", float(rms[0] / rms[-1]) if ok else math.nan


def _updates(step: StepReading, parts: dict[str, Numbers]) -> Iterator[tuple[str, float]]:
    if "update" not in parts or "weight" not in parts:
        return
    weight, update, grad = parts["weight"], parts["update"], parts["weight_grad"]
    with np.errstate(all="ignore"):
        ratio = update / weight
        yield "update_ratio", float(np.median(ratio))
        yield "update_ratio_max", float(np.median(ratio))
        rms = weight / np.sqrt(step.weight_sizes)
        scale = rms * np.sqrt(np.array(step.fans) / 2)  # 1: as He initialization, fan-in
        yield "weight_scale", float(np.median(scale))
        yield "weight_scale_max", float(np.max(scale))
        yield "weight_scale_least", float(np.min(scale))
        decays = np.array(step.decays)
        by_decay = np.where(decays < 0, -decays * weight / update, decays * weight / grad)
        by_decay = by_decay[np.isfinite(by_decay)]
        if len(by_decay):
            yield "decay_share", float(np.median(by_decay))


def _layers(step: StepReading, parts: dict[str, Numbers]) -> Iterator[tuple[str, float]]:
    if "bounded" in parts:
        yield "saturated_share", float(parts["bounded"].max())
    if "layer" not in parts:
        return
    table = parts["layer"].reshape(-1, 6)  # rms, largest, zero units, beyond ±.99, near 0/1, least
    rows = np.array(step.layer_rows)
    yield "input_rms", float(table[0, 0])
    yield "input_largest", float(table[0, 1])
    if "input" in parts:
        mean, spread, typical = parts["input"]
        yield "input_mean", float(mean)
        yield "input_spread_ratio", float(spread / typical) if typical > 0 else math.nan
    hidden = table[1:]
    if len(hidden):
        yield "act_rms_least", float(hidden[:, 0].min())
        yield "act_rms_largest", float(hidden[:, 0].max())
        yield "act_last_to_first", float(hidden[-1, 0] / max(hidden[0, 0], 1e-30))
        enough = rows[1:] >= MIN_ROWS
        if enough.any():
            yield "dead_share", float(hidden[enough, 2].max())
        if "bounded" not in parts:
            # functional tanh: within ±1 on both sides; functional sigmoid: within (0, 1)
            tanh = (hidden[:, 1] <= 1) & (hidden[:, 5] < -0.5)
            sigmoid = (hidden[:, 1] <= 1) & (hidden[:, 5] > 0)
            share = np.where(tanh, hidden[:, 3], np.where(sigmoid, hidden[:, 4], 0.0))
            if (tanh | sigmoid).any():
                yield "saturated_share", float(share.max())
