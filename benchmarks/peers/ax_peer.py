"""Ax's client with its default generation strategy: Sobol, then BoTorch; full trainings.

A suggestion is marked as failed and the row that it went to is attached as a trial of its own, so
Ax is told the row. Divergence: the limit.
"""

from collections.abc import Hashable
from typing import Any

import numpy as np
from curves import Curves
from numpy.typing import NDArray
from pool import Ask, Searcher
from serve import serve


class _Ax:
    def __init__(self, client: Any, curves: Curves) -> None:  # noqa: ANN401
        self._client = client
        self._last = curves.max_steps
        self._columns = [f"x{j}" for j in range(curves.x.shape[1])]
        self._indices: dict[Hashable, int] = {}

    def ask(self) -> Ask | None:
        for index, parameters in self._client.get_next_trials(max_trials=1).items():
            self._client.mark_trial_failed(index)
            return Ask(index, self._last, np.array([parameters[name] for name in self._columns]))
        return None

    def place(self, trial: Hashable, x: NDArray[np.float64]) -> None:
        row = dict(zip(self._columns, map(float, x), strict=True))
        self._indices[trial] = self._client.attach_trial(row)

    def report(self, trial: Hashable, step: int, loss: float) -> bool:
        return True

    def end(self, trial: Hashable, step: int, best: float, *, diverged: bool) -> None:
        self._client.complete_trial(self._indices[trial], raw_data={"loss": best})


def make(curves: Curves, seed: int, workers: int, budget: int) -> Searcher:
    """The client as it comes, with a seed for its first points."""
    import torch
    from ax.api.client import Client
    from ax.api.configs import RangeParameterConfig

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    client = Client(random_seed=seed)
    client.configure_experiment(
        [RangeParameterConfig(name=f"x{j}", parameter_type="float", bounds=(0.0, 1.0))
         for j in range(curves.x.shape[1])]
    )  # fmt: skip
    client.configure_optimization(objective="-loss")
    return _Ax(client, curves)


if __name__ == "__main__":
    serve({"ax": make})
