"""Does tuning in stages of importance help? Measured on tables of real learning curves.

    python benchmarks/stages.py FOLDER [--seeds 20] [--tasks 6] [--samplers tpe]

FOLDER holds `load.py` and the tables. A table answers only its own rows, and a stage asks for
points that differ in one parameter, so each task is first fitted by a Gaussian process: the rank of
the loss at steps 1, 3 and 9 of 9, over the parameters. Its fit on held-out rows is printed, and
tasks below R2 = 0.5 are left out. Every method then tunes that function with the real loop, on
paper, within the steps of 20 full runs.
Regret: (value of the winner - best) / (median - best), over 20,000 points.
"""

import argparse
import importlib.util
import sys
import warnings
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from luthier.core.budget import Budget
from luthier.core.domain import Domain, Float, Int
from luthier.core.space import Space
from luthier.core.study import Study
from luthier.policies.asha import Asha
from luthier.policies.freeze_thaw import FreezeThaw
from luthier.policies.full import Full
from luthier.registry import in_stages, make_sampler
from luthier.stores.memory import MemoryStore
from luthier.testing.paper import PaperExecutor
from luthier.tuner import Tuner

MAX_STEPS, N_RUNS, RUNGS = 9, 20, (1, 3, 9)
# Advised values under the tables' names (luthier explain); the middle where nothing is advised.
ADVISED = {
    "learning_rate": {"lcbench_surrogate": 0.05, "taskset": 1e-3},
    "batch_size": 128, "momentum": 0.9, "weight_decay": 1e-4, "num_layers": 3, "max_units": 128,
    "max_dropout": 0.1, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "l1": 1e-8, "l2": 1e-8,
    "linear_decay": 1e-7, "exponential_decay": 1e-6,
}  # fmt: skip
TIERS = {"learning_rate": 1, "batch_size": 2, "momentum": 2}


@dataclass(frozen=True)
class Fit:
    """A task as a function of the unit cube."""

    name: str
    space: Space  # with the advised values as priors
    value: Callable[[NDArray[np.float64]], NDArray[np.float64]]  # (n, d) -> (n, rungs)
    r2: float
    first: float  # share of the variance that the learning rate explains by itself
    best: float
    median: float


