"""Population-based training (Jaderberg et al. 2017, arXiv:1711.09846).

A population trains side by side. Every `interval` steps a run among the worst is stopped, and its
place goes to a fork of one of the best, with the parameters that are `live` changed a little. What
comes out is a schedule: `schedule` reads it off, `Replay` trains by it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from luthier.contracts import Sampler
from luthier.core.action import Action, Change, Continue, Fork, Start, Stop
from luthier.core.domain import Float, Int, Value
from luthier.core.errors import PolicyError
from luthier.core.script import root_of, script_of
from luthier.core.space import Space
from luthier.core.study import Run, RunState, StudyView
from luthier.policies.chance import chance_of_best
from luthier.policies.drawing import draw
from luthier.policies.rungs import last_step, ranked, standing

FACTORS = (0.8, 1.2)
_N_TRIES = 16  # for changes that change something and meet the constraints
_GONE = (RunState.STOPPED, RunState.FAILED, RunState.LOST)


@final
@dataclass(frozen=True, slots=True)
class PopulationBased:
    """`n_population` runs; the worst and best `quantile` exchange; `interval` in steps.

    The interval is a tenth of the training unless given. A fork is a new trial and counts in a
    budget of trials. `resample`: how often a parameter is drawn anew instead of changed by a fifth.
    """

    sampler: Sampler
    n_population: int = 8
    interval: int | None = None
    quantile: float = 0.25
    resample: float = 0.25

    def decide(self, view: StudyView) -> Sequence[Action]:
        """The population first, then whoever waits, the least trained first."""
        last = last_step(view)
        space = view.study.space
        if not any(space.domains[name].live for name in space.names):
            raise PolicyError(
                "population-based training changes parameters while runs train, and the space has "
                "none that may; declare such as Float(1e-4, 1, log=True, live=True)."
            )
        fixed = [run.id for run in view.runs.values() if not run.pausable]
        if fixed:
            raise PolicyError(
                f"population-based training pauses and forks runs, and run {fixed[0]} cannot be "
                "saved; write run.attach(model=model, …) before the loop over run.steps()."
            )
        interval = self.interval or max(1, last // 10)
        runs = list(view.current().values())
        n_first = sum(run.parent is None and run.attempt == 0 for run in view.runs.values())
        n_missing = max(0, self.n_population - n_first)
        points = draw(view, self.sampler, min(view.n_free, view.n_new, n_missing))
        actions: list[Action] = [
            Start(params=p, to_step=min(interval, last), reason="new-point") for p in points
        ]
        n_trials, n_new = len(view.trials) + len(points), view.n_new - len(points)
        n_free = view.n_free - len(points)
        waiting = [r for r in runs if r.state is RunState.PAUSED and r.to_step <= r.step < last]
        for run in sorted(waiting, key=lambda run: (run.step, run.trial))[: max(0, n_free)]:
            fork = self._fork(view, run, runs, n_trials, interval) if n_new > 0 else None
            if fork is None:
                to_step = min(run.step + interval, last)
                actions.append(Continue(run_id=run.id, to_step=to_step, reason="next-interval"))
            else:
                p_best = chance_of_best(view, run, run.step)
                actions += [Stop(run_id=run.id, reason="replaced", p_best=p_best), fork]
                n_trials, n_new = n_trials + 1, n_new - 1
        return actions

    def _fork(
        self, view: StudyView, run: Run, runs: Sequence[Run], number: int, interval: int
    ) -> Fork | None:
        """What takes the place of a run that is among the worst; None when it is not."""
        there = ranked((r for r in runs if r.step >= run.step and r.state not in _GONE), run.step)
        n_cut = int(self.quantile * len(there)) or 1
        if len(there) < max(2, self.n_population // 2) or run.id not in {
            r.id for r in there[-n_cut:]
        }:
            return None
        worse_than = standing(run, run.step)
        best = [r for r in there[:n_cut] if standing(r, run.step) < worse_than
                and r.latest and r.latest.step < last_step(view)]  # fmt: skip
        if not best:
            return None
        rng = view.study.rng(number, 2)
        model = best[int(rng.integers(len(best)))]
        params = changed(view.study.space, model.params, rng, self.resample)
        if params is None or model.latest is None:
            return None
        at = model.latest.step
        to_step = min(at + interval, last_step(view))
        return Fork(run_id=model.id, at_step=at, to_step=to_step, params=params, reason="exploit")


def changed(
    space: Space, params: Mapping[str, Value], rng: np.random.Generator, resample: float
) -> dict[str, Value] | None:
    """New values of the live parameters; None when none was found that differs and is allowed."""
    names = [name for name in space.names if space.domains[name].live and name in params]
    for _ in range(_N_TRIES):
        values = {name: _changed(space, name, params[name], rng, resample) for name in names}
        point = {**params, **values}
        if point != dict(params) and space.feasible(point):
            return values
    return None


def _changed(
    space: Space, name: str, value: Value, rng: np.random.Generator, resample: float
) -> Value:
    domain = space.domains[name]
    if rng.random() < resample or not isinstance(domain, Float | Int):
        return domain.from_unit(rng.random())
    moved = value * FACTORS[int(rng.integers(2))]
    return domain.from_unit(domain.to_unit(min(max(moved, domain.low), domain.high)))


Schedule = tuple[tuple[float, Mapping[str, Value]], ...]  # (from this step on, parameters)


def schedule(view: StudyView, run: Run) -> Schedule:
    """The parameters that led to a run, from step 0 on: its ancestors', and all live changes."""
    parts = {0.0: dict(view.trials[root_of(view, run.id).trial].params)}
    now = parts[0.0]
    for step, params in script_of(view, view.diary, run.id):
        now = parts[step] = {**now, **params}
    return tuple(parts.items())


@final
@dataclass(frozen=True, slots=True)
class Replay:
    """Trains one run by a schedule."""

    parts: Schedule

    def decide(self, view: StudyView) -> Sequence[Action]:
        """The start, and at each change the new values."""
        last = float(last_step(view))
        ends = [*(step for step, _ in self.parts[1:]), last]
        if not view.runs:
            if not (view.n_free and view.n_new):
                return []
            return [Start(params=self.parts[0][1], to_step=ends[0], reason="schedule")]
        run = view.current()[0]
        waits = run.state is RunState.PAUSED and run.to_step <= run.step < last
        if not waits or not view.n_free:
            return []
        now = sum(step <= run.step for step, _ in self.parts) - 1
        wanted = self.parts[now][1]
        new = {k: v for k, v in wanted.items() if run.params.get(k) != v}
        change: list[Action] = [Change(run_id=run.id, params=new, reason="schedule")] if new else []
        return [*change, Continue(run_id=run.id, to_step=ends[now], reason="schedule")]
