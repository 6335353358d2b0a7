"""PASHA (Bohdal et al. 2022, arXiv:2207.06940): ASHA that trains no longer than ranks still change.

It begins with two rungs. Another is added when the runs on the highest rung stand in another order
than they did on the one below, differences within the noise not counted.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from luthier.contracts import Sampler
from luthier.core.action import Action, Start
from luthier.core.study import Run, StudyView
from luthier.policies.drawing import draw
from luthier.policies.leaving import left_behind, pauses, stops
from luthier.policies.rungs import finale, promotions, ranked, rung_steps, standing

NOISE_PERCENTILE = 90  # of the distances between curves that cross each other again and again
_N_COMPARED = 50  # runs from the best down, so that a decision stays cheap


@final
@dataclass(frozen=True, slots=True)
class Pasha:
    """Rungs at `first_step * eta**k`, as far as needed; the winner is trained to its last step."""

    sampler: Sampler
    eta: int = 3
    first_step: int = 1

    def decide(self, view: StudyView) -> Sequence[Action]:
        """Promotions up to the highest rung in use, then new points."""
        rungs = rung_steps(view, self.first_step, self.eta)
        runs = list(view.current().values())
        used = rungs[: 1 + highest_rung(runs, rungs)]
        promoted = promotions(runs, used, self.eta)
        actions: list[Action] = list(promoted[: view.n_free])
        points = draw(view, self.sampler, min(view.n_free - len(actions), view.n_new))
        actions += [Start(params=p, to_step=rungs[0], reason="new-point") for p in points]
        if not actions and view.n_free > 0 and not any(run.active for run in runs):
            actions += finale(runs, rungs)
        stopped = stops(view, runs, used, self.eta, unpausable=True)
        return [*stopped, *pauses(view, left_behind(runs, [*promoted, *actions])), *actions]


def highest_rung(runs: Sequence[Run], rungs: Sequence[float]) -> int:
    """Index of the highest rung in use."""
    of_own = (run for run in runs if run.pausable and not math.isinf(run.to_step))  # in no hand
    sent = max((run.to_step for run in of_own), default=0.0)
    top = max([1, *(i for i, step in enumerate(rungs) if step <= sent)])
    if top >= len(rungs) - 1:
        return len(rungs) - 1
    there = ranked((run for run in runs if run.step >= rungs[top]), rungs[top])[:_N_COMPARED]
    return top if same_order(there, rungs[top - 1], rungs[top]) else top + 1


def same_order(there: Sequence[Run], below: float, step: float) -> bool:
    """Whether runs, ranked at `step`, stood alike at `below`, up to the noise of their curves."""
    noise = crossing_noise(there, step)
    return all(
        now is before or abs(standing(now, step) - standing(before, step)) <= noise
        for now, before in zip(there, ranked(there, below), strict=True)
    )


def crossing_noise(there: Sequence[Run], step: float) -> float:
    """Distance at `step` that means nothing: between runs whose curves cross more than once."""
    curves = [run.curve.until(step) for run in there]
    if len(curves) < 2:
        return 0.0
    steps = min(curves, key=len).steps
    if not len(steps):
        return 0.0
    losses = np.array([[curve.at(s) for s in steps] for curve in curves])  # (n, steps)
    signs = np.sign(losses[:, None] - losses[None])
    crossings = (np.abs(np.diff(signs, axis=2)) > 0).sum(axis=2)
    apart = np.abs(losses[:, None, -1] - losses[None, :, -1])
    often = apart[(crossings > 1) & np.isfinite(apart)]
    return float(np.percentile(often, NOISE_PERCENTILE)) if len(often) else 0.0
