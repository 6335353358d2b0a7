"""Searchers side by side on tables of stored learning curves: regret, ranks, significance.

    python benchmarks/search.py --tables DIR [--tables DIR …] --out RESULTS.jsonl [options]
    python benchmarks/search.py --out RESULTS.jsonl --report

DIR holds `meta.json` and npz files (docs/tables.md). Every search appends one line to the file;
what is there already is not run again, so the benchmark can be stopped and started at will.
Luthier's policies go through `luthier.simulation`. Optuna goes through its own `ask`, `report`,
`should_prune` and `tell`, one run after the other (one worker only), with each parameter as a float
in [0, 1] on the scale on which Luthier sees it; its draws go to the nearest row not yet used, and
trials pruned for NaN count as failed. The report in Markdown goes to standard output.
"""

import argparse
import importlib.util
import itertools
import json
import math
import os
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.action import Action
from luthier.core.study import Run, StudyView
from luthier.models.check import standard_scores
from luthier.models.curves import Z80
from luthier.models.encoding import Encoding
from luthier.models.warp import WARPS
from luthier.policies.freeze_thaw import FreezeThaw
from luthier.policies.picture import Picture
from luthier.simulation import policy_on, simulate
from luthier.tables import Table, load_table, tables_of

OURS = ("freeze-thaw", "asha", "halving", "random")
PEERS = ("optuna-tpe", "optuna-tpe-hyperband")
KEYS = ("task", "policy", "budget", "workers", "seed")


@dataclass(frozen=True)
class Job:
    """One search."""

    folder: str
    task: str
    policy: str
    budget: float
    workers: int
    seed: int

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it from the others."""
        return (f"{Path(self.folder).name}/{self.task}", self.policy, self.budget, self.workers,
                self.seed)  # fmt: skip


def run(job: Job) -> dict[str, Any]:
    """Search once; the line for the file."""
    table = load_table(Path(job.folder), job.task)
    began_s = time.process_time()
    watch = None
    if job.policy in PEERS:
        regret, decision_ms = with_optuna(table, job)
    else:
        policy = policy_on(table, job.policy)
        if isinstance(policy, FreezeThaw):
            policy = watch = Watch(policy, table)
        outcome = simulate(table, policy, budget_runs=job.budget, n_workers=job.workers,
                           seed=job.seed)  # fmt: skip
        regret, decision_ms = outcome.regret, outcome.decision_ms
    scores = np.array(watch.scores if watch else [])
    shares = {
        f"r{p}": float(regret[max(1, round(p / 100 * len(regret))) - 1]) for p in (10, 30, 100)
    }
    return {
        **dict(zip(KEYS, job.key, strict=True)),
        "anytime": float(regret.mean()), **shares,
        "curve": [round(float(r), 4) for r in regret[:: max(1, len(regret) // 100)]],
        "decision_ms_p50": float(np.median(decision_ms)) if len(decision_ms) else None,
        "decision_ms_p95": float(np.quantile(decision_ms, 0.95)) if len(decision_ms) else None,
        "cpu_s": time.process_time() - began_s,
        "covered": int((np.abs(scores) <= Z80).sum()), "predicted": len(scores),
    }  # fmt: skip


class Watch:
    """Freeze-thaw, whose predictions are held against the table at every 40th decision."""

    def __init__(self, policy: FreezeThaw, table: Table) -> None:
        self._policy = policy
        self._table = table
        self._n_decisions = 0
        self.scores: list[float] = []

    def decide(self, view: StudyView) -> Sequence[Action]:
        """As the policy does."""
        self._n_decisions += view.n_free > 0
        if view.n_free and self._n_decisions % 40 == 0 and len(view.trials) >= self._policy.n_first:
            runs = list(view.current().values())
            for kind in WARPS:
                picture = Picture.of(view, self._policy.sampler, runs, kind)
                if picture is not None:
                    scores = standard_scores(picture.model, runs, picture.x, self._truth)
                    self.scores += scores.tolist()
        return self._policy.decide(view)

    def _truth(self, run: Run, step: int) -> float:
        point = self._table.find(run.params)
        row = self._table.rows[point or 0][0]
        return float(self._table.losses[row, step - 1])


def with_optuna(table: Table, job: Job) -> tuple[np.ndarray, np.ndarray]:
    """Optuna's multivariate TPE, plain or under its Hyperband pruner; regret after each step."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    units = table.units()
    x = Encoding(table.space, units).rows(units)
    space = {f"x{j}": optuna.distributions.FloatDistribution(0.0, 1.0) for j in range(x.shape[1])}
    last = table.max_steps
    pruner: optuna.pruners.BasePruner = optuna.pruners.NopPruner()
    if job.policy.endswith("hyperband"):
        pruner = optuna.pruners.HyperbandPruner(1, last, 3)
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=job.seed, multivariate=True), pruner=pruner
    )
    rng = np.random.default_rng(job.seed)
    free = np.ones(len(x), dtype=bool)
    losses: list[float] = []
    asked_ms = []
    budget = round(job.budget * last)
    while len(losses) < budget and free.any():
        began_s = time.process_time()
        trial = study.ask(space)
        asked_ms.append(1e3 * (time.process_time() - began_s))
        wanted = np.array([trial.params[name] for name in space])
        places = np.flatnonzero(free)
        point = int(places[np.argmin(((x[places] - wanted) ** 2).sum(axis=1))])
        free[point] = False
        row = int(rng.choice(table.rows[point]))
        state, best = optuna.trial.TrialState.COMPLETE, math.inf
        for step in range(1, int(table.n_steps[row]) + 1):
            loss = float(table.losses[row, step - 1])
            losses.append(loss)
            if not math.isfinite(loss):
                state = optuna.trial.TrialState.FAIL
                break
            best = min(best, loss)
            trial.report(loss, step)
            if step < last and trial.should_prune():
                state = optuna.trial.TrialState.PRUNED
                break
        study.tell(trial, best if state == optuna.trial.TrialState.COMPLETE else None, state=state)
    seen = np.full(budget, np.inf)
    seen[: len(losses)] = np.where(np.isfinite(losses), losses, np.inf)[:budget]
    lowest = np.minimum.accumulate(seen)
    return table.regret(np.where(np.isinf(lowest), np.nan, lowest)), np.array(asked_ms)


