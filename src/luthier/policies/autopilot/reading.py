"""What a curve of losses says: trouble, a plateau, overfitting; pure functions of numbers."""

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.core.curve import Curve
from luthier.core.forecast import forecast
from luthier.diagnosis.series import noise
from luthier.policies.autopilot import constants as c


@final
@dataclass(frozen=True, slots=True)
class Trouble:
    """The training is lost unless something changes."""

    kind: str  # "not a number", "diverged"
    onset: float  # step of the first report that shows it
    last: float  # step of the newest


def trouble(curve: Curve) -> Trouble | None:
    """A loss that is no number, or that rose far and fast and stayed there; None else."""
    values, steps = curve.values, curve.steps
    if not len(values):
        return None
    if not math.isfinite(values[-1]):
        fine = np.flatnonzero(np.isfinite(values))
        start = int(fine[-1]) + 1 if len(fine) else 0
        return Trouble("not a number", float(steps[start]), float(steps[-1]))
    n = c.PATIENCE
    if len(values) < 2 * n or not np.isfinite(values[-n:]).all():
        return None
    low, learned = curve.best_loss, _learned(values)
    # in trouble a curve is noisy for a while
    sd = min(_noise(values), _noise(values[-c.WITHIN * n :]))
    least = c.LEVEL * abs(low)
    limit = low + max(c.SIGMAS * sd, c.RISEN * learned, least)
    if float(values[-n:].min()) <= limit:
        limit = low + max(c.FORGOTTEN * learned, least)
        if learned <= sd or int((values[-2 * n :] > limit).sum()) < c.N_ERRATIC:
            return None
        if not values[-1] > limit:  # it may be coming back
            return None
    first = int(np.flatnonzero(values <= limit)[-1]) + 1
    well = int(np.flatnonzero(values <= low + 0.5 * (limit - low))[-1])
    if first - well > c.WITHIN * n:
        return None  # so slow a rise is overfitting
    return Trouble("diverged", float(steps[first]), float(steps[-1]))


def is_flat(curve: Curve, ahead: float) -> bool:
    """Whether the gain to be expected over the next `ahead` steps is below one report's noise."""
    recent = curve.values[-max(c.PLATEAU_WINDOW, int(c.PLATEAU_PART * len(curve))) :]
    if len(recent) < c.PLATEAU_WINDOW or not np.isfinite(recent).all():
        return False
    last = float(curve.steps[-1])
    found = forecast(curve, np.array([last, last + ahead]))
    if found is None:
        return False
    gain = float(found.mean[0] - found.mean[1])
    return gain < found.noise_sd and not _falls(recent)


def overfits(curve: Curve) -> bool:
    """Whether the newest reports all lie above the best by more than noise and margin."""
    values = curve.values
    if len(values) < 2 * c.PATIENCE or not np.isfinite(values[-c.PATIENCE :]).all():
        return False
    best = curve.best_loss
    margin = max(c.OVERFIT * abs(best), 2.0 * _noise(values))
    return bool((values[-c.PATIENCE :] > best + margin).all())


def _falls(values: NDArray[np.float64]) -> bool:
    """Mann-Kendall: whether more pairs fall than chance would have it (p below 0.2, one-sided)."""
    n = len(values)
    later, earlier = np.tril_indices(n, -1)
    score = float(np.sign(values[later] - values[earlier]).sum())
    return score < -0.84 * math.sqrt(n * (n - 1) * (2 * n + 5) / 18.0)


def _noise(values: NDArray[np.float64]) -> float:
    sd = noise(values[np.isfinite(values)])
    return sd if math.isfinite(sd) else 0.0


def _learned(values: NDArray[np.float64]) -> float:
    """How far the loss has come down from its beginning."""
    finite = values[np.isfinite(values)]
    return float(finite[0] - finite.min())
