"""Any sampler, one tier of importance after the other (chapter 14.4)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.contracts import Sampler
from luthier.core.domain import Value
from luthier.core.study import StudyView
from luthier.knowledge.stages import centre_of, turns_of

_LOOKED_AT = 64  # points, before a stage counts as used up


@final
@dataclass(frozen=True, slots=True)
class Staged:
    """Tier 1 is searched first with the rest at recommended values, then 2, then 3, then depth.

    Later stages search around the best found so far. Each has a share of the budget in proportion
    to its number of parameters. A stage that has no point left gives its share to the next, and
    the last one to the whole space.
    """

    sampler: Sampler

    def suggest(
        self, view: StudyView, n: int, rng: np.random.Generator
    ) -> NDArray[np.float64]:  # (<= n, d)
        """Points of the stage that the budget has come to."""
        space = view.study.space
        centre = centre_of(view)
        tried = [trial.params for trial in view.trials.values()]
        for group in turns_of(view):
            for size in (n, _LOOKED_AT):
                rows = self._within(view, group, centre, size, rng)
                fresh = [row for row in rows if space.from_unit(row) not in tried]
                if fresh:
                    return np.array(fresh[:n])
        return self.sampler.suggest(view, n, rng)

    def _within(
        self,
        view: StudyView,
        group: tuple[str, ...],
        centre: Mapping[str, Value],
        n: int,
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:  # (<= n, d)
        """Points that differ from the centre in the parameters of the group only."""
        space = view.study.space
        held = {name: centre[name] for name in space.names if name not in group}
        part = space.fix(held)
        alike = {
            number: trial
            for number, trial in view.trials.items()
            if all(trial.params.get(name, value) == value for name, value in held.items())
        }
        runs = {id_: run for id_, run in view.runs.items() if run.trial in alike}
        narrowed = replace(view, study=replace(view.study, space=part), trials=alike, runs=runs)
        found = self.sampler.suggest(narrowed, n, rng)
        rows = np.tile(space.to_unit(centre), (len(found), 1))
        rows[:, [space.names.index(name) for name in part.names]] = found
        return rows
