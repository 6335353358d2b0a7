"""What probes cost: processor seconds per training step with and without them, interleaved.

An MLP, a CNN and a transformer train in turns: without probes, with, without, … so that a busy
machine slows both alike; processor seconds leave out what other programs take. Told is what all
turns with probes took longer together, and the median over the pairs of turns. The probes at the
very start are part of it.

    python benchmarks/probes.py [--tier economy] [--pairs 60] [--steps 25] [--report-every 25]
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from luthier.worker.probes import TIERS, Probes

Step = Callable[[], torch.Tensor]


def mlp() -> tuple[nn.Module, Step]:
    """784-256-256-10, batches of 128."""
    model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(),
                          nn.Linear(256, 10))  # fmt: skip
    x, y = torch.randn(128, 784), torch.randint(0, 10, (128,))
    return model, lambda: F.cross_entropy(model(x), y)


def cnn() -> tuple[nn.Module, Step]:
    """Three convolutions with BatchNorm on 28 × 28, batches of 32."""
    layers: list[nn.Module] = []
    for n_in, n_out in ((1, 8), (8, 16), (16, 16)):
        layers += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.BatchNorm2d(n_out), nn.ReLU(),
                   nn.MaxPool2d(2)]  # fmt: skip
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * 9, 10))
    x, y = torch.randn(32, 1, 28, 28), torch.randint(0, 10, (32,))
    return model, lambda: F.cross_entropy(model(x), y)


def transformer() -> tuple[nn.Module, Step]:
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
    return model, lambda: F.cross_entropy(model(x).flatten(0, 1), y.flatten())


def turn(step: Step, optimizer: torch.optim.Optimizer, n: int, report: Callable[[], object],
         every: int) -> float:  # fmt: skip
    """Processor seconds for `n` steps."""
    began_s = time.process_time()
    for i in range(n):
        optimizer.zero_grad()
        step().backward()
        optimizer.step()
        if i % every == every - 1:
            report()
    return time.process_time() - began_s


def main() -> None:
    """A line per model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tier", choices=[*TIERS], default="economy")
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--report-every", type=int, default=25)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # the noise is learned by heart, and tiny gradients are slow
    print(f"tier {args.tier}, {args.pairs} pairs of turns of {args.steps} steps")
    for make in (mlp, cnn, transformer):
        torch.manual_seed(0)
        model, step = make()
        optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
        turn(step, optimizer, 20, lambda: None, args.report_every)
        probes = Probes({"model": model, "optimizer": optimizer}, args.tier)
        plain, probed = [], []
        for i in range(args.pairs):
            for with_probes in (False, True) if i % 2 else (True, False):
                probes.pause(not with_probes)
                spent_s = turn(step, optimizer, args.steps,
                               probes.collect if with_probes else lambda: None,
                               args.report_every)  # fmt: skip
                (probed if with_probes else plain).append(spent_s / args.steps)
        extra = [b / a - 1 for a, b in zip(plain, probed, strict=True)]
        mean = sum(probed) / sum(plain) - 1
        print(f"{make.__name__:12} {1e3 * statistics.median(plain):7.3f} ms per step, with probes "
              f"{1e3 * statistics.median(probed):7.3f} ms: {100 * mean:+.2f} % in all, "
              f"median of the pairs {100 * statistics.median(extra):+.2f} %; {probes.n_probed} of "
              f"{args.pairs * args.steps} steps probed", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
