"""Differential evolution (Storn & Price 1997), asynchronous, in the unit cube as in DEHB.

Trial k belongs to place k mod `n_population`. The member of a place is the best of its trials; the
next trial of a place crosses its member with a mutant: member + F (best - member) + F (a - b),
"current-to-best/1". Mixed and conditional spaces work as in arXiv:2105.09821: a choice is a number
in equal cells.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.core.study import StudyView
from luthier.samplers.observed import observed, units_of


@final
@dataclass(frozen=True, slots=True)
class DifferentialEvolution:
    """`factor` F scales differences; `crossover` is the share of parameters from the mutant."""

    n_population: int = 10
    factor: float = 0.8
    crossover: float = 0.7

    def suggest(
        self, view: StudyView, n: int, rng: np.random.Generator
    ) -> NDArray[np.float64]:  # (n, d)
        """Children of the population, random points while it is not complete."""
        rows = rng.random((n, view.study.space.dimension))
        seen = observed(view, n_least=self.n_population)
        order = np.argsort(seen.losses, kind="stable")
        units = units_of(view.study.space, seen.points)
        members: dict[int, int] = {}  # place -> row of its best trial
        for i in order:
            members.setdefault(int(seen.numbers[i]) % self.n_population, int(i))
        if not rows.size or len(members) < 4 or len(view.trials) < self.n_population:
            return rows
        places = list(members)
        best = units[order[0]]
        for k in range(n):
            place = (len(view.trials) + k) % self.n_population
            target = units[members.get(place, members[places[int(rng.integers(len(places)))]])]
            a, b = rng.choice(len(places), size=2, replace=False)
            apart = units[members[places[a]]] - units[members[places[b]]]
            mutant = target + self.factor * (best - target) + self.factor * apart
            outside = (mutant < 0.0) | (mutant > 1.0)
            mutant = np.where(outside, rows[k], mutant)
            taken = rng.random(len(mutant)) < self.crossover
            taken[int(rng.integers(len(mutant)))] = True
            rows[k] = np.where(taken, mutant, target)
        return rows
