"""Optuna: TPE alone and under its pruners, and its Gaussian process (full trainings).

`ask`, `report`, `should_prune`, `tell`. A draw is put back as failed, which Optuna's samplers and
pruners leave out, and the row that it went to is enqueued and asked for: Optuna is told the row.
A trial that was pruned is over. Divergence: a failed trial, and the report is left out. Several
workers: a constant liar for TPE.
"""

import warnings
from collections.abc import Hashable
from functools import partial
from typing import Any

import numpy as np
from curves import Curves
from numpy.typing import NDArray
from pool import Ask, Searcher
from serve import serve


class _Optuna:
    def __init__(self, study: Any, curves: Curves) -> None:  # noqa: ANN401
        from optuna.distributions import FloatDistribution
        from optuna.trial import TrialState

        self._states = TrialState
        self._study = study
        self._last = curves.max_steps
        self._space = {f"x{j}": FloatDistribution(0.0, 1.0) for j in range(curves.x.shape[1])}
        self._trials: dict[Hashable, Any] = {}

    def ask(self) -> Ask:
        drawn = self._study.ask(self._space)
        place = np.array([drawn.params[name] for name in self._space])
        self._study.tell(drawn, state=self._states.FAIL)
        return Ask(drawn.number, self._last, place)

    def place(self, trial: Hashable, x: NDArray[np.float64]) -> None:
        self._study.enqueue_trial(dict(zip(self._space, map(float, x), strict=True)))
        self._trials[trial] = self._study.ask(self._space)

    def report(self, trial: Hashable, step: int, loss: float) -> bool:
        asked = self._trials[trial]
        asked.report(loss, step)
        if step < self._last and asked.should_prune():
            self._study.tell(asked, state=self._states.PRUNED)
            return False
        return True

    def end(self, trial: Hashable, step: int, best: float, *, diverged: bool) -> None:
        if diverged:
            self._study.tell(self._trials[trial], state=self._states.FAIL)
        else:
            self._study.tell(self._trials[trial], best)


def make(kind: str, curves: Curves, seed: int, workers: int, budget: int) -> Searcher:
    """A study in memory with the sampler and the pruner that `kind` names."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    if kind == "gp":
        sampler: Any = optuna.samplers.GPSampler(seed=seed)
    else:
        sampler = optuna.samplers.TPESampler(
            seed=seed, multivariate=True, constant_liar=workers > 1
        )
    pruner: Any = optuna.pruners.NopPruner()
    if kind == "hyperband":
        pruner = optuna.pruners.HyperbandPruner(1, curves.max_steps, 3)
    elif kind == "halving":
        pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)
    return _Optuna(optuna.create_study(sampler=sampler, pruner=pruner), curves)


if __name__ == "__main__":
    serve({
        "optuna-tpe": partial(make, "tpe"),
        "optuna-tpe-hyperband": partial(make, "hyperband"),
        "optuna-tpe-halving": partial(make, "halving"),
        "optuna-gp": partial(make, "gp"),
    })  # fmt: skip
