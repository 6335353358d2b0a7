"""Comparisons of searchers over tasks and seeds.

`Runs` holds the lines of one policy by (task, seed). Two policies are compared on the pairs that
both have, and on nothing else.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata, wilcoxon

Runs = Mapping[tuple[str, int], Mapping[str, Any]]  # (task, seed) -> line
N_DRAWS = 1000


def by_task(runs: Runs, pairs: Sequence[tuple[str, int]], what: str) -> dict[str, np.ndarray]:
    """One number of each line, task by task, seeds in the order of `pairs`."""
    found: dict[str, list[float]] = {}
    for pair in pairs:
        found.setdefault(pair[0], []).append(float(runs[pair][what]))
    return {task: np.array(values) for task, values in found.items()}


def mean(values: Mapping[str, np.ndarray]) -> float:
    """Over tasks, of the mean over seeds."""
    return float(np.mean([of_one.mean() for of_one in values.values()]))


def interval(values: Mapping[str, np.ndarray], rng: np.random.Generator) -> tuple[float, float]:
    """95 % bootstrap interval of the mean: tasks drawn first, then their seeds."""
    counts = np.array([len(of_one) for of_one in values.values()])
    padded = np.zeros((len(counts), counts.max()))  # (tasks, seeds)
    for row, of_one in zip(padded, values.values(), strict=True):
        row[: len(of_one)] = of_one
    tasks = rng.integers(len(counts), size=(N_DRAWS, len(counts)))
    n = counts[tasks][..., None]
    seeds = (rng.random((*tasks.shape, counts.max())) * n).astype(int)
    kept = np.arange(counts.max()) < n
    means = ((padded[tasks[..., None], seeds] * kept).sum(axis=2) / n[..., 0]).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def signed_rank(first: Sequence[float], second: Sequence[float]) -> float:
    """Two-sided p of Wilcoxon's test on pairs; 1 when all pairs are ties."""
    a, b = np.asarray(first), np.asarray(second)
    return float(wilcoxon(a, b).pvalue) if (a != b).any() else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted for the number of comparisons (Holm 1979)."""
    order = np.argsort(p_values)
    adjusted = [1.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = highest
    return adjusted


def share_to_reach(curve: Sequence[float], level: float) -> float | None:
    """Share of the steps after which a curve of regret is at `level`; None if it never is.

    Regret 1 is the median of the table and anything worse: at such a level, below 1 is asked for.
    """
    for i, regret in enumerate(curve, 1):
        if regret < 1.0 and regret <= level + 1e-9:
            return i / len(curve)
    return None


def step_ratio(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> float:
    """Steps we need to reach their last value, over all of theirs; both ways.

    Where we end worse than they do, it is what they would need for our last value that counts, and
    the ratio is above 1. Neither below regret 1: a tie.
    """
    mine, other = [*ours["curve"], ours["r100"]], [*theirs["curve"], theirs["r100"]]
    reached = share_to_reach(mine, theirs["r100"])
    if reached is not None:
        return reached
    caught = share_to_reach(other, ours["r100"])
    return 1.0 if caught is None else 1.0 / caught


def speed_up(ours: Runs, theirs: Runs, pairs: Sequence[tuple[str, int]]) -> float:
    """Inverse of the geometric mean of `step_ratio` over tasks (first over a task's seeds)."""
    logs: dict[str, list[float]] = {}
    for pair in pairs:
        logs.setdefault(pair[0], []).append(math.log(step_ratio(ours[pair], theirs[pair])))
    return math.exp(-float(np.mean([np.mean(of_one) for of_one in logs.values()])))


def mean_ranks(policies: Mapping[str, Runs], pairs: Sequence[tuple[str, int]]) -> dict[str, float]:
    """Rank of each policy by its mean anytime regret on a task, averaged over tasks."""
    means = np.array([
        [of_one.mean() for of_one in by_task(runs, pairs, "anytime").values()]
        for runs in policies.values()
    ])  # fmt: skip
    ranks = rankdata(means, axis=0).mean(axis=1)
    return dict(zip(policies, map(float, ranks), strict=True))


def worse_tasks(
    ours: Runs, theirs: Runs, pairs: Sequence[tuple[str, int]]
) -> list[tuple[str, float, float, float, int]]:
    """Every task on which ours is higher on average: task, means, Holm's p over tasks, seeds."""
    mine, other = by_task(ours, pairs, "anytime"), by_task(theirs, pairs, "anytime")
    adjusted = holm([signed_rank(mine[task], other[task]) for task in mine])
    return [
        (task, float(mine[task].mean()), float(other[task].mean()), p_value, len(mine[task]))
        for task, p_value in zip(mine, adjusted, strict=True)
        if mine[task].mean() > other[task].mean()
    ]
