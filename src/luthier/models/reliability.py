"""How likely a point is to be trained without breaking, from where runs broke and where not.

Broken runs are kept apart from the model of curves: a curve that ends in nothing says little about
how high other curves end.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from luthier.core.study import Run, RunState
from luthier.models.kernel import Kernel
from luthier.models.readings import has_gaps

Array = NDArray[np.float64]
_SHARPNESS = 4.0  # neighbours count by their covariance to this power
_N_BELIEVED = 0.5  # neighbours that the overall share is worth


def broke(runs: Sequence[Run]) -> NDArray[np.bool_]:
    """Which runs failed, or came to a loss that is no number. Where NaN says that nothing was
    measured at a step (`has_gaps`), it does not count."""
    gaps = has_gaps(runs)
    return np.array([r.state is RunState.FAILED or _is_lost(r, gaps) for r in runs], dtype=bool)


def _is_lost(run: Run, gaps: bool) -> bool:
    if run.active or not len(run.curve):
        return False
    last = run.curve.last
    return not np.isfinite(last) and not (gaps and np.isnan(last))


def reliability(kernel: Kernel, seen: Array, broken: NDArray[np.bool_], x: Array) -> Array:
    """Chances in (0, 1] of points `x` (m, columns), from `broken` (n,) of runs at `seen`."""
    if not broken.any():
        return np.ones(len(x))
    weights = kernel.between_points(x, seen) ** _SHARPNESS
    believed = _N_BELIEVED * float(np.mean(~broken)) + 1e-3
    whole: Array = weights @ (~broken).astype(np.float64)
    chances: Array = (whole + believed) / (weights.sum(axis=1) + _N_BELIEVED + 1e-3)
    return chances
