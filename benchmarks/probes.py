"""What probes cost: processor seconds per training step with and without them, interleaved.

Of an MLP, a CNN and a transformer two copies train step by step in turn, one of them with probes,
so that a busy machine slows both alike; processor seconds leave out what other programs take. The
copies change roles between four trainings, because two copies of one model are not equally quick:
where their memory lies makes a few per cent. Told is the extra time of all steps together: the
steps that were probed or reported one by one, all others by the median of their differences, which
a hiccup of the machine does not move. Beside it its standard error (bootstrap over steps), and the
same with both copies plain: what the measurement itself is worth.

    python benchmarks/probes.py [--tier economy] [--steps 2000] [--report-every 25]
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from luthier.worker.probes import TIERS, Probes

Loss = Callable[[nn.Module], torch.Tensor]


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


@dataclass(frozen=True, slots=True)
class Training:
    """Seconds of every step of the plain and the other copy, (n, 2)."""

    times: np.ndarray
    special: np.ndarray  # (n,) whether the other copy probed or reported at the step
    n_probed: int

    def share(self, chosen: np.ndarray) -> float:
        """Share by which the other copy's steps are longer, from the steps `chosen` (indices)."""
        times, special = self.times[chosen], self.special[chosen]
        more = times[:, 1] - times[:, 0]
        ordinary_s = float(np.median(more[~special])) * float((~special).sum())
        return (ordinary_s + float(more[special].sum())) / float(times[:, 0].sum())


def compare(plain: Copy, other: Copy, tier: str, n_steps: int, report_every: int) -> Training:
    """Both copies step by step in turn; tier "": neither has probes."""
    probes = None
    if tier:
        probes = Probes({"m": other.model, "o": other.optimizer}, tier, clock=other.clock)
    times, special = np.empty((n_steps, 2)), np.zeros(n_steps, bool)
    for i in range(n_steps):
        n_before = probes.n_probed if probes else 0
        last = i % report_every == report_every - 1
        for column, copied in enumerate((plain, other)):
            before_s = copied.spent_s
            copied.step(probes.collect if probes and last and column else None)
            times[i, column] = copied.spent_s - before_s
        probed = probes is not None and probes.n_probed > n_before
        special[i] = last or probed
        special[i - 1] |= probed and i > 0  # at whose end the hooks were put on
    if probes:
        probes.close()
    return Training(times, special, probes.n_probed if probes else 0)


def extra(one: Copy, two: Copy, *args: Any) -> tuple[float, float, float, int]:  # noqa: ANN401
    """Share that probes make steps longer, its standard error, ms of a plain step, probes."""
    trainings = [compare(*pair, *args) for pair in ((one, two), (two, one)) * 2]
    n = len(trainings[0].times)
    rng = np.random.default_rng(0)
    # what a copy owes to its place in memory cancels between the trainings
    share = float(np.mean([t.share(np.arange(n)) for t in trainings]))
    drawn = [np.mean([t.share(rng.integers(0, n, n)) for t in trainings]) for _ in range(200)]
    step_ms = 1e3 * float(np.mean([t.times[:, 0].mean() for t in trainings]))
    return share, float(np.std(drawn)), step_ms, sum(t.n_probed for t in trainings)


def main() -> None:
    """A line per model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tier", choices=[*TIERS], default="economy")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--report-every", type=int, default=25)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # the noise is learned by heart, and tiny gradients are slow
    # glibc gives freed pages back to the system at once until it has seen a large block freed
    torch.empty(1 << 22)
    print(f"tier {args.tier}, 4 x {args.steps} steps, a report every {args.report_every}")
    for make in (mlp, cnn, transformer):
        torch.manual_seed(0)
        copies = [Copy(*make()) for _ in range(2)]
        for copied in copies * 20:
            copied.step()
        none, none_error, _, _ = extra(*copies, "", args.steps, args.report_every)
        share, error, step_ms, n = extra(*copies, args.tier, args.steps, args.report_every)
        print(f"{make.__name__:12} {step_ms:7.3f} ms per step, with probes {100 * share:+.2f} % "
              f"± {100 * error:.2f}, {n} of {4 * args.steps} steps probed; plain against plain "
              f"{100 * none:+.2f} % ± {100 * none_error:.2f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
