"""What it costs to pause, and how long a slice has to be for that."""

import numpy as np
from numpy.typing import NDArray

from luthier.core.study import StudyView
from luthier.policies.purse import own_steps

Array = NDArray[np.float64]
_TIMES = 3.0  # the cost of a pause, that a slice lasts: then a quarter of the time is the pause's
_FIRST_SHARE = 1 / 9  # of a training, that a first slice takes at most for that


def pause_steps(view: StudyView) -> float:
    """Seconds from a run's start to its loop, restoring included, and of saving it at the end of a
    slice, as steps of training: the mean over all starts so far; 0 where none was measured."""
    runs = [run for run in view.runs.values() if run.n_starts]
    n_steps, n_starts = sum(map(own_steps, runs)), sum(run.n_starts for run in runs)
    pausing_s = sum(run.pausing_s for run in runs)
    training_s = sum(run.train_s for run in runs) - pausing_s
    return pausing_s / n_starts * n_steps / training_s if n_steps > 0 and training_s > 0 else 0.0


def least_slice(cost_steps: float, at: Array, last_step: float) -> Array:
    """Steps that slices from steps `at` have at least; for that alone no run goes more than twice
    as far as it is, or a ninth of a training."""
    return np.minimum(_TIMES * cost_steps, np.maximum(at, _FIRST_SHARE * last_step))


def next_places(grid: NDArray[np.int64], at: Array, cost_steps: float) -> NDArray[np.int64]:
    """Places in the grid of the first points behind steps `at` that are far enough to be worth a
    pause; the length of the grid where there is none."""
    far = at + least_slice(cost_steps, at, float(grid[-1]))
    return np.maximum(np.searchsorted(grid, at, side="right"), np.searchsorted(grid, far))
