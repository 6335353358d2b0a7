"""Searches replayed on tables of stored curves, through the real tuner loop, in simulated time."""

import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.contracts import Policy
from luthier.core.action import Action, Fork, Start
from luthier.core.budget import Budget
from luthier.core.space import Space
from luthier.core.study import Study, StudyView
from luthier.executors.replay import ReplayExecutor
from luthier.registry import make_policy
from luthier.samplers.pool import Pool
from luthier.stores.memory import MemoryStore
from luthier.tables import Table
from luthier.tuner import Tuner


@final
@dataclass(frozen=True, eq=False)
class Outcome:
    """What one simulated search brought."""

    regret: NDArray[np.float64]  # (budget in steps,) of the best seen, after each training step
    decision_ms: NDArray[np.float64]  # CPU of each decision for a place that was free
    peak_mb: float  # of this process, so far
    n_trials: int
    elapsed_s: float  # simulated
    view: StudyView
    target_step: int | None = None  # of all steps trained the first after which it was reached

    @property
    def anytime(self) -> float:
        """Mean regret over the steps of the budget."""
        return float(self.regret.mean())

    def at(self, share: float) -> float:
        """Regret when this share of the budget is spent."""
        return float(self.regret[max(1, round(share * len(self.regret))) - 1])


@final
class OnTable:
    """A policy held to a table: each start goes to the nearest point of which nothing is known.

    The policy sees the point that was really started, as its trial. A start or a change for which
    the table has no point left is dropped.
    """

    def __init__(self, policy: Policy, table: Table) -> None:
        self._policy = policy
        self._table = table
        self._units = table.units()
        self._free = np.ones(len(table.points), dtype=bool)
        self._n_seen = 0
        self.decision_ms: list[float] = []

    def decide(self, view: StudyView) -> Sequence[Action]:
        """What the policy asks for, on the table's points."""
        for number in range(self._n_seen, len(view.trials)):
            found = self._table.find(view.trials[number].params)
            if found is not None:
                self._free[found] = False
        self._n_seen = len(view.trials)
        began_s = time.process_time()
        actions = self._policy.decide(view)
        if view.n_free:
            self.decision_ms.append(1e3 * (time.process_time() - began_s))
        free = self._free.copy()
        held = (self._hold(view, action, free) for action in actions)
        return [action for action in held if action is not None]

    def _hold(self, view: StudyView, action: Action, free: NDArray[np.bool_]) -> Action | None:
        if isinstance(action, Start):
            point = self._nearest(action.params, free)
            if point is None:
                return None
            free[point] = False
            return replace(action, params=self._table.points[point])
        if isinstance(action, Fork) and action.params:
            wanted = {**view.runs[action.run_id].params, **action.params}
            point = self._nearest(wanted, free)
            return None if point is None else replace(action, params=self._table.points[point])
        return action

    def _nearest(self, params: object, free: NDArray[np.bool_]) -> int | None:
        places = np.flatnonzero(free)
        if not len(places):
            return None
        exact = self._table.find(params)  # type: ignore[arg-type]
        if exact is not None and free[exact]:
            return exact
        unit = self._table.space.to_unit(params)  # type: ignore[arg-type]
        return int(places[np.argmin(((self._units[places] - unit) ** 2).sum(axis=1))])


def policy_on(table: Table, policy: str, sampler: str = "random") -> Policy:
    """A policy by name; in place of the random sampler it draws from the table's points. "random"
    trains such draws fully."""
    pool = Pool(tuple(map(tuple, table.units().tolist())))
    named = "full" if policy == "random" else policy
    return make_policy(named, pool if sampler == "random" else sampler)


def simulate(
    table: Table,
    policy: Policy,
    *,
    budget_runs: float,
    n_workers: int = 1,
    seed: int = 0,
    space: Space | None = None,
) -> Outcome:
    """Search a table within `budget_runs` full trainings' worth of steps.

    `space`: the table's space with other priors.
    """
    n_steps = max(1, round(budget_runs * table.max_steps))
    study = Study(
        "simulation", space or table.space, table.metric, table.goal, table.max_steps, seed,
        Budget(n_steps=n_steps),
    )  # fmt: skip
    store = MemoryStore(study)
    executor = ReplayExecutor(table, n_workers)
    held = OnTable(policy, table)
    trace = _Trace(n_steps)
    try:
        tuner = Tuner(store, held, executor, observe=trace.look, clock=executor.clock)
        view = tuner.run()
    finally:
        store.close()
    best = trace.best()
    reached = np.flatnonzero(best <= (-np.inf if table.target is None else table.target))
    return Outcome(
        table.regret(best), np.array(held.decision_ms), _peak_mb(), len(view.trials),
        view.elapsed_s, view, int(reached[0]) + 1 if len(reached) else None,
    )  # fmt: skip


class _Trace:
    """The best loss seen after each step of the budget."""

    def __init__(self, n_steps: int) -> None:
        self._best = np.full(n_steps, np.nan)
        self._n_seen = 0
        self._lowest = np.inf
        self._steps: dict[str, float] = {}

    def look(self, view: StudyView) -> None:
        """Called with every picture of the study."""
        for run in view.runs.values():
            known = self._steps.get(run.id, run.parent.step if run.parent else 0.0)
            if run.step > known:
                fresh = run.curve.values[np.searchsorted(run.curve.steps, known, side="right") :]
                finite = fresh[np.isfinite(fresh)]
                # of several steps all but the last were without a report
                end = self._n_seen + int(run.step - known)
                self._best[self._n_seen : max(end - 1, 0)] = self._lowest
                if len(finite):
                    self._lowest = min(self._lowest, float(finite.min()))
                self._best[max(end - 1, 0) : end] = self._lowest
                self._n_seen = end
            self._steps[run.id] = max(known, run.step)

    def best(self) -> NDArray[np.float64]:
        """One value per step; what was not spent counts with the last."""
        self._best[self._n_seen :] = self._lowest
        return np.where(np.isinf(self._best), np.nan, self._best)


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
