"""Every combination of a few values of each parameter."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, product
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.core.domain import Choice, Domain, Int
from luthier.core.study import StudyView


@final
@dataclass(frozen=True, slots=True)
class Grid:
    """`n_levels` values of a number, evenly on its scale and with both ends; all of a choice."""

    n_levels: int = 5

    def suggest(
        self, view: StudyView, n: int, rng: np.random.Generator
    ) -> NDArray[np.float64]:  # (<= n, d)
        """Combinations not yet tried, the last parameter changing fastest."""
        space = view.study.space
        tried = {tuple(space.to_unit(trial.params)) for trial in view.trials.values()}
        places = [_levels(space.domains[name], self.n_levels) for name in space.names]

        def fresh() -> Iterator[tuple[float, ...]]:
            seen = set(tried)
            for unit in product(*places):
                # inactive parameters and whole numbers fall together
                at = tuple(space.to_unit(space.from_unit(np.array(unit))))
                if at not in seen:
                    seen.add(at)
                    yield at

        rows = list(islice(fresh(), n))
        return np.array(rows, dtype=np.float64).reshape(len(rows), space.dimension)


def _levels(domain: Domain, n_levels: int) -> list[float]:
    if isinstance(domain, Choice):
        return [domain.to_unit(option) for option in domain.options]
    if isinstance(domain, Int):
        n_levels = min(n_levels, domain.n_values)
    return [0.5] if n_levels == 1 else [float(u) for u in np.linspace(0.0, 1.0, n_levels)]
