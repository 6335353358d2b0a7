"""Points from a list, such as the rows of a table, drawn without preference."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.core.study import StudyView

_DIGITS = 12  # coordinates that agree so far are one place


@final
@dataclass(frozen=True, slots=True)
class Pool:
    """The given places of the unit cube, each proposed once at most."""

    places: tuple[tuple[float, ...], ...]

    def left(self, view: StudyView) -> NDArray[np.float64]:  # (<= m, d)
        """The places of which no trial was made yet, in the order given."""
        space = view.study.space
        all_places = np.array(self.places, dtype=np.float64).reshape(-1, space.dimension)
        tried = {_key(space.to_unit(trial.params)) for trial in view.trials.values()}
        fresh = [key not in tried for key in map(_key, all_places)]
        left: NDArray[np.float64] = all_places[np.array(fresh, dtype=bool)]
        return left

    def suggest(
        self, view: StudyView, n: int, rng: np.random.Generator
    ) -> NDArray[np.float64]:  # (<= n, d)
        """Places not yet tried, in random order."""
        return rng.permutation(self.left(view))[:n]


def _key(place: NDArray[np.float64]) -> bytes:
    return np.round(place, _DIGITS).tobytes()
