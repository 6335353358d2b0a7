"""Policy and sampler of a study by name, and the command that asks for them again."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from luthier.core.domain import Constant
from luthier.core.errors import LuthierError
from luthier.core.study import Study
from luthier.registry import (
    PAIRS,
    POLICIES,
    SAMPLERS,
    from_recipe,
    is_nursed_by_default,
    make_policy,
    to_recipe,
    without_nurse,
)


def policy_words(recipe: Mapping[str, Any]) -> str:
    """Such as "asha (random), nursed"; "" where the recipe has no policy that searches."""
    policy, nursed = without_nurse(recipe.get("policy") or {})
    tail = ", nursed" if nursed else ""
    if pair := _pair(policy):
        return f"{pair}{tail}"
    name = _name(POLICIES, policy)
    if policy.get("class", "").endswith(":Hand"):
        return ""
    sampler = _innermost(policy)
    inner = f" ({_name(SAMPLERS, sampler)})" if sampler else ""
    return f"{name}{inner}{tail}"


def command(study: Study, recipe: Mapping[str, Any], script: str) -> tuple[str, bool]:
    """The command that begins the study again, and whether it gives the policy as it was."""
    policy, nursed = without_nurse(recipe.get("policy") or {})
    sampler = _innermost(policy)
    staged = _name({}, policy.get("options", {}).get("sampler") or {}) == "Staged"
    name = _pair(policy) or _name(POLICIES, policy)
    sampler_name = _name(SAMPLERS, sampler) if sampler and not _pair(policy) else ""
    words = ["luthier", "tune", script]
    choice, asked = recipe.get("choice"), recipe.get("asked") or {}
    workers = recipe.get("workers") or 1
    if choice:  # measured and chosen; with the mode given, the rest follows again
        words += ["--mode", choice["mode"]]
        if asked.get("n_children"):
            words += ["--children", str(asked["n_children"])]
        workers = asked.get("workers")
        if (nurse := recipe.get("nurse")) is not None:
            words += ["--nurse" if nurse else "--no-nurse"]
    else:
        words += ["--policy", name, *(["--sampler", sampler_name] if sampler_name else [])]
        words += ["--stages", "importance"] if staged else []
    if not choice and nursed != is_nursed_by_default(name, study):
        words += ["--nurse" if nursed else "--no-nurse"]
    budget = study.budget
    for option, value in (("--trials", budget.n_trials), ("--steps", budget.n_steps)):
        words += [option, f"{value:g}"] if value is not None else []
    words += ["--time", f"{budget.time_s:g}s"] if budget.time_s is not None else []
    words += ["--workers", str(workers)] if workers else []
    words += ["--seed", str(study.seed)]
    if recipe.get("executor") == "inline":
        words += ["--executor", "inline"]
    for option, key, unit in (("--memory-gb", "memory_gb", ""), ("--disk-gb", "disk_gb", ""),
                              ("--gpus-per-run", "gpus_per_run", ""),
                              ("--timeout", "timeout_s", "s")):  # fmt: skip
        if recipe.get(key) is not None:
            words += [option, f"{recipe[key]:g}{unit}"]
    for parameter, domain in study.space.domains.items():
        if isinstance(domain, Constant):
            words += ["--set", f"{parameter}={json.dumps(domain.value)}"]
    as_it_was = bool(choice) or _is_default(policy, name, sampler_name or "random", staged)
    return shlex.join(words), as_it_was


def _is_default(policy: Mapping[str, Any], name: str, sampler: str, staged: bool) -> bool:
    from luthier.registry import in_stages

    try:
        made = in_stages(make_policy(name, sampler), "importance" if staged else None)
    except LuthierError:
        return False
    return _same(made, policy)


def _same(made: object, policy: Mapping[str, Any]) -> bool:
    """Whether this is the recipe of a player; one of older days may lack newer options."""
    return bool(to_recipe(made) == to_recipe(from_recipe(policy)))


def _innermost(policy: Mapping[str, Any]) -> Mapping[str, Any]:
    """The sampler at the bottom: of stages, that within."""
    sampler: Mapping[str, Any] = (policy.get("options") or {}).get("sampler") or {}
    inner = (sampler.get("options") or {}).get("sampler")
    return inner if isinstance(inner, Mapping) and "class" in inner else sampler


def _pair(policy: Mapping[str, Any]) -> str:
    """The name of a policy that comes with its sampler, such as bohb."""
    for name in PAIRS:
        if PAIRS[name]["class"] == policy.get("class") and _same(make_policy(name), policy):
            return name
    return ""


def _name(table: Mapping[str, str], player: Mapping[str, Any]) -> str:
    """The registered name, else the class's."""
    place = player.get("class", "")
    known = {where: name for name, where in table.items()}
    return str(known.get(place, place.rpartition(":")[2]))
