"""What stopping early saved in a study, and what it may have cost.

The cost is estimated from the runs that were trained to the end. Their final losses are regressed
on their standing at the step where a run was left (normal scores of ranks, among all runs that came
so far; the slope is not let below zero). Selection by that standing does not bias the regression.
What the runs left might have become is drawn from its predictive distribution, so that few
finished runs give wide answers.
"""

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.contracts import Store
from luthier.core.action import Pause, Stop
from luthier.core.study import Run, RunState, StudyView
from luthier.policies.autopilot.logbook import is_probe
from luthier.policies.chance import normal_scores
from luthier.policies.rungs import standing

N_DRAWS = 4000
N_LEAST = 5  # finished runs with a number, below which nothing is estimated


@final
@dataclass(frozen=True, slots=True)
class WhatIf:
    """What stopping early saved and may have cost; losses are differences, never negative."""

    study: str
    metric: str
    best: float  # as reported
    full_steps: float  # of one full training
    n_completed: int
    n_finished: int  # of them those with a number that the others can be compared to
    n_left: int  # stopped or paused for good before their last step
    steps_spent: float
    steps_saved: float
    seconds_spent: float
    seconds_saved: float
    recorded_p_best: float | None  # sum over the runs left, as recorded when they were
    p_better: float | None  # chance that any of them would have beaten the best
    missed: float | None  # expected improvement of the metric by training them all
    missed_90: float | None  # exceeded with a chance of one in ten
    left: tuple["Left", ...]


@final
@dataclass(frozen=True, slots=True)
class Left:
    """One run that was left before its last step."""

    trial: int
    run: str
    step: float
    value: float | None  # the metric there; None when nothing was reported
    reason: str
    recorded_p_best: float | None
    p_better: float | None  # chance that it would have beaten the study's best; None: unknown


def balance(store: Store, seed: int = 0) -> WhatIf:
    """Balance of a study; `seed` is that of the draws."""
    view = store.view()
    runs = list(view.current().values())
    done = [r for r in runs if r.state is RunState.COMPLETED and math.isfinite(_best(r))]
    full = view.study.max_steps or max((r.step for r in done), default=0.0)
    runs = [run for run in runs if not is_probe(run)]
    left = [r for r in runs if r.state in (RunState.STOPPED, RunState.PAUSED) and r.step < full]
    furthest = max((r.step for r in left), default=0.0)
    finished = [r for r in done if r.step >= furthest]  # the others cannot be compared at its step
    recorded = _recorded(store)
    best = view.best()
    best_loss = best.best_loss if best else math.nan
    pace_s = _seconds_per_step(view)
    drawn, p_better = None, {}
    seen = [run for run in left if len(run.curve)]  # of the others nothing can be said
    if seen and len(finished) >= N_LEAST:
        rng = np.random.default_rng(seed)
        drawn = _draws(seen, runs, finished, rng)
        p_better = dict(zip([r.id for r in seen], (drawn < best_loss).mean(axis=1), strict=True))
        gain = np.maximum(best_loss - drawn.min(axis=0), 0.0)
    return WhatIf(
        study=view.study.name,
        metric=view.study.metric,
        best=view.study.loss(best_loss),
        full_steps=full,
        n_completed=sum(r.state is RunState.COMPLETED for r in runs),
        n_finished=len(finished),
        n_left=len(left),
        steps_spent=sum(_own_steps(run) for run in view.runs.values()),
        steps_saved=sum(full - run.step for run in left),
        seconds_spent=sum(run.train_s for run in view.runs.values()),
        seconds_saved=sum((full - run.step) * pace_s.get(run.id, 0.0) for run in left),
        recorded_p_best=sum(recorded[r.id] for r in left if r.id in recorded) if recorded else None,
        p_better=float((gain > 0).mean()) if drawn is not None else None,
        missed=float(gain.mean()) if drawn is not None else None,
        missed_90=float(np.quantile(gain, 0.9)) if drawn is not None else None,
        left=tuple(
            Left(
                run.trial, run.id, run.step,
                view.study.loss(run.curve.last) if len(run.curve) else None, run.reason,
                recorded.get(run.id), float(p_better[run.id]) if run.id in p_better else None,
            )
            for run in left
        ),
    )  # fmt: skip


def _draws(
    left: list[Run], runs: list[Run], finished: list[Run], rng: np.random.Generator
) -> NDArray[np.float64]:  # (n_left, N_DRAWS)
    """Final losses that the runs left might have come to.

    One draw is one possible regression, the same for all runs, and each run's own luck.
    """
    y = np.array([_best(r) for r in finished])
    n = len(y)
    spread_of_sd = np.sqrt((n - 2) / rng.chisquare(n - 2, size=N_DRAWS))
    of_mean, of_slope = rng.standard_normal((2, N_DRAWS))
    luck = rng.standard_normal((len(left), N_DRAWS))
    drawn = np.empty((len(left), N_DRAWS))
    at_step = {step: _scores(runs, step) for step in {run.step for run in left}}
    for row, run in enumerate(left):
        score = at_step[run.step]
        x = np.array([score[r.id] for r in finished])
        squares = float(((x - x.mean()) ** 2).sum()) or math.inf  # all alike: no slope to be seen
        slope = max(0.0, float((x - x.mean()) @ y) / squares)
        rest = y - y.mean() - slope * (x - x.mean())
        sd = math.sqrt(float(rest @ rest) / (n - 2)) * spread_of_sd
        slopes = np.maximum(0.0, slope + sd / math.sqrt(squares) * of_slope)
        means = y.mean() + sd / math.sqrt(n) * of_mean + slopes * (score[run.id] - x.mean())
        drawn[row] = means + sd * luck[row]
    return drawn


def _scores(runs: list[Run], step: float) -> dict[str, float]:
    """Normal scores of all runs that came to the step, by id."""
    there = [run for run in runs if run.step >= step]
    scores = normal_scores(np.array([standing(run, step) for run in there]))
    return {run.id: float(score) for run, score in zip(there, scores, strict=True)}


def _best(run: Run) -> float:
    return run.best_loss


def _own_steps(run: Run) -> float:
    return run.step - (run.parent.step if run.parent else 0.0)


def _seconds_per_step(view: StudyView) -> dict[str, float]:
    """Of each run that trained at all."""
    runs = view.runs.values()
    return {run.id: run.train_s / own for run in runs if (own := _own_steps(run)) > 0}


def _recorded(store: Store) -> dict[str, float]:
    """The newest chance that was recorded for each run."""
    found: dict[str, float] = {}
    for entry in store.diary():
        if isinstance(entry.action, Pause | Stop) and entry.action.p_best is not None:
            found[entry.run_id] = entry.action.p_best
    return found
