"""What stopping early saved in a study, and what it may have cost.

The chance that a run which was left would have been the best is that of `policies/chance.py`, as it
looks now that all is known. How much better a new best would have been is told by the best of those
trained to the end: the mean of their normalised spacings (Rényi 1953), which is the scale of an
exponential tail, so that outliers among the poor ones do no harm. Losses with a floor gain less.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

from luthier.contracts import Store
from luthier.core.action import Pause, Stop
from luthier.core.budget import Budget
from luthier.core.study import Run, RunState, StudyView
from luthier.policies.autopilot.logbook import is_probe
from luthier.policies.chance import chances_at

N_LEAST = 3  # finished runs with a number, below which nothing is estimated
_N_SPACINGS = 5  # between the best of them


@final
@dataclass(frozen=True, slots=True)
class WhatIf:
    """What stopping early saved and may have cost; losses are differences, never negative."""

    study: str
    metric: str
    best: float  # as reported
    full_steps: float  # of one full training
    n_completed: int
    n_finished: int  # of them those with a number
    n_left: int  # stopped or paused for good before their last step
    steps_spent: float
    steps_saved: float
    seconds_spent: float
    seconds_saved: float
    recorded_p_best: float | None  # sum over the runs left, each as recorded when it was
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


def balance(store: Store) -> WhatIf:
    """Balance of a study."""
    view = store.view()
    runs = list(view.current().values())
    done = [r for r in runs if r.state is RunState.COMPLETED and math.isfinite(r.best_loss)]
    full = view.study.max_steps or max((r.step for r in done), default=0.0)
    runs = [run for run in runs if not is_probe(run)]
    left = [r for r in runs if r.state in (RunState.STOPPED, RunState.PAUSED) and r.step < full]
    recorded = _recorded(store)
    best = view.best()
    best_loss = best.best_loss if best else math.nan
    pace_s = _seconds_per_step(view)
    seen = [run for run in left if len(run.curve)]  # of the others nothing can be said
    chances: dict[str, float] = {}
    p_better = missed = missed_90 = None
    if seen and len(done) >= N_LEAST:
        whole = replace(view, study=replace(view.study, budget=Budget(n_trials=len(view.trials))))
        at_step = {step: chances_at(whole, step) for step in {run.step for run in seen}}
        chances = {run.id: at_step[run.step][run.id] for run in seen}
        p_better = 1.0 - math.prod(1.0 - p for p in chances.values())
        scale = _scale(sorted(run.best_loss for run in done))
        missed = p_better * scale
        missed_90 = scale * max(0.0, math.log(max(p_better, 0.1) / 0.1))
    return WhatIf(
        study=view.study.name,
        metric=view.study.metric,
        best=view.study.loss(best_loss),
        full_steps=full,
        n_completed=sum(r.state is RunState.COMPLETED for r in runs),
        n_finished=len(done),
        n_left=len(left),
        steps_spent=sum(_own_steps(run) for run in view.runs.values()),
        steps_saved=sum(full - run.step for run in left),
        seconds_spent=sum(run.train_s for run in view.runs.values()),
        seconds_saved=sum((full - run.step) * pace_s.get(run.id, 0.0) for run in left),
        recorded_p_best=sum(recorded[r.id] for r in left if r.id in recorded) if recorded else None,
        p_better=p_better,
        missed=missed,
        missed_90=missed_90,
        left=tuple(
            Left(
                run.trial, run.id, run.step,
                view.study.loss(run.curve.last) if len(run.curve) else None, run.reason,
                recorded.get(run.id), chances.get(run.id),
            )
            for run in left
        ),
    )  # fmt: skip


def _scale(best: Sequence[float]) -> float:
    """By how much a new best beats the last one, on average; `best` from the lowest on."""
    n = min(_N_SPACINGS, len(best) // 2)  # none of the poor half
    return math.fsum((i + 1) * (best[i + 1] - best[i]) for i in range(n)) / n


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
