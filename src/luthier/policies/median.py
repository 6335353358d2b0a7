"""Median stopping (Golovin et al. 2017, "Google Vizier", section 3.2.2) with a margin for noise.

A run ends when its best loss so far is worse than the median of the other runs' mean losses up to
the same step, by more than the noise of its own curve explains.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from luthier.contracts import Sampler
from luthier.core.action import Action, Start, Stop
from luthier.core.curve import Curve
from luthier.core.study import Run, RunState, StudyView
from luthier.policies.chance import chance_of_best
from luthier.policies.drawing import draw

_MAD_TO_SD = 1.4826  # of a normal distribution
_N_FOR_NOISE = 5  # reports that a curve needs before its noise can be told


@final
@dataclass(frozen=True, slots=True)
class MedianStopping:
    """Judges runs from `first_step` on, once `n_least` others came as far.

    `margin`: how far beyond the median a run may be, in standard deviations of one report.
    """

    sampler: Sampler
    first_step: int = 2
    n_least: int = 5
    margin: float = 2.0

    def decide(self, view: StudyView) -> Sequence[Action]:
        """Stops, then new points; works without `max_steps`."""
        runs = list(view.current().values())
        found: list[Action] = []
        for run in runs:
            if run.state is RunState.RUNNING and self._is_poor(run, runs):
                p_best = chance_of_best(view, run, run.step)
                found.append(Stop(run_id=run.id, reason="below-median", p_best=p_best))
        to_step = view.study.max_steps or math.inf
        points = draw(view, self.sampler, min(view.n_free, view.n_new))
        return [*found, *(Start(params=p, to_step=to_step, reason="new-point") for p in points)]

    def _is_poor(self, run: Run, runs: Sequence[Run]) -> bool:
        if run.step < self.first_step or not len(run.curve):
            return False
        others = [r.curve.until(run.step) for r in runs if r.id != run.id and r.step >= run.step]
        others = [curve for curve in others if len(curve)]
        if len(others) < self.n_least:
            return False
        own = run.curve
        noise = noise_of(own) if len(own) >= _N_FOR_NOISE else _typical_noise(others)
        means = [_mean(curve) for curve in others]
        if math.isnan(own.best_loss):  # no number yet, where others have some
            return min(means) < math.inf
        return own.best_loss - self.margin * noise > float(np.median(means))


def noise_of(curve: Curve) -> float:
    """Standard deviation of one report around the curve's trend, from second differences."""
    bends = np.diff(curve.values[np.isfinite(curve.values)], n=2)
    return float(_MAD_TO_SD * np.median(np.abs(bends)) / math.sqrt(6)) if len(bends) else 0.0


def _typical_noise(curves: Sequence[Curve]) -> float:
    long = [noise_of(curve) for curve in curves if len(curve) >= _N_FOR_NOISE]
    return float(np.median(long)) if long else 0.0


def _mean(curve: Curve) -> float:
    finite = curve.values[np.isfinite(curve.values)]
    return float(finite.mean()) if len(finite) else math.inf
