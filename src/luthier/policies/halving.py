"""Successive halving in brackets (Jamieson & Talwalkar 2016, arXiv:1502.07943).

A bracket of points trains to the first rung; when all are there, the best 1/eta go on together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import final

from luthier.contracts import Sampler
from luthier.core.action import Action, Continue, Start
from luthier.core.study import StudyView
from luthier.policies.drawing import draw
from luthier.policies.leaving import pauses
from luthier.policies.rungs import (
    first_told,
    ranked,
    reached,
    rung_steps,
    silent,
    standing,
    waits,
)


@final
@dataclass(frozen=True, slots=True)
class SuccessiveHalving:
    """Brackets of `n_points` trials (27 by default), one after the other."""

    sampler: Sampler
    eta: int = 3
    first_step: int = 1
    n_points: int = 27

    def decide(self, view: StudyView) -> Sequence[Action]:
        """Promotions of complete rungs, then the points that the newest bracket lacks."""
        rungs = rung_steps(view, self.first_step, self.eta)
        return in_brackets(view, self.sampler, rungs, self.eta, self.n_points)


def in_brackets(
    view: StudyView, sampler: Sampler, rungs: Sequence[float], eta: int, n_points: int
) -> list[Action]:
    """Halving of every `n_points` trials at the given rungs."""
    current = view.current()
    runs = list(current.values())
    actions: list[Action] = []
    left: list[Action] = []
    for first in range(0, len(view.trials), n_points):
        bracket = [current[n] for n in range(first, first + n_points) if n in current]
        n_due = n_points if view.n_new or len(bracket) == n_points else len(bracket)
        unheard = [run for run in silent(bracket) if run.step < rungs[-1]]
        actions += [
            Continue(run_id=r.id, to_step=min(r.step + rungs[0], rungs[-1]), reason="nothing-yet")
            for r in unheard
        ]
        told = max((t for run in bracket if (t := first_told(run)) < math.inf), default=0.0)
        for step, following in pairwise(rungs):
            there = [run for run in bracket if reached(run, step)]
            if len(there) < n_due or unheard:
                break
            at = max(step, told)  # before, not all of them had reported
            if at >= following:
                continue
            n_due = max(1, n_due // eta)
            best, rest = (order := ranked(there, at))[:n_due], order[n_due:]
            actions += [
                Continue(run_id=run.id, to_step=following, reason="promoted")
                for run in best
                if waits(run, step, following) and standing(run, at) < math.inf
            ]
            left += pauses(view, (run for run in rest if run.step < following))
    actions = actions[: view.n_free]
    n_open = -len(view.trials) % n_points
    if not n_open and not actions and not any(run.active for run in runs):
        n_open = n_points  # the last bracket is done
    points = draw(view, sampler, min(view.n_free - len(actions), view.n_new, n_open))
    starts = [Start(params=p, to_step=rungs[0], reason="new-point") for p in points]
    return [*left, *actions, *starts]
