"""DEHB: differential evolution under Hyperband.

`ask` and `tell` of (vector, fidelity). DEHB keeps its own vectors, so it is told the row's value
under its own. The same vector at a larger fidelity is the same trial, trained on. Divergence: the
limit as its fitness. Defaults, fidelities from one step to a full training.
"""

import tempfile
from collections.abc import Hashable
from typing import Any

import numpy as np
from curves import Curves
from numpy.typing import NDArray
from pool import Ask, Searcher
from serve import serve


class _Dehb:
    def __init__(self, optimizer: Any, folder: Any) -> None:  # noqa: ANN401
        self._optimizer = optimizer
        self._folder = folder  # lives as long as the search
        self._asked: dict[Hashable, Any] = {}

    def ask(self) -> Ask:
        asked = self._optimizer.ask()
        place = np.asarray(asked["config"], dtype=float)
        trial = tuple(place.tolist())
        self._asked[trial] = asked
        return Ask(trial, max(1, round(asked["fidelity"])), place)

    def place(self, trial: Hashable, x: NDArray[np.float64]) -> None:
        """DEHB would not know the row as its own."""

    def report(self, trial: Hashable, step: int, loss: float) -> bool:
        return True

    def end(self, trial: Hashable, step: int, best: float, *, diverged: bool) -> None:
        cost = float(self._asked[trial]["fidelity"])
        self._optimizer.tell(self._asked[trial], {"fitness": best, "cost": cost})


def make(curves: Curves, seed: int, workers: int, budget: int) -> Searcher:
    """DEHB on the cube itself, without a ConfigSpace."""
    from dehb import DEHB

    folder = tempfile.TemporaryDirectory()
    optimizer = DEHB(
        dimensions=curves.x.shape[1], min_fidelity=1, max_fidelity=curves.max_steps, n_workers=1,
        seed=seed, output_path=folder.name, save_freq="end", log_level="ERROR",
    )  # fmt: skip
    return _Dehb(optimizer, folder)


if __name__ == "__main__":
    serve({"dehb": make})
