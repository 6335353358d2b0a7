"""Names become players: `"asha"` -> `Asha(sampler=Random())`; and players become data for resume.

Other packages add names through the entry-point groups `luthier.samplers` and `luthier.policies`.
"""

import importlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib.metadata import entry_points
from typing import Any

from luthier.contracts import Policy, Sampler
from luthier.core.domain import as_tuple
from luthier.core.errors import OptionError, UnknownNameError

SAMPLERS = {
    "random": "luthier.samplers.random:Random",
    "sobol": "luthier.samplers.sobol:Sobol",
    "grid": "luthier.samplers.grid:Grid",
    "fixed": "luthier.samplers.fixed:Fixed",
}
POLICIES = {
    "asha": "luthier.policies.asha:Asha",
    "full": "luthier.policies.full:Full",
    "halving": "luthier.policies.halving:SuccessiveHalving",
}
_TABLES = {"samplers": SAMPLERS, "policies": POLICIES}


def known(family: str) -> dict[str, str]:
    """Name -> "module:Class" of a family, entry points included."""
    added = {point.name: point.value for point in entry_points(group=f"luthier.{family}")}
    return {**added, **_TABLES[family]}


def make_sampler(sampler: str | Sampler) -> Sampler:
    """A sampler from its name, or as it is."""
    if not isinstance(sampler, str):
        return sampler
    made: Sampler = _find("samplers", sampler)()
    return made


def make_policy(policy: str | Policy, sampler: str | Sampler = "random") -> Policy:
    """A policy from its name; a sampler's name trains each of its points to the end."""
    if not isinstance(policy, str):
        return policy
    if policy in known("samplers") and policy not in known("policies"):
        policy, sampler = "full", policy
    made: Policy = _find("policies", policy)(sampler=make_sampler(sampler))
    return made


def to_recipe(player: object) -> dict[str, Any]:
    """A player as JSON data; OptionError when it is no dataclass, so that none can be lost."""
    if not is_dataclass(player):
        raise OptionError(
            f"{type(player).__name__} is no dataclass, so a killed study could not be resumed with "
            "it; write it as a frozen dataclass whose fields are its options."
        )
    kind = type(player)
    values = {f.name: getattr(player, f.name) for f in fields(player)}
    options = {k: to_recipe(v) if is_dataclass(v) else v for k, v in values.items()}
    return {"class": f"{kind.__module__}:{kind.__qualname__}", "options": options}


def from_recipe(recipe: Mapping[str, Any]) -> Any:  # noqa: ANN401  a player of any family
    """The player again."""
    options = {
        name: from_recipe(value) if isinstance(value, dict) and "class" in value else _tuples(value)
        for name, value in recipe["options"].items()
    }
    return _load(recipe["class"])(**options)


def _tuples(value: Any) -> Any:  # noqa: ANN401
    return as_tuple(value)


def _find(family: str, name: str) -> Any:  # noqa: ANN401
    table = known(family)
    if name not in table:
        raise UnknownNameError(f"no {name!r} among the {family}; known are {sorted(table)}.")
    return _load(table[name])


def _load(place: str) -> Any:  # noqa: ANN401
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
