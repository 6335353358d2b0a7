"""CMA-ES (Hansen & Ostermeier 2001) of the package `cmaes`, replayed from the view at each call.

Generations are formed of the results in the order of the trials' numbers, and told one after the
other; the package needs no other memory. With several workers a generation may hold points that
were drawn from the one before. A choice is a number in equal cells: for spaces of many choices TPE
is the better tool.
"""

import importlib.util
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.core.errors import OptionError
from luthier.core.study import StudyView
from luthier.samplers.observed import observed, units_of


@final
@dataclass(frozen=True, slots=True)
class CmaEs:
    """Begins around the default point with standard deviation `sigma` of the cube's side.

    `n_population`: points of a generation, 4 + 3 ln(d) unless given.
    """

    sigma: float = 0.3
    n_population: int | None = None

    def __post_init__(self) -> None:
        if importlib.util.find_spec("cmaes") is None:
            raise OptionError("the sampler cma-es needs a package: pip install 'luthier[cmaes]'.")

    def suggest(
        self, view: StudyView, n: int, rng: np.random.Generator
    ) -> NDArray[np.float64]:  # (n, d)
        """Points of the generation that is due."""
        from cmaes import CMA

        space = view.study.space
        dimension = space.dimension
        if not dimension:
            return np.empty((n, 0))
        n_sides = max(2, dimension)  # the package refuses a single one

        def widened(rows: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.pad(rows, ((0, 0), (0, n_sides - dimension)), constant_values=0.5)

        strategy = CMA(
            mean=widened(units_of(space, [space.default()]))[0],
            sigma=self.sigma,
            bounds=np.array([[0.0, 1.0]] * n_sides),
            population_size=self.n_population,
            seed=int(rng.integers(2**31)),
        )
        size = strategy.population_size
        seen = observed(view, n_least=size)
        units, losses = widened(units_of(space, seen.points)), seen.finite_losses
        for first in range(0, len(seen) - size + 1, size):
            if strategy.should_stop():  # it has settled
                break
            generation = slice(first, first + size)
            strategy.tell(list(zip(units[generation], losses[generation], strict=True)))
        rows = np.array([strategy.ask() for _ in range(n)]).reshape(n, n_sides)
        return np.asarray(np.clip(rows[:, :dimension], 0.0, 1.0))
