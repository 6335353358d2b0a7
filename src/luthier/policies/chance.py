"""The chance that a run would have become the best, had it been trained to its end.

    n   trials that the study will have: those of its budget, or as many as will come of it at the
        rate so far
    z   normal score of the run's rank (0 the middle, low is good) among all that came to its step,
        with those that were left before it behind them
    r   correlation of those scores with the final ones, from the runs that were trained to the end
    p   = Phi((q - r z) / sqrt(1 - r^2)),  q = Phi^-1(1 / n)

A Gaussian copula: ranks only, so a metric's scale, outliers and runs that diverged do no harm, and
the chances of n runs add up to about 1. The runs trained to the end are the good ones; their r is
corrected for that (Thorndike's case 2), and drawn towards `PRIOR_R` while they are few.
"""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from luthier.core.study import Run, RunState, StudyView
from luthier.policies.purse import own_steps, whole_for
from luthier.policies.rungs import standing

# What is believed of r before any run has finished, and how many runs that belief is worth.
PRIOR_R, PRIOR_N = 0.5, 4
_NORMAL = NormalDist()


def chance_of_best(view: StudyView, run: Run, step: float) -> float:
    """Chance in [0, 1] as it looks at `step`, which the run has reached."""
    return chances_at(view, step)[run.id]


def chances_at(view: StudyView, step: float) -> dict[str, float]:
    """Of all runs that came to a step, or broke, by id."""
    runs = view.current().values()
    there = [r for r in runs if r.step >= step or r.state in (RunState.FAILED, RunState.LOST)]
    n_behind = sum(r.step < step and r.state in (RunState.PAUSED, RunState.STOPPED) for r in runs)
    n = max(len(there) + n_behind, _n_expected(view))
    if n == 1:
        return {run.id: 1.0 for run in there}
    scores = normal_scores(np.array([standing(r, step) for r in there] + [math.inf] * n_behind))
    done = [i for i, r in enumerate(there) if r.state is RunState.COMPLETED]
    finals = np.array([there[i].best_loss for i in done])
    r = correlation(scores[: len(there)], done, np.where(np.isfinite(finals), finals, math.inf))
    threshold, width = _NORMAL.inv_cdf(1.0 / n), math.sqrt(1.0 - r * r)
    return {
        run.id: _NORMAL.cdf((threshold - r * score) / width)
        for run, score in zip(there, scores.tolist(), strict=False)  # those behind have none
    }


def _n_expected(view: StudyView) -> int:
    """Trials that the study will come to."""
    n = len(view.trials)
    if view.study.budget.n_trials is not None:
        return max(n, view.study.budget.n_trials)
    whole = whole_for(view, view.n_free + n)
    spent = sum(own_steps(run) for run in view.runs.values())
    return n if not (whole and spent) else max(n, round(n * whole / spent))


def normal_scores(losses: NDArray[np.float64]) -> NDArray[np.float64]:  # (n,)
    """Ranks as quantiles of a standard normal; equal losses share the middle of their ranks."""
    _, which, counts = np.unique(losses, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    scores = [_NORMAL.inv_cdf((rank - 0.5) / len(losses)) for rank in ranks]
    return np.array(scores)[which]


def correlation(
    scores: NDArray[np.float64],  # (n,) of all runs at the step
    done: list[int],  # those of them that were trained to the end
    finals: NDArray[np.float64],  # (len(done),) their final losses
) -> float:
    """Correlation of early and final standing in [0, 1), as if all runs had been trained on."""
    n = len(done)
    early, late = scores[done], normal_scores(finals) if n else finals
    weight, z = 0, 0.0
    if n > 3 and early.std() > 0 and late.std() > 0:
        r = float(np.corrcoef(early, late)[0, 1])
        wider = float(scores.std() / early.std())
        r = r * wider / math.sqrt(1.0 + r * r * (wider * wider - 1.0))
        weight, z = n - 3, math.atanh(min(max(r, -0.999), 0.999))
    z = (weight * z + PRIOR_N * math.atanh(PRIOR_R)) / (weight + PRIOR_N)
    return max(0.0, math.tanh(z))
