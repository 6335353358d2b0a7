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
_N_SHARPNESSES = 8  # neighbours count by their covariance, squared up to seven times,
_N_COMPARED = 100  # as suits what became of so many runs
_N_BELIEVED = 0.5  # neighbours that the overall share is worth
_LEAST = 1e-3  # a chance that counts no worse: one surprise is no proof


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
    held = (~broken).astype(np.float64)
    weights = kernel.between_points(x, seen)
    for _ in range(_sharpness(kernel, seen, held)):
        weights = weights * weights
    return _chances(weights, held)


def _sharpness(kernel: Kernel, seen: Array, held: Array) -> int:
    """How often weights are squared, so that what became of each run is foretold best by the
    others."""
    scattered = (np.arange(len(seen)) * 2654435761) % 2**32  # a fixed shuffle
    some = np.argsort(scattered)[:_N_COMPARED]
    weights, held = kernel.between_points(seen[some], seen[some]), held[some]
    np.fill_diagonal(weights, 0.0)
    scores = []
    for _ in range(_N_SHARPNESSES):
        chances = _chances(weights, held)
        foretold = np.where(held > 0, chances, 1.0 - chances)
        scores.append(np.log(np.maximum(foretold, _LEAST)).sum())
        weights = weights * weights
    return int(np.argmax(scores))


def _chances(weights: Array, held: Array) -> Array:
    believed = _N_BELIEVED * float(held.mean()) + 1e-3
    chances: Array = (weights @ held + believed) / (weights.sum(axis=1) + _N_BELIEVED + 1e-3)
    return chances
