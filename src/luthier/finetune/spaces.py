"""The strategy as a dimension of a search, with the hyperparameters that each has."""

from typing import Any

from luthier.core.domain import Choice, Constant, Domain, Float
from luthier.core.errors import OptionError
from luthier.core.space import Space
from luthier.finetune.strategies import STRATEGIES
from luthier.knowledge.entry import Entry, load
from luthier.knowledge.recommend import recommended


def space(*strategies: str, optimizer: str = "adamw", **case: Any) -> Space:  # noqa: ANN401
    """A space over these strategies (all but LoRA, if none is named).

    `case` as for `luthier.recommended`, overrides included. The rate is the hull of what the
    strategies want; their own parameters depend on the strategy.
    """
    chosen = strategies or tuple(name for name in STRATEGIES if name != "lora")
    if unknown := [name for name in chosen if name not in STRATEGIES]:
        raise OptionError(f"strategies {unknown}; expected some of {', '.join(STRATEGIES)}.")
    of = {
        str((e.facts or {})["strategy"]): e
        for e in load().values()
        if "strategy" in (e.facts or {})
    }
    owners: dict[str, list[str]] = {}
    for name in chosen:
        for parameter in (of[name].facts or {}).get("parameters", ()):
            owners.setdefault(parameter, []).append(name)
    if chosen == ("lora",) and not {"family", "model"} & case.keys():
        case["family"] = "lora"
    given = case.pop("override", {}) or {}
    family = case.get("family")
    lora = {p for p in owners if p.startswith("lora_")}
    include = [*case.pop("include", ()), *(p for p in owners if p not in lora)]
    exclude = [*case.pop("exclude", ()), "strategy"]
    base = recommended(optimizer=optimizer, fine_tuning=True, include=include, exclude=exclude,
                       override=given, **case)  # fmt: skip
    domains: dict[str, Domain] = dict(base.domains)
    if lora and family != "lora":
        tuned = recommended(optimizer=optimizer, family="lora", include=list(lora)).domains
        domains |= {name: tuned[name] for name in tuned if name in lora}
    if "lr" not in given and "lr" not in case:
        domains["lr"] = _rate(base.domains["lr"], [of[name] for name in chosen], optimizer)
    strategy: Domain = (
        Constant(chosen[0], tier=1, category="optimization", source="given")
        if len(chosen) == 1
        else Choice(*chosen, tier=1, category="optimization", source="given")
    )
    found: dict[str, Domain] = {"strategy": strategy}
    for name, domain in domains.items():
        by = owners.get(name)
        if by is not None and len(by) < len(chosen) and name not in given and name not in case:
            domain = _when(domain, by)
        found[name] = domain
    return Space(found)


def _rate(usual: Domain, entries: list[Entry], optimizer: str) -> Domain:
    """The hull of the strategies' rates: the usual one, or what their entry says."""
    assert isinstance(usual, Float)
    key = "lr_sgd" if optimizer in ("sgd", "momentum") else "lr_adam"
    rates, sources = [], []
    for entry in entries:
        own = (entry.facts or {}).get(key)
        rates.append(own or [usual.low, usual.high, usual.prior])
        sources.append(f"{entry.id}: {entry.sources[0]}" if own else str(usual.source))
    low, high = min(r[0] for r in rates), max(r[1] for r in rates)
    return Float(
        low, high, log=True, prior=rates[0][2], tier=1, category="optimization", live=True,
        confidence=usual.confidence if len(rates) == 1 else "low",
        source="; ".join(dict.fromkeys(sources)),
    )  # fmt: skip


def _when(domain: Domain, strategies: list[str]) -> Domain:
    """The same domain, there only with these strategies."""
    fields = {n: getattr(domain, n) for n in domain.__dataclass_fields__ if n != "_"}
    options = fields.pop("options", ())
    kind: Any = type(domain)
    made: Domain = kind(*options, **{**fields, "when": {"strategy": strategies}})
    return made
