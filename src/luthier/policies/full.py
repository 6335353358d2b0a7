"""Every point is trained to its last step: no early stopping."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from luthier.contracts import Sampler
from luthier.core.action import Action, Start
from luthier.core.study import StudyView
from luthier.policies.drawing import draw


@final
@dataclass(frozen=True, slots=True)
class Full:
    """Starts a new point wherever a place is free."""

    sampler: Sampler

    def decide(self, view: StudyView) -> Sequence[Action]:
        """New points."""
        to_step = view.study.max_steps or math.inf
        points = draw(view, self.sampler, min(view.n_free, view.n_new))
        return [Start(params=point, to_step=to_step, reason="new-point") for point in points]
