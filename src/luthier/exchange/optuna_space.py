"""A space from the distributions that the trials of an Optuna study were drawn from."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from luthier.core.domain import Choice, Constant, Domain, Float, Int, Value, as_tuple, is_plain
from luthier.core.space import Space

_SOURCE = "Optuna"


def space_of(trials: Sequence[Any]) -> tuple[Space, list[str]]:
    """The space, and what of it could not be carried over as it was.

    Ranges that changed from trial to trial become their hull, which also takes in values that were
    enqueued from outside of it. A parameter that some trials lack gets the condition on a choice
    that tells exactly which ones, where there is such a choice.
    """
    kinds: dict[str, list[Any]] = {}
    values: dict[str, list[Value]] = {}
    for trial in trials:
        for name, kind in trial.distributions.items():
            kinds.setdefault(name, []).append(kind)
            values.setdefault(name, []).append(plain(trial.params[name]))
    told: list[str] = []
    domains = {name: _domain(name, kinds[name], values[name], told) for name in kinds}
    finished = [t for t in trials if t.state.name in ("COMPLETE", "PRUNED")]
    return Space(_with_conditions(domains, finished, told)), told


def plain(value: Value) -> Value:
    """A value that a store can keep: objects by their text, lists as tuples."""
    value = as_tuple(value)
    if isinstance(value, float) and not isfinite(value):
        return str(value)  # of a choice: no number, and unlike itself
    return value if is_plain(value) else repr(value)


def _domain(name: str, kinds: Sequence[Any], values: Sequence[Value], told: list[str]) -> Domain:
    kind = type(kinds[0]).__name__
    if kind == "CategoricalDistribution":
        options = [plain(choice) for one in kinds for choice in one.choices] + list(values)
        distinct = {(type(option), option): option for option in options}
        if any(not is_plain(as_tuple(choice)) for one in kinds for choice in one.choices):
            told.append(f"{name}: choices that are objects are kept as their text")
        return Choice(*distinct.values(), source=_SOURCE)
    low = min([*(one.low for one in kinds), *values])
    high = max([*(one.high for one in kinds), *values])
    if len({(one.low, one.high) for one in kinds}) > 1:
        told.append(f"{name}: its range changed from trial to trial; {low:g} to {high:g} is kept")
    if low == high:
        return Constant(low, source=_SOURCE)
    log = all(one.log for one in kinds)
    if kind == "IntDistribution":
        step = 1 if log else _common_step([one.step for one in kinds], low, high, values)
        return Int(low, high, log=log, step=step, source=_SOURCE)
    steps = {one.step for one in kinds} - {None}
    if steps:
        words = ", ".join(f"{step:g}" for step in sorted(steps))
        told.append(f"{name}: its step {words} is not kept, a Float has none; its values are")
    return Float(low, high, log=log, source=_SOURCE)


def _common_step(steps: Sequence[int], low: int, high: int, values: Sequence[int]) -> int:
    """The step if one fits them all, else 1."""
    step = steps[0]
    alike = len(set(steps)) == 1 and all((v - low) % step == 0 for v in [high, *values])
    return step if alike else 1


def _with_conditions(
    domains: dict[str, Domain], trials: Sequence[Any], told: list[str]
) -> dict[str, Domain]:
    """Conditions as the trials show them: parents are looked for among what is settled."""
    points = [{name: plain(value) for name, value in t.params.items()} for t in trials]
    settled = [name for name in domains if all(name in point for point in points)]
    waiting = [name for name in domains if name not in settled]
    found = {name: domains[name] for name in settled}
    while waiting:
        ready = {name: when for name in waiting if (when := _condition(name, found, points))}
        for name, when in ready.items():
            found[name] = _when(domains[name], when)
            words = " and ".join(f"{parent} in {list(v)}" for parent, v in when.items())
            told.append(f"{name}: only some trials have it, those with {words}")
        if not ready:
            told += [f"{name}: only some trials have it; no rule was seen" for name in waiting]
            found |= {name: domains[name] for name in waiting}
            break
        waiting = [name for name in waiting if name not in ready]
    return {name: found[name] for name in domains}


def _condition(
    name: str, settled: Mapping[str, Domain], points: Sequence[Mapping[str, Value]]
) -> Mapping[str, list[Value]] | None:
    with_it = [point for point in points if name in point]
    without = [point for point in points if name not in point]
    if not with_it or not without:
        return None
    for parent, domain in settled.items():
        if not isinstance(domain, Choice):
            continue
        seen = [option for option in domain.options if any(_is(p, parent, option) for p in with_it)]
        holds = all(any(_is(p, parent, option) for option in seen) for p in with_it)
        if holds and not any(_is(p, parent, option) for p in without for option in seen):
            return {parent: seen}
    return None


def _is(point: Mapping[str, Value], name: str, option: Value) -> bool:
    return name in point and type(point[name]) is type(option) and point[name] == option


def _when(domain: Domain, when: Mapping[str, list[Value]]) -> Domain:
    source = f"{_SOURCE}; condition seen in the trials"
    match domain:
        case Float():
            return Float(domain.low, domain.high, log=domain.log, when=when, source=source)
        case Int():
            return Int(domain.low, domain.high, log=domain.log, step=domain.step, when=when,
                       source=source)  # fmt: skip
        case Choice():
            return Choice(*domain.options, when=when, source=source)
        case Constant():
            return Constant(domain.value, when=when, source=source)
    raise AssertionError(f"a domain that is not known here: {domain!r}")