def jobs(options: argparse.Namespace) -> Iterator[Job]:
    """All searches asked for, seed by seed, so that an unfinished file is balanced."""
    has_optuna = importlib.util.find_spec("optuna") is not None
    if not has_optuna:
        print("optuna is not installed: left out", file=sys.stderr)
    tasks = [(folder, task) for folder in options.tables for task in tables_of(Path(folder))]
    if options.every > 1:
        tasks = tasks[:: options.every]
    known = [p for p in options.policies if p not in PEERS or has_optuna]
    for seed, budget, workers, policy, (folder, task) in itertools.product(
        range(options.seeds), options.budgets, options.workers, known, tasks
    ):
        if policy not in PEERS or workers == 1:
            yield Job(folder, task, policy, budget, workers, seed)


def read(path: Path) -> list[dict[str, Any]]:
    """The lines written so far; a torn last line is left out."""
    lines = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue
    return lines


def holm(p_values: list[float]) -> list[float]:
    """Adjusted for the number of comparisons (Holm 1979)."""
    order = np.argsort(p_values)
    adjusted = [1.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = highest
    return adjusted


def interval(by_task: dict[str, list[float]], rng: np.random.Generator) -> tuple[float, float]:
    """95 % bootstrap interval of the mean over tasks: tasks drawn first, then their seeds."""
    tasks = list(by_task)
    means = []
    for _ in range(1000):
        drawn = rng.choice(len(tasks), len(tasks))
        means.append(np.mean([np.mean(rng.choice(by_task[tasks[t]], len(by_task[tasks[t]])))
                              for t in drawn]))  # fmt: skip
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def report(lines: list[dict[str, Any]]) -> str:
    """Markdown: a table for each family, budget and number of workers."""
    parts = []
    for line in lines:
        line["family"] = line["task"].rpartition("/")[0]
    cases = sorted({(line["family"], line["budget"], line["workers"]) for line in lines})
    for family, budget, workers in cases:
        chosen = [line for line in lines if (line["family"], line["budget"], line["workers"])
                  == (family, budget, workers)]  # fmt: skip
        parts.append(_section(family, budget, workers, chosen))
    return "\n\n".join(parts)


def _section(family: str, budget: float, workers: int, lines: list[dict[str, Any]]) -> str:
    from scipy.stats import rankdata, wilcoxon

    rng = np.random.default_rng(0)
    values: dict[str, dict[str, list[float]]] = {}
    for line in lines:
        values.setdefault(line["policy"], {}).setdefault(line["task"], []).append(line["anytime"])
    common = sorted(set.intersection(*(set(tasks) for tasks in values.values())))
    means = {p: np.array([np.mean(values[p][task]) for task in common]) for p in values}
    ranks = dict(zip(means, rankdata(np.array(list(means.values())), axis=0).mean(axis=1),
                     strict=True))  # fmt: skip
    ours = "freeze-thaw"
    others = [p for p in means if p != ours]
    tests = {}
    if ours in means and len(common) > 1:
        found = [float(wilcoxon(means[ours], means[p]).pvalue) if (means[ours] != means[p]).any()
                 else 1.0 for p in others]  # fmt: skip
        tests = dict(zip(others, holm(found), strict=True))
    n_seeds = min(len(seeds) for of_one in values.values() for seeds in of_one.values())
    out = [
        f"### {family}, budget {budget:g} full runs, {workers} workers "
        f"({len(common)} tasks, {n_seeds} or more seeds)",
        "",
        "| searcher | anytime regret [95 %] | 10 % | 30 % | 100 % | mean rank "
        "| worse than freeze-thaw on tasks | Wilcoxon, Holm | CPU ms p50 / p95 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for policy in sorted(means, key=lambda p: float(means[p].mean())):
        own = [line for line in lines if line["policy"] == policy and line["task"] in common]
        low, high = interval({task: values[policy][task] for task in common}, rng)
        shares = [np.mean([line[f"r{p}"] for line in own]) for p in (10, 30, 100)]
        beaten = f"{(means[policy] > means[ours]).sum()} of {len(common)}" if ours in means else ""
        p_value = f"{tests[policy]:.2g}" if policy in tests else ""
        ms = [np.mean([line[f"decision_ms_{q}"] for line in own if line[f"decision_ms_{q}"]])
              for q in ("p50", "p95")]  # fmt: skip
        out.append(
            f"| {policy} | {means[policy].mean():.3f} [{low:.3f}, {high:.3f}] | "
            + " | ".join(f"{share:.3f}" for share in shares)
            + f" | {ranks[policy]:.2f} | {'' if policy == ours else beaten} | {p_value} | "
            f"{ms[0]:.1f} / {ms[1]:.1f} |"
        )
    predicted = sum(line["predicted"] for line in lines)
    if predicted:
        covered = sum(line["covered"] for line in lines)
        out += ["", f"80 % intervals of freeze-thaw covered {100 * covered / predicted:.0f} % of "
                    f"{predicted} later readings."]  # fmt: skip
    return "\n".join(out)


def main() -> None:
    """Run what is missing, then report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tables", action="append", default=[], help="folder of tables")
    parser.add_argument("--out", required=True, help="file of JSON lines to append to")
    parser.add_argument("--policies", nargs="+", default=[*OURS, *PEERS])
    parser.add_argument("--budgets", nargs="+", type=float, default=[5.0, 20.0, 50.0])
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--every", type=int, default=1, help="take every n-th task only")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--report", action="store_true", help="only report what is in the file")
    options = parser.parse_args()
    path = Path(options.out)
    if not options.report:
        done = {tuple(line[k] for k in KEYS) for line in read(path)}
        missing = [job for job in jobs(options) if job.key not in done]
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(name, "1")  # the processes begin after this
        with get_context("spawn").Pool(options.jobs) as pool, path.open("a") as file:
            for i, line in enumerate(pool.imap_unordered(run, missing), 1):
                file.write(json.dumps(line) + "\n")
                file.flush()
                print(f"\r{i} of {len(missing)}", end="", file=sys.stderr)
        print(file=sys.stderr)
    print(report(read(path)))


if __name__ == "__main__":
    main()
