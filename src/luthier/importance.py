"""Which parameters matter: their share in the variance of the objective, with its uncertainty.

A forest is fitted to the trials; the share of a parameter is its total effect (Jansen's estimator)
on that forest over the whole space, interactions included, so shares may add up to more than 1.
The error is the standard deviation over bootstrap samples of the trials, each with a forest of its
own. Losses are taken by their rank, so that one run that diverged does not outweigh all others.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.core.study import Run, RunState, StudyView
from luthier.forest import grow, predict

METHOD = "total effect on a random forest of normal scores, error by bootstrap"
N_LEAST = 10  # trials, below which nothing is said
_N_MOST = 400  # trials that are looked at: drawn evenly from all
_N_SAMPLES, _N_TREES, _N_POINTS = 20, 4, 512
_KEY = 0x1A  # of the random numbers


@final
@dataclass(frozen=True, slots=True)
class Importance:
    """One parameter: its share of the variance, 0 to 1, and the standard error of it."""

    name: str
    value: float
    error: float


def importances(view: StudyView) -> list[Importance]:
    """All searched parameters, the most important first; empty with fewer than N_LEAST trials."""
    names = view.study.space.names
    told = [run for run in view.results().values() if _tells(run)]
    if len(told) < N_LEAST or not names:
        return []
    rng = view.study.rng(_KEY)
    if len(told) > _N_MOST:
        told = [told[i] for i in np.sort(rng.choice(len(told), _N_MOST, replace=False))]
    x = np.array([view.study.space.to_unit(_point(view, run)) for run in told])
    y = _scores(np.array([run.best_loss for run in told]))
    shares = np.array([_shares(x, y, rng) for _ in range(_N_SAMPLES)])  # (n_samples, d)
    means, errors = shares.mean(axis=0), shares.std(axis=0, ddof=1)
    found = [
        Importance(n, float(m), float(e)) for n, m, e in zip(names, means, errors, strict=True)
    ]
    return sorted(found, key=lambda one: -one.value)


def _tells(run: Run) -> bool:
    """A run that is done or was left says something; so does one that gave nothing but NaN."""
    return (run.state.ended or run.state is RunState.PAUSED) and len(run.own_curve) > 0


def _point(view: StudyView, run: Run) -> dict[str, object]:
    """Its trial's point: what was changed while it trained is not where it came from."""
    space = view.study.space
    return {k: v for k, v in view.trials[run.trial].params.items() if k in space.domains}


def _scores(losses: NDArray[np.float64]) -> NDArray[np.float64]:  # (n,), NaN is the worst
    _, which, n_equal = np.unique(
        np.where(np.isnan(losses), math.inf, losses), return_inverse=True, return_counts=True
    )
    ranks = (np.cumsum(n_equal) - (n_equal - 1) / 2)[which]  # equals share their mean rank
    places = (ranks - 0.375) / (len(ranks) + 0.25)
    normal = NormalDist()  # SciPy has this too, and takes a second to import
    return np.array([normal.inv_cdf(place) for place in places])


def _shares(
    x: NDArray[np.float64], y: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:  # (d,)
    """Total effects on a forest of one bootstrap sample."""
    drawn = rng.integers(len(y), size=len(y))
    trees = [grow(x[drawn], y[drawn], rng) for _ in range(_N_TREES)]
    d = x.shape[1]
    points, others = rng.random((2, _N_POINTS, d))
    moved = np.repeat(points[None], d, axis=0)
    moved[np.arange(d), :, np.arange(d)] = others.T
    here = predict(trees, points)
    there = predict(trees, moved.reshape(-1, d)).reshape(d, -1)
    variance = float(here.var())
    if variance <= 0.0:
        return np.zeros(d)
    shares: NDArray[np.float64] = np.clip(((there - here) ** 2).mean(axis=1) / 2 / variance, 0, 1)
    return shares
