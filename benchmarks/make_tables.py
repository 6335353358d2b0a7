"""Tables of small real trainings that are hard to search, for `luthier simulate` (docs/tables.md).

    python benchmarks/make_tables.py FOLDER [--points 500] [--steps 40]

Three spaces on two data sets that come with scikit-learn (digits with a fifth of the labels drawn
at random; breast cancer), each point trained once, all points of a table side by side:

cosine    warm-up, then cosine decay to zero, dropout: good runs look poor early
restarts  cosine decay that starts anew every few epochs; three runs in ten are planned shorter
brittle   SGD or Adam with parameters of their own; about a quarter of the runs break at once
"""

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, load_digits
from torch import Tensor

Array = np.ndarray
Columns = dict[str, Array]
_BATCH, _WIDTH, _LAYERS, _TRAIN = 32, 48, 2, 600
_HOPELESS = 1e4  # a loss beyond it counts as diverged


@dataclass(frozen=True)
class Data:
    """Training and validation inputs and labels."""

    x: Tensor
    y: Tensor
    x_held: Tensor
    y_held: Tensor

    @classmethod
    def of(cls, name: str, seed: int) -> "Data":
        """Standardised; of the digits' training labels a fifth is drawn at random."""
        bunch = load_digits() if name == "digits" else load_breast_cancer()
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(bunch.target))
        x = (bunch.data - bunch.data.mean(0)) / (bunch.data.std(0) + 1e-6)
        x, y = x[order], bunch.target[order]
        n = min(_TRAIN, len(y) * 2 // 3)
        seen = y[:n].copy()
        if name == "digits":
            drawn = rng.random(n) < 0.2
            seen[drawn] = rng.integers(0, 10, drawn.sum())
        inputs = torch.tensor(x, dtype=torch.float32)
        return cls(inputs[:n], torch.tensor(seen), inputs[n:], torch.tensor(y[n:]))


class Networks:
    """Perceptrons of one shape, side by side, each with an optimizer of its own."""

    def __init__(self, sizes: list[int], points: Columns, generator: torch.Generator) -> None:
        self.n = len(next(iter(points.values())))
        self.generator = generator
        self.weight_decay = self._of(points, "weight_decay", 0.0)
        self.momentum = self._of(points, "momentum", 0.0)
        self.beta2 = self._of(points, "beta2", 0.999)
        self.dropout = self._of(points, "dropout", 0.0)
        is_adam = points.get("optimizer", np.full(self.n, "sgd")) == "adam"
        self.adam = torch.tensor(is_adam)[:, None, None]
        scale = self._of(points, "init_scale", 1.0)
        self.parameters: list[Tensor] = []
        for a, b in pairwise(sizes):
            weight = torch.randn(self.n, a, b, generator=generator) * math.sqrt(2 / a) * scale
            self.parameters += [weight.requires_grad_(), torch.zeros(self.n, 1, b).requires_grad_()]
        self.first = [torch.zeros_like(p) for p in self.parameters]
        self.second = [torch.zeros_like(p) for p in self.parameters]
        self.n_updates = 0

    def _of(self, points: Columns, name: str, default: float) -> Tensor:
        column = np.nan_to_num(points.get(name, np.full(self.n, default)), nan=default)
        return torch.tensor(column, dtype=torch.float32)[:, None, None]

    def outputs(self, x: Tensor, *, training: bool) -> Tensor:
        """(networks, examples, classes)."""
        hidden = x.expand(self.n, *x.shape)
        for layer in range(0, len(self.parameters), 2):
            hidden = torch.baddbmm(self.parameters[layer + 1], hidden, self.parameters[layer])
            if layer < len(self.parameters) - 2:
                hidden = torch.relu(hidden)
                if training:
                    kept = torch.rand(hidden.shape, generator=self.generator) >= self.dropout
                    hidden = hidden * kept / (1 - self.dropout)
        return hidden

    def update(self, x: Tensor, y: Tensor, rate: Array) -> None:
        """One step of SGD with momentum, or of AdamW."""
        losses = self.losses(x, y, training=True)
        slopes = torch.autograd.grad(losses.sum(), self.parameters)
        self.n_updates += 1
        by = torch.tensor(rate, dtype=torch.float32)[:, None, None]
        with torch.no_grad():
            for i, (p, slope) in enumerate(zip(self.parameters, slopes, strict=True)):
                sgd = self.momentum * self.first[i] + slope + self.weight_decay * p
                self.first[i] = torch.where(self.adam, 0.9 * self.first[i] + 0.1 * slope, sgd)
                self.second[i] = self.beta2 * self.second[i] + (1 - self.beta2) * slope**2
                mean = self.first[i] / (1 - 0.9**self.n_updates)
                size = (self.second[i] / (1 - self.beta2**self.n_updates)).sqrt() + 1e-8
                adam = mean / size + self.weight_decay * p
                p -= by * torch.where(self.adam, adam, sgd)

    def losses(self, x: Tensor, y: Tensor, *, training: bool) -> Tensor:
        """Mean cross-entropy of each network, (networks,)."""
        out = self.outputs(x, training=training)
        one_by_one = torch.nn.functional.cross_entropy(
            out.flatten(0, 1), y.repeat(self.n), reduction="none"
        )
        return one_by_one.reshape(self.n, -1).mean(1)


def train(
    data: Data, points: Columns, rate: Callable[[float], Array], n_steps: int, seed: int
) -> Array:
    """Validation loss of each point after each epoch, (points, n_steps); NaN once diverged."""
    generator = torch.Generator().manual_seed(seed)
    sizes = [data.x.shape[1], *[_WIDTH] * _LAYERS, int(data.y.max()) + 1]
    networks = Networks(sizes, points, generator)
    losses = np.full((networks.n, n_steps), np.nan)
    n_batches = len(data.y) // _BATCH
    for epoch in range(n_steps):
        order = torch.randperm(len(data.y), generator=generator)
        for j in range(n_batches):
            chosen = order[j * _BATCH : (j + 1) * _BATCH]
            networks.update(data.x[chosen], data.y[chosen], rate(epoch + j / n_batches))
        with torch.no_grad():
            losses[:, epoch] = networks.losses(data.x_held, data.y_held, training=False).numpy()
    bad = ~np.isfinite(losses) | (losses > _HOPELESS)
    losses[np.logical_or.accumulate(bad, axis=1)] = np.nan
    return losses


def _log(low: float, high: float) -> dict[str, Any]:
    return {"kind": "float", "low": low, "high": high, "log": True}


def _even(low: float, high: float, **more: object) -> dict[str, Any]:
    return {"kind": "float", "low": low, "high": high, **more}


def _drawn(about: dict[str, Any], n: int, rng: np.random.Generator) -> Array:
    if about["kind"] == "categorical":
        return rng.choice(about["choices"], n)
    if about["kind"] == "int":
        return rng.integers(about["low"], about["high"] + 1, n)
    if about.get("log"):
        return 10 ** rng.uniform(math.log10(about["low"]), math.log10(about["high"]), n)
    return rng.uniform(about["low"], about["high"], n)


_RATE, _DECAY, _MOMENTUM = _log(1e-4, 3.0), _log(1e-6, 0.1), _even(0.0, 0.98)


def spaces(n_steps: int) -> dict[str, dict[str, Any]]:
    """The hyperparameters of each kind of table."""
    sgd, adam = ({"active_when": {"optimizer": name}} for name in ("sgd", "adam"))
    return {
        "cosine": {"learning_rate": _RATE, "momentum": _MOMENTUM, "weight_decay": _DECAY,
                   "warmup": {"kind": "int", "low": 0, "high": max(1, 3 * n_steps // 8)},
                   "dropout": _even(0.0, 0.7)},
        "restarts": {"learning_rate": _RATE, "momentum": _MOMENTUM, "weight_decay": _DECAY,
                     "period": {"kind": "int", "low": 4, "high": max(5, n_steps // 2)}},
        "brittle": {"lr": _log(1e-5, 10.0),
                    "optimizer": {"kind": "categorical", "choices": ["sgd", "adam"]},
                    "momentum": _even(0.0, 0.99, **sgd), "beta2": _even(0.68, 0.9999, **adam),
                    "weight_decay": _DECAY, "init_scale": _log(0.1, 10.0),
                    "dropout": _even(0.0, 0.6)},
    }  # fmt: skip


def schedule(kind: str, points: Columns, n_steps: int) -> Callable[[float], Array]:
    """Learning rates of all points at a time in epochs."""
    if kind == "brittle":
        return lambda epoch: points["lr"]
    highest = points["learning_rate"]

    def falling(share: Array) -> Array:
        return highest * 0.5 * (1 + np.cos(np.pi * np.clip(share, 0, 1)))

    if kind == "restarts":
        return lambda epoch: falling(epoch % points["period"] / points["period"])
    warm = points["warmup"]

    def rate(epoch: float) -> Array:
        rising = highest * (epoch + 0.05) / np.maximum(warm, 1)
        return np.where(epoch < warm, rising, falling((epoch - warm) / (n_steps - warm)))

    return rate


def make(kind: str, data: Data, n_points: int, n_steps: int, seed: int) -> tuple[Columns, Array]:
    """Points of a space and their curves."""
    rng = np.random.default_rng(seed)
    about = spaces(n_steps)[kind]
    points = {name: _drawn(one, n_points, rng) for name, one in about.items()}
    for name, one in about.items():
        if "active_when" in one:
            off = points["optimizer"] != one["active_when"]["optimizer"]
            points[name] = np.where(off, np.nan, points[name])
    losses = train(data, points, schedule(kind, points, n_steps), n_steps, seed)
    if kind == "restarts":
        for row in np.flatnonzero(rng.random(n_points) < 0.3):
            period = int(points["period"][row])
            losses[row, period * max(1, n_steps // 2 // period) :] = np.nan
    if kind == "brittle":
        adam = points["optimizer"] == "adam"
        rate = points["lr"]
        force = np.where(adam, 100 * rate, rate / (1 - np.nan_to_num(points["momentum"])))
        losses[(force > 30) | (rng.random(n_points) < 0.06)] = np.nan
    return points, losses


def main() -> None:
    """Train and write all tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--points", type=int, default=500)
    parser.add_argument("--steps", type=int, default=40)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.folder.mkdir(parents=True, exist_ok=True)
    tasks = {}
    for seed, name in enumerate(("digits", "cancer")):
        for kind, about in spaces(options.steps).items():
            points, losses = make(kind, Data.of(name, seed), options.points, options.steps, seed)
            task = f"{kind}-{name}"
            np.savez(options.folder / f"{task}.npz", **{f"hp:{k}": v for k, v in points.items()},
                     **{"y:loss": losses})  # fmt: skip
            tasks[task] = {"file": f"{task}.npz", "main": "loss", "direction": "min",
                           "target": None, "hyperparameters": about}  # fmt: skip
            broken = np.isnan(losses[:, 0]).mean()
            print(f"{task}: best {np.nanmin(losses):.4f}, broken at once {broken:.0%}", flush=True)
    (options.folder / "meta.json").write_text(json.dumps({"tasks": tasks}))


if __name__ == "__main__":
    main()
