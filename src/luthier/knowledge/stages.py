"""In which order the parameters of a space are tuned, by their importance (chapter 14.4)."""

from luthier.core.domain import Domain
from luthier.core.space import Space
from luthier.knowledge.hyperparameter import known

_LAST = 4  # the stage of what is tuned after everything else


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
