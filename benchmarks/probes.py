"""What probes cost: processor seconds per training step with and without them, interleaved.

Of an MLP, a CNN and a transformer two copies train step by step in turn, one of them with probes,
so that a busy machine slows both alike; processor seconds leave out what other programs take. The
copies change roles halfway, because two copies of one model are not equally quick: where their
memory lies makes a few per cent. Told is the extra time of all steps together, its standard error
over blocks of steps, and the same with both copies plain: what the measurement itself is worth.

    python benchmarks/probes.py [--tier economy] [--steps 1000] [--report-every 25]
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from luthier.worker.probes import TIERS, Probes

Loss = Callable[[nn.Module], torch.Tensor]
N_BLOCK = 50  # steps whose times are added up before they are compared


def mlp() -> tuple[nn.Module, Loss]:
    """784-256-256-10, batches of 128."""
    model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(),
                          nn.Linear(256, 10))  # fmt: skip
    x, y = torch.randn(128, 784), torch.randint(0, 10, (128,))
    return model, lambda model: F.cross_entropy(model(x), y)


def cnn() -> tuple[nn.Module, Loss]:
    """Three convolutions with BatchNorm on 28 × 28, batches of 32."""
    layers: list[nn.Module] = []
    for n_in, n_out in ((1, 8), (8, 16), (16, 16)):
        layers += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.BatchNorm2d(n_out), nn.ReLU(),
                   nn.MaxPool2d(2)]  # fmt: skip
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * 9, 10))
    x, y = torch.randn(32, 1, 28, 28), torch.randint(0, 10, (32,))
    return model, lambda model: F.cross_entropy(model(x), y)


def transformer() -> tuple[nn.Module, Loss]:
    """Two layers of width 64 over 32 letters, batches of 32."""

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(64, 64)
            layer = nn.TransformerEncoderLayer(64, 4, 256, 0.1, batch_first=True)
            self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.head = nn.Linear(64, 64)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.body(self.embed(x)))

    model = Model()
    x, y = torch.randint(0, 64, (32, 32)), torch.randint(0, 64, (32, 32))
    return model, lambda model: F.cross_entropy(model(x).flatten(0, 1), y.flatten())


class Copy:
    """A model with its optimizer, and the processor seconds that its steps took."""

    def __init__(self, model: nn.Module, loss: Loss) -> None:
        self.model, self.loss = model, loss
        self.optimizer = torch.optim.AdamW(self.model.parameters(), 1e-3)
        self.spent_s = 0.0
        self.began_s = 0.0

    def clock(self) -> float:
        """Seconds of this copy's training alone: what its probes go by."""
        return self.spent_s + time.thread_time() - self.began_s

    def step(self, report: Callable[[], object] | None = None) -> None:
        """One step of training, and a report where one is due."""
        self.began_s = time.thread_time()
        self.optimizer.zero_grad()
        self.loss(self.model).backward()
        self.optimizer.step()
        if report:
            report()
        self.spent_s = self.clock()


def compare(plain: Copy, other: Copy, tier: str, n_steps: int, report_every: int,
            ) -> tuple[np.ndarray, int]:  # fmt: skip
    """(blocks, 2) seconds of the plain and the other copy, and the steps probed; tier "": none."""
    probes = None
    if tier:
        probes = Probes({"m": other.model, "o": other.optimizer}, tier, clock=other.clock)
    blocks = []
    for first in range(0, n_steps, N_BLOCK):
        before = plain.spent_s, other.spent_s
        for i in range(first, first + N_BLOCK):
            last = i % report_every == report_every - 1
            for copied in (plain, other) if i % 2 else (other, plain):
                copied.step(probes.collect if probes and last and copied is other else None)
        blocks.append((plain.spent_s - before[0], other.spent_s - before[1]))
    if probes:
        probes.close()
    return np.array(blocks), probes.n_probed if probes else 0


def extra(one: Copy, two: Copy, *args: Any) -> tuple[float, float, float, int]:  # noqa: ANN401
    """Share that probes make steps longer, its standard error, ms of a plain step, probes."""
    halves = [compare(one, two, *args), compare(two, one, *args)]
    # blocks of both halves side by side: what a copy owes to its place in memory cancels
    plain, other = sum(blocks for blocks, _ in halves).T
    share = other.sum() / plain.sum() - 1
    error = (other - (1 + share) * plain).std(ddof=1) / plain.mean() / len(plain) ** 0.5
    n_steps = 2 * N_BLOCK * len(plain)
    return share, error, 1e3 * plain.sum() / n_steps, sum(n for _, n in halves)


def main() -> None:
    """A line per model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tier", choices=[*TIERS], default="economy")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--report-every", type=int, default=25)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # the noise is learned by heart, and tiny gradients are slow
    print(f"tier {args.tier}, twice {args.steps} steps, a report every {args.report_every}")
    for make in (mlp, cnn, transformer):
        torch.manual_seed(0)
        copies = [Copy(*make()) for _ in range(2)]
        for copied in copies * 20:
            copied.step()
        none, none_error, _, _ = extra(*copies, "", args.steps, args.report_every)
        share, error, step_ms, n = extra(*copies, args.tier, args.steps, args.report_every)
        print(f"{make.__name__:12} {step_ms:7.3f} ms per step, with probes {100 * share:+.2f} % "
              f"± {100 * error:.2f}, {n} of {2 * args.steps} steps probed; plain against plain "
              f"{100 * none:+.2f} % ± {100 * none_error:.2f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
