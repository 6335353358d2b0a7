"""Asynchronous successive halving in promotion mode (arXiv:1810.05934, Alg. 2).

A run trains to a rung and pauses there. Whenever a place is free, a run among the best 1/eta of its
rung is promoted: it goes on from its checkpoint. If there is none, a new point starts.
"""

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
class Asha:
    """Rungs at `first_step * eta**k`; of each, one run in `eta` goes on.

    When no new point may start and nothing is left to promote, the best paused run of the highest
    rung goes on, so that the winner is always trained to its last step.
    """

    sampler: Sampler
    eta: int = 3
    first_step: int = 1

    def decide(self, view: StudyView) -> Sequence[Action]:
        """Promotions first, then new points; unpausable runs are stopped where others pause."""
        rungs = rung_steps(view, self.first_step, self.eta)
        runs = list(view.current().values())
        promoted = promotions(runs, rungs, self.eta)
        actions: list[Action] = list(promoted[: view.n_free])
        points = draw(view, self.sampler, min(view.n_free - len(actions), view.n_new))
        actions += [Start(params=p, to_step=rungs[0], reason="new-point") for p in points]
        if not actions and view.n_free > 0 and not any(run.active for run in runs):
            actions += finale(runs, rungs)
        stopped = stops(view, runs, rungs, self.eta, unpausable=True)
        return [*stopped, *pauses(view, left_behind(runs, [*promoted, *actions])), *actions]
