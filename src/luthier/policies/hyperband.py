"""Hyperband (Li et al. 2018, arXiv:1603.06560), asynchronous: brackets that do not wait.

Bracket b begins at rung b and promotes like ASHA among its own runs, so that a part of the points
is judged late: a guard against runs that look poor early. Points fall to the brackets in the
proportions of Hyperband, by the number of their trial.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from luthier.contracts import Sampler
from luthier.core.action import Action, Start
from luthier.core.study import StudyView
from luthier.policies.drawing import draw
from luthier.policies.leaving import left_behind, pauses, stops
from luthier.policies.rungs import finale, promotions, rung_steps


@final
@dataclass(frozen=True, slots=True)
class Hyperband:
    """Rungs at `first_step * eta**k`; one bracket for each rung."""

    sampler: Sampler
    eta: int = 3
    first_step: int = 1

    def decide(self, view: StudyView) -> Sequence[Action]:
        """Promotions in all brackets, the highest rung first, then new points."""
        rungs = rung_steps(view, self.first_step, self.eta)
        sizes = bracket_sizes(len(rungs), self.eta)
        runs = list(view.current().values())
        brackets = [
            (rungs[b:], [r for r in runs if bracket_of(r.trial, sizes) == b])
            for b in range(len(rungs))
        ]
        promoted = [p for steps, own in brackets for p in promotions(own, steps, self.eta)]
        promoted.sort(key=lambda action: -action.to_step)
        actions: list[Action] = list(promoted[: view.n_free])
        points = draw(view, self.sampler, min(view.n_free - len(actions), view.n_new))
        for number, point in enumerate(points, len(view.trials)):
            first = rungs[bracket_of(number, sizes)]
            actions.append(Start(params=point, to_step=first, reason="new-point"))
        if not actions and view.n_free > 0 and not any(run.active for run in runs):
            actions += finale(runs, rungs)
        left: list[Action] = [*pauses(view, left_behind(runs, [*promoted, *actions]))]
        for steps, own in brackets:
            left += stops(view, own, steps, self.eta, unpausable=True)
        return [*left, *actions]


def bracket_sizes(n_rungs: int, eta: int) -> list[int]:
    """Points of each bracket in one round, the bracket that begins at the first rung first."""
    return [math.ceil(n_rungs * eta ** (n - 1) / n) for n in range(n_rungs, 0, -1)]


def bracket_of(trial: int, sizes: Sequence[int]) -> int:
    """The bracket of a trial: rounds of all brackets, one bracket after the other."""
    place = trial % sum(sizes)
    for bracket, size in enumerate(sizes):
        if place < size:
            return bracket
        place -= size
    raise AssertionError("a place beyond the round")
