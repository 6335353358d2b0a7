"""The searches of `benchmarks/search.py`: what to run, our own policies, tables for the peers."""

import itertools
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from peers.line import line_of
from search_venvs import SLOW, VENVS, venv_of

from luthier.core.action import Action
from luthier.core.space import Space
from luthier.core.study import Run, StudyView
from luthier.models.check import standard_scores
from luthier.models.curves import Z80
from luthier.models.encoding import Encoding
from luthier.models.warp import WARPS
from luthier.policies.believed import believed_from
from luthier.policies.freeze_thaw import FreezeThaw
from luthier.policies.hunches import with_hunches
from luthier.policies.picture import Picture
from luthier.simulation import policy_on, simulate
from luthier.table_folder import load_table, tables_of
from luthier.tables import Table

NAMELESS = "freeze-thaw-nameless"  # that sees nothing in the names of parameters
OURS = ("freeze-thaw", NAMELESS, "asha", "hyperband", "halving", "one-epoch", "random")
PEERS = tuple(policy for venv in VENVS.values() for policy in venv.policies)
KEYS = ("task", "policy", "budget", "workers", "seed")


@dataclass(frozen=True)
class Job:
    """One search."""

    folder: str
    name: str  # of the task in its folder
    policy: str
    budget: float  # full trainings
    workers: int
    seed: int

    @property
    def task(self) -> str:
        """Family and task."""
        return f"{Path(self.folder).name}/{self.name}"

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it from the others."""
        return tuple(self.as_line().values())

    def as_line(self) -> dict[str, Any]:
        """The key as the beginning of a line of results."""
        return {"task": self.task, **{k: v for k, v in asdict(self).items() if k in KEYS}}


def jobs(
    folders: Sequence[str], policies: Sequence[str], budgets: Sequence[float],
    workers: Sequence[int], n_seeds: int, n_slow_seeds: int, every: int,
) -> Iterator[Job]:  # fmt: skip
    """All searches asked for, seed by seed, so that an unfinished file is balanced."""
    tasks = [(folder, task) for folder in folders for task in tables_of(Path(folder))][::every]
    for seed, budget, n_workers, policy, (folder, task) in itertools.product(
        range(max(n_seeds, n_slow_seeds)), budgets, workers, policies, tasks
    ):
        if seed >= (n_slow_seeds if policy in SLOW else n_seeds):
            continue
        if policy in PEERS and n_workers > 1 and policy not in venv_of(policy).parallel:
            continue
        yield Job(folder, task, policy, budget, n_workers, seed)


def run(job: Job) -> dict[str, Any]:
    """Search once with a policy of ours; the line for the file."""
    table = load_table(Path(job.folder), job.name)
    if job.policy == NAMELESS:
        table = without_names(table)
    began_s = time.process_time()
    watch = None
    policy = policy_on(table, job.policy.removesuffix("-nameless"))
    if isinstance(policy, FreezeThaw):
        policy = watch = Watch(policy, table)
    outcome = simulate(table, policy, budget_runs=job.budget, n_workers=job.workers, seed=job.seed)
    scores = np.array(watch.scores if watch else [])
    cpu_s = time.process_time() - began_s
    line = line_of(job.as_line(), outcome.regret, outcome.decision_ms, cpu_s)
    return {**line, "covered": int((np.abs(scores) <= Z80).sum()), "predicted": len(scores)}


def without_names(table: Table) -> Table:
    """The same table with parameters called x0, x1, …"""
    new = {name: f"x{i}" for i, name in enumerate(table.space.domains)}
    domains = {
        new[name]: replace(
            domain, when={new[k]: v for k, v in domain.when.items()} if domain.when else None
        )
        for name, domain in table.space.domains.items()
    }
    points = tuple({new[name]: value for name, value in point.items()} for point in table.points)
    return replace(table, space=Space(domains), points=points)


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
            first = believed_from(view, runs)
            for kind in WARPS:
                picture = Picture.of(view, self._policy.sampler, runs, kind, first)
                if picture is not None:
                    scores = standard_scores(picture.model, runs, picture.x, self._truth)
                    self.scores += scores.tolist()
        return self._policy.decide(view)

    def _truth(self, run: Run, step: int) -> float:
        point = self._table.find(run.params)
        row = self._table.rows[point or 0][0]
        return float(self._table.losses[row, step - 1])


def export(jobs: Iterable[Job], folder: Path) -> dict[str, Path]:
    """The tables of these jobs as files of `peers/curves.py`; task -> file."""
    files: dict[str, Path] = {}
    for job in jobs:
        if job.task not in files:
            file = folder / (job.task.replace("/", "--") + ".npz")
            if not file.exists():
                export_table(load_table(Path(job.folder), job.name), file)
            files[job.task] = file
    return files


def export_table(table: Table, file: Path) -> None:
    """Numbers in the cube in which Luthier's model sees them: by their rank among the rows."""
    units = table.units()
    encoding = Encoding(table.space, units)
    best = table.best_losses()
    counts = [len(rows) for rows in table.rows]
    np.savez(
        file, x=encoding.rows(units), first=np.cumsum([0, *counts]),
        row_of=np.concatenate([np.array(rows) for rows in table.rows]),
        losses=table.losses, n_steps=table.n_steps, diverged=table.diverged, step_s=table.step_s,
        prior=_prior(table, encoding), low=float(best.min()),
        middle=float(np.median(best[np.isfinite(best)])),
    )  # fmt: skip


def _prior(table: Table, encoding: Encoding) -> np.ndarray:
    """The place that freeze-thaw's own hunches about names give; NaN in columns without one."""
    space = with_hunches(table.space)
    domains = [space.domains[name] for name in space.names]
    place = np.array([[domain.to_unit(domain.default()) for domain in domains]])
    has_one = np.array([domain.prior is not None for domain in domains])
    return np.where(has_one[encoding.groups], encoding.rows(place)[0], math.nan)
