"""SMAC3's multi-fidelity facade: Hyperband with a random forest.

`ask` and `tell` of (configuration, budget). SMAC keeps account of its own configurations, so it is
told the row's value under its own point. The same configuration at a larger budget is the same
trial, trained on. Divergence: the limit as its cost. `n_trials`, from which SMAC takes the size of
its first design, is the budget in steps.
"""

import tempfile
from collections.abc import Hashable
from typing import Any

import numpy as np
from curves import Curves
from numpy.typing import NDArray
from pool import Ask, Searcher
from serve import serve


class _Smac:
    def __init__(self, facade: Any, columns: list[str], folder: Any) -> None:  # noqa: ANN401
        from smac.runhistory.dataclasses import TrialValue

        self._value = TrialValue
        self._facade = facade
        self._columns = columns
        self._folder = folder  # lives as long as the search
        self._asked: dict[Hashable, Any] = {}

    def ask(self) -> Ask:
        asked = self._facade.ask()
        place = np.array([asked.config[name] for name in self._columns])
        trial = tuple(place.tolist())
        self._asked[trial] = asked
        return Ask(trial, max(1, round(asked.budget)), place)

    def place(self, trial: Hashable, x: NDArray[np.float64]) -> None:
        """SMAC would not know the row as its own."""

    def report(self, trial: Hashable, step: int, loss: float) -> bool:
        return True

    def end(self, trial: Hashable, step: int, best: float, *, diverged: bool) -> None:
        self._facade.tell(self._asked[trial], self._value(cost=best), save=False)


def make(curves: Curves, seed: int, workers: int, budget: int) -> Searcher:
    """The facade with its defaults, budgets from one step to a full training."""
    from ConfigSpace import ConfigurationSpace
    from smac import MultiFidelityFacade, Scenario

    columns = [f"x{j}" for j in range(curves.x.shape[1])]
    space = ConfigurationSpace(dict.fromkeys(columns, (0.0, 1.0)), seed=seed)
    folder = tempfile.TemporaryDirectory()
    scenario = Scenario(
        space, deterministic=True, n_trials=budget, min_budget=1, max_budget=curves.max_steps,
        seed=seed, output_directory=folder.name,
    )  # fmt: skip
    facade = MultiFidelityFacade(
        scenario, lambda config, seed=0, budget=0: 0.0, overwrite=True, logging_level=False
    )
    return _Smac(facade, columns, folder)


if __name__ == "__main__":
    serve({"smac": make})
