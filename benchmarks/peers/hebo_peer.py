"""HEBO: a warped Gaussian process and a Pareto front of acquisitions; full trainings.

`suggest` and `observe`; it is told the row's own place. Divergence: the limit.
"""

from collections.abc import Hashable
from typing import Any

import numpy as np
from curves import Curves
from numpy.typing import NDArray
from pool import Ask, Searcher
from serve import serve


class _Hebo:
    def __init__(self, optimizer: Any, curves: Curves) -> None:  # noqa: ANN401
        self._optimizer = optimizer
        self._last = curves.max_steps
        self._columns = [f"x{j}" for j in range(curves.x.shape[1])]
        self._places: list[NDArray[np.float64]] = []

    def ask(self) -> Ask:
        place = self._optimizer.suggest(1)[self._columns].to_numpy(dtype=float)[0]
        return Ask(len(self._places), self._last, place)

    def place(self, trial: Hashable, x: NDArray[np.float64]) -> None:
        self._places.append(x)

    def report(self, trial: Hashable, step: int, loss: float) -> bool:
        return True

    def end(self, trial: Hashable, step: int, best: float, *, diverged: bool) -> None:
        import pandas

        row = pandas.DataFrame([self._places[-1]], columns=self._columns)
        self._optimizer.observe(row, np.array([[best]]))


def make(curves: Curves, seed: int, workers: int, budget: int) -> Searcher:
    """HEBO with its defaults."""
    import torch
    from hebo.design_space.design_space import DesignSpace
    from hebo.optimizers.hebo import HEBO

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    space = DesignSpace().parse(
        [{"name": f"x{j}", "type": "num", "lb": 0.0, "ub": 1.0} for j in range(curves.x.shape[1])]
    )
    return _Hebo(HEBO(space, scramble_seed=seed), curves)


if __name__ == "__main__":
    serve({"hebo": make})
