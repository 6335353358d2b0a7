"""One step for all, then the best to the end: the simplest use of early results.

Hard to beat where curves seldom cross (Egele et al. 2023, arXiv:2307.15422: "Is One Epoch All
you need"); blind where good runs start slowly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from luthier.contracts import Sampler
from luthier.core.action import Action
from luthier.core.study import StudyView
from luthier.policies.halving import in_brackets
from luthier.policies.rungs import last_step


@final
@dataclass(frozen=True, slots=True)
class OneEpoch:
    """Rounds of `n_points` trials; the best `n_kept` of each train to the last step."""

    sampler: Sampler
    n_points: int = 27
    n_kept: int = 3
    first_step: int = 1

    def decide(self, view: StudyView) -> Sequence[Action]:
        """Promotions of a complete round, then new points."""
        last = last_step(view)
        rungs = [self.first_step, last] if self.first_step < last else [last]
        eta = max(1, self.n_points // self.n_kept)
        return in_brackets(view, self.sampler, rungs, eta, self.n_points)
