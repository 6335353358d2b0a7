"""Any sampler, one tier of importance after the other (chapter 14.4)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.contracts import Sampler
from luthier.core.domain import Constant, Value
from luthier.core.study import StudyView
from luthier.knowledge.stages import stages as stages

_LOOKED_AT = 64  # points, before a stage counts as used up
_TRIALS_PER_PARAMETER = 10  # length of a stage in a study without an end


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
        groups = stages(space)
        centre = _centre(view)
        tried = [trial.params for trial in view.trials.values()]
        for group in groups[stage_of(view, groups) :] if len(groups) > 1 else ():
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


def stage_of(view: StudyView, groups: list[tuple[str, ...]]) -> int:
    """Which group it is the turn of, as far as the budget is spent."""
    shares = np.cumsum([len(group) for group in groups])
    done = _spent(view)
    if done is None:
        done = len(view.trials) / (_TRIALS_PER_PARAMETER * float(shares[-1]))
    return min(int(np.searchsorted(shares / shares[-1], done, side="right")), len(groups) - 1)


def _spent(view: StudyView) -> float | None:
    """The share of the budget that is gone, or None when the study has no end."""
    budget, runs = view.study.budget, view.runs.values()
    shares = []
    if budget.n_trials is not None:
        shares.append(len(view.trials) / budget.n_trials)
    if budget.n_steps is not None:
        trained = sum(run.step - (run.parent.step if run.parent else 0.0) for run in runs)
        shares.append(trained / budget.n_steps)
    if budget.time_s is not None:
        shares.append(view.elapsed_s / budget.time_s)
    return max(shares, default=None)


def _centre(view: StudyView) -> dict[str, Value]:
    """The best point so far; where it has no value, and before there is one, what is advised."""
    domains = view.study.space.domains
    best = view.best()
    point = {} if best is None else view.trials[best.trial].params
    return {
        name: point.get(name, domain.default())
        for name, domain in domains.items()
        if not isinstance(domain, Constant)
    }
