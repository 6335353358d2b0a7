"""How likely a point is to be trained without breaking, from where runs broke and where not.

Broken runs are kept apart from the model of curves: a curve that ends in nothing says little about
how high other curves end.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from luthier.core.curve import Curve
from luthier.core.study import Run, RunState
from luthier.models.kernel import Kernel

Array = NDArray[np.float64]
_SHARPNESS = 4.0  # neighbours count by their covariance to this power
_N_BELIEVED = 0.5  # neighbours that the overall share is worth


def broke(runs: Sequence[Run]) -> NDArray[np.bool_]:
    """Which runs failed, or came to a loss that is no number. Where one of them found back to
    numbers, NaN says that nothing was measured at a step, and those that failed are all."""
    gaps = any(_found_back(run.curve) for run in runs)
    return np.array(
        [run.state is RunState.FAILED or (not gaps and _is_lost(run)) for run in runs], dtype=bool
    )


def _is_lost(run: Run) -> bool:
    return not run.active and len(run.curve) > 0 and not np.isfinite(run.curve.last)


def _found_back(curve: Curve) -> bool:
    finite = np.isfinite(curve.values)
    return bool((finite[1:] & ~finite[:-1]).any())


def reliability(kernel: Kernel, seen: Array, broken: NDArray[np.bool_], x: Array) -> Array:
    """Chances in (0, 1] of points `x` (m, columns), from `broken` (n,) of runs at `seen`."""
    if not broken.any():
        return np.ones(len(x))
    weights = kernel.between_points(x, seen) ** _SHARPNESS
    believed = _N_BELIEVED * float(np.mean(~broken)) + 1e-3
    whole: Array = weights @ (~broken).astype(np.float64)
    chances: Array = (whole + believed) / (weights.sum(axis=1) + _N_BELIEVED + 1e-3)
    return chances
