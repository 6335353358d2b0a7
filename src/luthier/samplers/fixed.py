"""A list of points written by hand."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.core.domain import Value
from luthier.core.study import StudyView


@final
@dataclass(frozen=True, slots=True)
class Fixed:
    """The given points in the given order, then no more."""

    points: tuple[Mapping[str, Value], ...]

    def suggest(
        self, view: StudyView, n: int, rng: np.random.Generator
    ) -> NDArray[np.float64]:  # (<= n, d)
        """Points not yet tried; PointError for one that is not in the space."""
        space = view.study.space
        tried = [dict(trial.params) for trial in view.trials.values()]
        left = [p for p in map(space.cast, self.points) if p not in tried][:n]
        rows = [space.to_unit(point) for point in left]
        return np.array(rows, dtype=np.float64).reshape(len(rows), space.dimension)
