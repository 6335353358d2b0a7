"""No policy at all: what trains, and what changes, is up to people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from luthier.core.action import Action, Start
from luthier.core.domain import Value
from luthier.core.study import StudyView


@final
@dataclass(frozen=True, slots=True)
class Hand:
    """Starts one run with `params`, if they are given and there is none; else does nothing."""

    params: Mapping[str, Value] | None = None

    def decide(self, view: StudyView) -> Sequence[Action]:
        """The first start, once."""
        if self.params is None or view.trials or not view.n_free:
            return []
        return [Start(params=self.params, to_step=float("inf"), reason="by-hand")]
