"""In which order the parameters of a space are tuned, by their importance (chapter 14.4), and whose
turn it is."""

import numpy as np

from luthier.core.domain import Constant, Domain, Value
from luthier.core.space import Space
from luthier.core.spent import spent_share
from luthier.core.study import StudyView
from luthier.knowledge.hyperparameter import known

_LAST = 4  # the stage of what is tuned after everything else
_TRIALS_PER_PARAMETER = 10  # length of a stage in a study without an end


def stages(space: Space) -> list[tuple[str, ...]]:
    """The searched parameters in groups, the most important first; no group is empty.

    A parameter whose domain has the lowest tier goes where the knowledge puts its name, if that
    is earlier. One that others depend on goes before them.
    """
    place = {name: _place(name, space) for name in space.names}
    for _ in place:  # as often as conditions can be nested
        for name, domain in space.domains.items():
            for parent in domain.when or ():
                if parent in place and name in place:
                    place[parent] = min(place[parent], place[name])
    groups = (tuple(n for n in place if place[n] == k) for k in range(1, _LAST + 1))
    return [group for group in groups if group]


def _place(name: str, space: Space) -> int:
    found = known(name)
    return _LAST if found is not None and found.last else tier_of(name, space.domains[name])


def tier_of(name: str, domain: Domain) -> int:
    """The stated tier, or an earlier one that the name is known for."""
    found = known(name)
    return min(domain.tier, found.tier) if found is not None else domain.tier


def turns_of(view: StudyView) -> list[tuple[str, ...]]:
    """The group that the budget has come to, and those after it; empty where there is one only."""
    groups = stages(view.study.space)
    return groups[stage_of(view, groups) :] if len(groups) > 1 else []


def stage_of(view: StudyView, groups: list[tuple[str, ...]]) -> int:
    """Which group it is the turn of, as far as the budget is spent."""
    shares = np.cumsum([len(group) for group in groups])
    done = _spent(view)
    if done is None:
        done = len(view.trials) / (_TRIALS_PER_PARAMETER * float(shares[-1]))
    return min(int(np.searchsorted(shares / shares[-1], done, side="right")), len(groups) - 1)


def _spent(view: StudyView) -> float | None:
    """The share of the budget that is gone, trials included; None when the study has no end."""
    n_trials = view.study.budget.n_trials
    of_trials = None if n_trials is None else len(view.trials) / n_trials
    return max((s for s in (of_trials, spent_share(view)) if s is not None), default=None)


def centre_of(view: StudyView) -> dict[str, Value]:
    """The best point so far; where it has no value, and before there is one, what is advised."""
    domains = view.study.space.domains
    best = view.best()
    point = {} if best is None else view.trials[best.trial].params
    return {
        name: point.get(name, domain.default())
        for name, domain in domains.items()
        if not isinstance(domain, Constant)
    }
