"""Points drawn evenly and independently."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.core.study import StudyView


@final
@dataclass(frozen=True, slots=True)
class Random:
    """Uniform in the unit cube."""

    def suggest(
        self, view: StudyView, n: int, rng: np.random.Generator
    ) -> NDArray[np.float64]:  # (n, d)
        """Independent points."""
        return rng.random((n, view.study.space.dimension))
