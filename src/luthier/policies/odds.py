"""Runs that go on against the odds: whether a model that gives nobody a chance is right."""

from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.core.study import Run, StudyView
from luthier.policies.purse import steps_in_vain

AGAINST = "may-surprise"  # the reason of such a slice
_HARDLY = 0.05  # the chance of ending best, below which the model has given up on all,
_SHARE = 0.5  # and so much of the decisions puts it to the test
_SPENT, _AT_LEAST = 0.1, 0.5  # of all steps, and trainings, that tests may take in vain
_BOLDNESS = 1.0  # standard deviations by which a run may do better than expected

Array = NDArray[np.float64]


@final
class Odds:
    """How candidates are expected to end: means and standard deviations of the warped loss, and
    the chances to end best."""

    def __init__(self, mean: Array, spread: Array, chance: Array) -> None:
        self._mean, self._spread, self._chance = mean, spread, chance

    def challenger(self, may_go_on: NDArray[np.bool_], rng: np.random.Generator) -> np.int64 | None:
        """Of the candidates that may go on the one that would end lowest if it did better than
        expected; None as long as the model gives anybody a chance, and now and then."""
        if not may_go_on.any() or self._chance.max() >= _HARDLY or rng.random() >= _SHARE:
            return None
        low = self._mean - _BOLDNESS * self._spread
        return np.argmin(np.where(may_go_on, low, np.inf))


def may_test(view: StudyView, best: Run) -> bool:
    """Whether tests have paid, the best run being one that they sent on, or cost little so far."""
    n_steps = sum(run.step for run in view.runs.values())
    limit = max(_SPENT * n_steps, _AT_LEAST * (view.study.max_steps or 1))
    return steps_in_vain(view, AGAINST, best) < limit
