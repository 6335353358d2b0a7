"""NePS's PriorBand: Hyperband whose points come from a prior, the best so far, or anywhere.

`AskAndTell`. The prior is freeze-thaw's own: what the parameters' names let it expect, with low
confidence; columns without one have none. NePS keeps its own configurations, so it is told the
row's value under its own. The same configuration at a larger fidelity is the same trial, trained
on. Divergence: the limit as its objective.
"""

from collections.abc import Hashable
from typing import Any

import numpy as np
from curves import Curves
from numpy.typing import NDArray
from pool import Ask, Searcher
from serve import serve


class _Neps:
    def __init__(self, optimizer: Any, columns: list[str]) -> None:  # noqa: ANN401
        self._optimizer = optimizer
        self._columns = columns
        self._asked: dict[Hashable, Any] = {}

    def ask(self) -> Ask:
        asked = self._optimizer.ask()
        place = np.array([float(asked.config[name]) for name in self._columns])
        trial = tuple(place.tolist())
        self._asked[trial] = asked
        return Ask(trial, int(asked.config["step"]), place)

    def place(self, trial: Hashable, x: NDArray[np.float64]) -> None:
        """NePS would not know the row as its own."""

    def report(self, trial: Hashable, step: int, loss: float) -> bool:
        return True

    def end(self, trial: Hashable, step: int, best: float, *, diverged: bool) -> None:
        self._optimizer.tell(self._asked[trial], best)


def make(curves: Curves, seed: int, workers: int, budget: int) -> Searcher:
    """PriorBand with its defaults, fidelities from one step to a full training."""
    import neps
    import torch

    torch.manual_seed(seed)
    columns = [f"x{j}" for j in range(curves.x.shape[1])]
    known: dict[str, Any] = {"step": neps.IntegerFidelity(1, curves.max_steps)}
    for name, prior in zip(columns, curves.prior, strict=True):
        belief = {"prior": float(prior), "prior_confidence": "low"} if np.isfinite(prior) else {}
        known[name] = neps.Float(0.0, 1.0, **belief)
    space = type("Space", (neps.PipelineSpace,), known)()
    return _Neps(neps.AskAndTell(neps.algorithms.priorband(space)), columns)


if __name__ == "__main__":
    serve({"neps-priorband": make})
