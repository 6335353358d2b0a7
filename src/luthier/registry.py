"""Names become players: `"asha"` -> `Asha(sampler=Random())`; and players become data for resume.

Other packages add names through the entry-point groups `luthier.samplers` and `luthier.policies`.
"""

import importlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from importlib.metadata import entry_points
from typing import Any

from luthier.contracts import ListedSampler, Policy, Sampler
from luthier.core.choose import Choice
from luthier.core.course import live_rate
from luthier.core.domain import as_tuple
from luthier.core.errors import OptionError, UnknownNameError
from luthier.core.study import Study

SAMPLERS = {
    "random": "luthier.samplers.random:Random",
    "sobol": "luthier.samplers.sobol:Sobol",
    "grid": "luthier.samplers.grid:Grid",
    "fixed": "luthier.samplers.fixed:Fixed",
    "tpe": "luthier.samplers.tpe:Tpe",
    "gp": "luthier.samplers.gp:Gp",
    "cma-es": "luthier.samplers.cma_es:CmaEs",
    "de": "luthier.samplers.de:DifferentialEvolution",
    "optuna": "luthier.samplers.optuna:Optuna",
}
POLICIES = {
    "asha": "luthier.policies.asha:Asha",
    "full": "luthier.policies.full:Full",
    "freeze-thaw": "luthier.policies.freeze_thaw:FreezeThaw",
    "halving": "luthier.policies.halving:SuccessiveHalving",
    "asha-stopping": "luthier.policies.asha_stopping:AshaStopping",
    "hyperband": "luthier.policies.hyperband:Hyperband",
    "pasha": "luthier.policies.pasha:Pasha",
    "median": "luthier.policies.median:MedianStopping",
    "one-epoch": "luthier.policies.one_epoch:OneEpoch",
    "pbt": "luthier.policies.pbt:PopulationBased",
    "children": "luthier.policies.children:Children",
    "autopilot": "luthier.policies.autopilot:Autopilot",
}
# a policy together with its sampler: BOHB (Falkner et al. 2018, arXiv:1807.01774) is Hyperband with
# points from a density estimator on the highest rung that has enough results
PAIRS: dict[str, dict[str, Any]] = {
    "bohb": {
        "class": "luthier.policies.hyperband:Hyperband",
        "options": {
            "sampler": {
                "class": "luthier.samplers.tpe:Tpe",
                "options": {"gamma": 0.15, "n_candidates": 64, "random_share": 1 / 3},
            }
        },
    }
}
NURSE = "luthier.policies.nursing:Nursing"
NURSED: tuple[str, ...] = ()  # unless --no-nurse: where it was found to pay (docs/nursing.md)
# policies that raise their runs by themselves, so that nothing is left to be nursed
_RAISING = ("children", "autopilot", "pbt")
_TABLES = {"samplers": SAMPLERS, "policies": POLICIES}


def known(family: str) -> dict[str, str]:
    """Name -> "module:Class" of a family, entry points included."""
    added = {point.name: point.value for point in entry_points(group=f"luthier.{family}")}
    return {**added, **_TABLES[family]}


def make_sampler(sampler: str | Sampler) -> Sampler:
    """A sampler from its name, or as it is."""
    if not isinstance(sampler, str):
        return sampler
    kind = _find("samplers", sampler)
    try:
        made: Sampler = kind()
    except TypeError as error:
        raise OptionError(
            f"sampler {sampler!r} needs options ({error}); give it from Python: "
            f"sampler={kind.__name__}(…)."
        ) from error
    return made


def make_policy(policy: str | Policy, sampler: str | Sampler = "random") -> Policy:
    """A policy from its name; a sampler's name trains each of its points to the end."""
    if not isinstance(policy, str):
        return policy
    by_name = policy in known("samplers") and policy not in known("policies")
    other = sampler not in ("random", policy) and not isinstance(sampler, ListedSampler)
    if other and (policy in PAIRS or by_name):
        raise OptionError(
            f"policy {policy!r} with sampler {sampler!r}; {policy!r} has a sampler already: "
            "name another policy, or leave the sampler out."
        )
    if policy in PAIRS:
        paired: Policy = from_recipe(PAIRS[policy])
        return paired
    if by_name:
        policy, sampler = "full", policy
    made: Policy = _find("policies", policy)(sampler=make_sampler(sampler))
    return made


def policy_of(choice: Choice) -> Policy:
    """The policy that was chosen."""
    if choice.policy == "children":
        from luthier.policies.children import Children

        nurse = make_policy("autopilot") if choice.nursed else None
        return Children(make_sampler("random"), choice.n_children, nurse)
    return make_policy(choice.policy, choice.sampler)


def nursed(policy: Policy, nurse: bool | None, study: Study) -> Policy:
    """The policy, with the last of the budget for its best runs; None: where that was found to
    pay (docs/nursing.md)."""
    from luthier.policies.nursing import Nursing

    kind = f"{type(policy).__module__}:{type(policy).__qualname__}"
    name = {place: name for name, place in POLICIES.items()}.get(kind, "")
    if nurse and name in _RAISING:
        raise OptionError(f"nurse=True with {name!r}, which raises its runs by itself.")
    if nurse and not _can_be_nursed(study):
        raise OptionError(
            "nurse=True anneals runs, which needs max_steps and a learning rate that is live; "
            "declare lr=Float(1e-5, 1, log=True, live=True), and do not fix it."
        )
    wanted = is_nursed_by_default(name, study) if nurse is None else nurse
    return Nursing(policy) if wanted and not isinstance(policy, Nursing) else policy


def is_nursed_by_default(policy: str, study: Study) -> bool:
    """Whether this policy's best runs are nursed in this study if nobody says otherwise."""
    return policy in NURSED and _can_be_nursed(study)


def _can_be_nursed(study: Study) -> bool:
    return study.max_steps is not None and live_rate(study.space.domains) is not None


def without_nurse(recipe: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """A policy's recipe as it is without nursing, and whether it is nursed."""
    if recipe.get("class") != NURSE:
        return recipe, False
    inner: Mapping[str, Any] = recipe["options"]["policy"]
    return inner, True


def in_stages(policy: Policy, stages: str | None) -> Policy:
    """The policy with its sampler made to tune by importance; "none" and None change nothing."""
    if stages not in (None, "none", "importance"):
        raise OptionError(f"stages={stages!r}; expected 'importance' or 'none'.")
    if stages != "importance":
        return policy
    from luthier.samplers.fixed import Fixed
    from luthier.samplers.staged import Staged

    names = {f.name for f in _fields(policy)}
    own_points = getattr(policy, "proposes_itself", False) and "staged" not in names
    if own_points or "sampler" not in names:
        raise OptionError(
            f"stages={stages!r} with {type(policy).__name__}, which proposes its points itself; "
            "choose a policy that has a sampler, such as asha, or leave stages out."
        )
    changed: Any = policy
    if isinstance(changed.sampler, Fixed | ListedSampler):
        raise OptionError(f"stages={stages!r} with a list of points, which has none; leave it out.")
    itself = {"staged": True} if "staged" in names else {}
    made: Policy = replace(changed, sampler=Staged(changed.sampler), **itself)
    return made


def _fields(player: object) -> tuple[Any, ...]:
    return fields(player) if is_dataclass(player) else ()


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
        names = ", ".join(sorted({*table, *(PAIRS if family == "policies" else ())}))
        if family == "policies":
            names += f"; auto; and, to train every point to the end, {', '.join(known('samplers'))}"
        raise UnknownNameError(f"no {name!r} among the {family}; known are {names}.")
    return _load(table[name])


def _load(place: str) -> Any:  # noqa: ANN401
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