def main() -> None:
    """Fit, tune, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--tasks", type=int, default=6, help="of each family at most")
    parser.add_argument("--samplers", nargs="+", default=["random", "sobol"])
    parser.add_argument("--freeze-thaw", action="store_true", help="this policy, and no other")
    options = parser.parse_args()
    load = _load(options.folder)
    for family in ("lcbench_surrogate", "taskset"):
        fits = [fit(load, family, task) for task in load.tasks(family)[: options.tasks]]
        print(f"\n{family}: task, R2 of the fit, share of the learning rate in the variance")
        print("  " + "; ".join(f"{f.name} {f.r2:.2f} {f.first:.0%}" for f in fits))
        kept = [f for f in fits if f.r2 >= 0.5]
        print(f"{'policy':8} {'sampler':8} {'first values':12} {'all at once':>16} "
              f"{'in stages':>16} {'stages win':>11}")  # fmt: skip
        for policy in (FreezeThaw,) if options.freeze_thaw else (Full, Asha):
            for sampler in ["random"] if options.freeze_thaw else options.samplers:
                for priors in (True, False):
                    row(kept, policy, sampler, priors, options.seeds)


def row(fits: list[Fit], policy: type, sampler: str, priors: bool, n_seeds: int) -> None:
    """One line: mean regret of both ways over tasks and seeds, and how often stages are better."""
    both = np.array(
        [
            [regret(f, policy, sampler, priors, stages, seed) for stages in ("none", "importance")]
            for f in fits
            for seed in range(n_seeds)
        ]
    )
    if not len(both):
        return
    mean, error = both.mean(0), both.std(0) / np.sqrt(len(both))
    wins = float((both[:, 1] < both[:, 0]).mean() + 0.5 * (both[:, 1] == both[:, 0]).mean())
    said = [f"{m:8.3f} ± {e:.3f}" for m, e in zip(mean, error, strict=True)]
    start = "advised" if priors else "middle"
    print(f"{policy.__name__:8} {sampler:8} {start:12} {said[0]:>16} {said[1]:>16} {wins:10.0%}",
          flush=True)  # fmt: skip


def regret(f: Fit, policy: type, sampler: str, priors: bool, stages: str, seed: int) -> float:
    """Tune the function once."""
    space = (
        f.space
        if priors
        else Space({n: replace(d, prior=None) for n, d in f.space.domains.items()})
    )
    study = Study("s", space, "loss", max_steps=MAX_STEPS, seed=seed,
                  budget=Budget(n_steps=N_RUNS * MAX_STEPS))  # fmt: skip
    known: dict[tuple[Any, ...], NDArray[np.float64]] = {}

    def formula(params: Mapping[str, Any], step: float) -> float:
        key = tuple(params.values())
        if key not in known:
            known[key] = f.value(space.to_unit(params)[None])[0]
        return float(known[key][sum(step >= r for r in RUNGS) - 1])

    paper = PaperExecutor(formula, 1, max_steps=MAX_STEPS)
    player = in_stages(policy(make_sampler(sampler)), stages)
    with closing(MemoryStore(study)) as store:
        best = Tuner(store, player, paper, clock=paper.clock).run().best()
    assert best is not None
    found = formula(best.params, MAX_STEPS)
    return max(0.0, (found - f.best) / (f.median - f.best))


def fit(load: Any, family: str, name: str) -> Fit:  # noqa: ANN401
    """A Gaussian process over the table's points."""
    task = load.load(family, name)
    space = _space(task, family)
    x = np.stack([space.to_unit(dict(r)) for r in task.configs.to_dict("records")])
    losses = task.loss()
    columns = [round(r / MAX_STEPS * (losses.shape[1] - 1)) for r in RUNGS]
    # all rungs on one scale of ranks, so that losses may fall from rung to rung
    flat = losses[:, columns].ravel()
    y = (rankdata(flat) / len(flat)).reshape(-1, len(RUNGS))
    rng = np.random.default_rng(0)
    order = rng.permutation(len(x))
    train, test = order[:800], order[800:]
    kernel = ConstantKernel() * RBF(np.ones(x.shape[1]), (0.05, 20.0)) + WhiteKernel(0.05)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        shape = GaussianProcessRegressor(kernel, normalize_y=True).fit(
            x[train[:300]], y[train[:300]]
        )
    scales = shape.kernel_.k1.k2.length_scale
    signal, noise = shape.kernel_.k1.k1.constant_value, shape.kernel_.k2.noise_level

    def covariance(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        gap = ((a[:, None] - b[None]) / scales) ** 2
        return signal * np.exp(-0.5 * gap.sum(-1))

    mean = y[train].mean(0)
    alpha = np.linalg.solve(
        covariance(x[train], x[train]) + noise * np.eye(len(train)), y[train] - mean
    )

    def value(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return mean + covariance(points, x[train]) @ alpha

    left = y[test, -1] - value(x[test])[:, -1]
    where = rng.random((20_000, x.shape[1]))
    all_points = np.concatenate([value(block)[:, -1] for block in np.split(where, 20)])
    bins = (where[:, space.names.index("learning_rate")] * 20).astype(int)
    means = [all_points[bins == b].mean() for b in range(20)]
    r2, first = 1 - left.var() / y[test, -1].var(), np.var(means) / all_points.var()
    best, median = float(all_points.min()), float(np.median(all_points))
    return Fit(name, space, value, float(r2), float(first), best, median)


def _space(task: Any, family: str) -> Space:  # noqa: ANN401
    domains: dict[str, Domain] = {}
    for name, facts in task.space.items():
        kind: Any = Int if facts["kind"] == "int" else Float
        known = ADVISED[name]
        advised = known[family] if isinstance(known, dict) else known
        low, high = facts["low"], facts["high"]
        low, high = (int(low), int(high)) if kind is Int else (float(low), float(high))
        domains[name] = kind(low, high, log=bool(facts.get("log")), tier=TIERS.get(name, 3),
                             prior=min(max(advised, low), high))  # fmt: skip
    return Space(domains)


def _load(folder: Path) -> Any:  # noqa: ANN401
    spec = importlib.util.spec_from_file_location("curve_tables", folder / "load.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"no load.py in {folder}")
    module = importlib.util.module_from_spec(spec)
    sys.modules["curve_tables"] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
