"""Asynchronous successive halving that stops instead of pausing (arXiv:2003.10865, "stopping").

Runs train towards their last step and are stopped at rungs. Nothing has to be saved or resumed, so
it suits training that cannot pause; the first runs always get further than in promotion mode.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from luthier.contracts import Sampler
from luthier.core.action import Action, Start
from luthier.core.study import StudyView
from luthier.policies.drawing import draw
from luthier.policies.leaving import stops
from luthier.policies.rungs import rung_steps


@final
@dataclass(frozen=True, slots=True)
class AshaStopping:
    """A run that is outside the best 1/eta of the rung it passed last ends."""

    sampler: Sampler
    eta: int = 3
    first_step: int = 1

    def decide(self, view: StudyView) -> Sequence[Action]:
        """Stops, then new points."""
        rungs = rung_steps(view, self.first_step, self.eta)
        points = draw(view, self.sampler, min(view.n_free, view.n_new))
        return [
            *stops(view, list(view.current().values()), rungs, self.eta),
            *(Start(params=p, to_step=rungs[-1], reason="new-point") for p in points),
        ]
