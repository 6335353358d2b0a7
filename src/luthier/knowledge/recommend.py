"""Spaces from knowledge: `recommended(optimizer="adamw", family="cnn")`."""

from collections.abc import Mapping, Sequence
from typing import Any

from luthier.core.domain import Choice, Constant, Domain, Float, Int, Value, as_tuple
from luthier.core.errors import OptionError, UnknownNameError
from luthier.core.space import Space
from luthier.knowledge.family import classes, family_of
from luthier.knowledge.hyperparameter import (
    FAMILIES,
    LOSSES,
    OPTIMIZERS,
    VIEWS,
    Hyperparameter,
    Range,
    hyperparameters,
    known,
)

_ONLY_FINE_TUNED = ("llm", "lora")


def recommended(
    *,
    optimizer: str | Sequence[str] = "adamw",
    model: Any = None,  # noqa: ANN401  torch.nn.Module
    family: str | None = None,
    fine_tuning: bool | None = None,
    batch_size: int | None = None,
    view: str = "modern",
    loss: str = "cross_entropy",
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    override: Mapping[str, object] | None = None,
    **overrides: object,
) -> Space:
    """A space for this case: ranges, scales, priors, tiers, each with its source.

    `family` is mlp, cnn, rnn, transformer, llm or lora; read off `model` if not given. `optimizer`
    may be several: then it is a choice, and ranges are the hull of theirs. `batch_size` fixes it
    and scales the rate; without it the batch is searched. `view`: "modern" or "chapter". `include`
    adds further hyperparameters (luthier explain --all lists them), `exclude` leaves some out.
    `override`, or keywords, replace entries by a domain or a fixed value, or add new ones.
    """
    optimizers = _checked("optimizer", optimizer, OPTIMIZERS)
    _checked("view", view, VIEWS)
    _checked("loss", loss, LOSSES)
    family = family or (family_of(model) if model is not None else "mlp")
    _checked("family", family, FAMILIES)
    if fine_tuning is None:
        fine_tuning = family in _ONLY_FINE_TUNED
    if not fine_tuning and family in _ONLY_FINE_TUNED:
        raise OptionError(f"family={family!r} with fine_tuning=False; such models are fine-tuned.")
    if batch_size is not None and batch_size < 1:
        raise OptionError(f"batch_size={batch_size}; expected 1 or more.")
    setting = "fine-tuning" if fine_tuning else "scratch"
    given = {**(override or {}), **overrides}
    wanted = {_id(name) for name in include}
    unwanted = {_id(name) for name in exclude}
    if model is not None and not any("Dropout" in name for name in classes(model)):
        unwanted |= {"dropout"} - wanted  # a rate that nothing would use
    replaced = {one.id: name for name in given if (one := known(name)) is not None}

    domains: dict[str, Domain] = {}
    for one in hyperparameters().values():
        if one.id in replaced:
            name = replaced[one.id]
            domains[name] = _domain(given[name], one)
        elif one.id in unwanted or not _applies(one, optimizers, family, setting, loss):
            continue
        elif one.id == "optimizer":
            domains["optimizer"] = _optimizer(one, optimizers)
        elif one.id == "batch_size" and batch_size is not None:
            domains["batch_size"] = Constant(batch_size, tier=one.tier, category=one.category,
                                             source="given")  # fmt: skip
        else:
            ranges = {
                o: r for o in optimizers if _exists(one, o)
                and (r := one.range(view, o, family, setting)) is not None
            }  # fmt: skip
            if ranges and (one.id in wanted or _usual(one, family, list(ranges.values()), view)):
                domains[one.space_name or one.id] = _from_ranges(
                    one, ranges, optimizers, batch_size, f"{family}, {setting}"
                )
    domains |= {n: _domain(d, None) for n, d in given.items() if n not in domains}
    return Space(domains)


def _id(name: str) -> str:
    one = known(name)
    if one is None:
        raise UnknownNameError(
            f"no hyperparameter {name!r}; known are {', '.join(hyperparameters())}."
        )
    if not one.searchable:
        raise OptionError(f"{name!r} is not to be searched; see luthier explain {one.id}.")
    return one.id


def _checked(name: str, value: str | Sequence[str], allowed: Sequence[str]) -> tuple[str, ...]:
    values = (value,) if isinstance(value, str) else tuple(value)
    for one in values:
        if one not in allowed:
            raise OptionError(f"{name}={one!r}; expected one of {', '.join(allowed)}.")
    if not values:
        raise OptionError(f"{name}={value!r}; expected one of {', '.join(allowed)}.")
    return values


def _exists(one: Hyperparameter, optimizer: str) -> bool:
    return not one.optimizers or optimizer in one.optimizers


def _applies(
    one: Hyperparameter, optimizers: Sequence[str], family: str, setting: str, loss: str
) -> bool:
    return (
        one.searchable
        and any(_exists(one, o) for o in optimizers)
        and (not one.families or family in one.families)
        and (not one.losses or loss in one.losses)
        and (not one.setting or one.setting == setting)
    )


def _usual(one: Hyperparameter, family: str, ranges: Sequence[Range], view: str) -> bool:
    """In a space without being asked for: the recommended, and what the chapter fixes by value."""
    fixed = view == "chapter" and all(len(r.options) == 1 for r in ranges)
    for_the_loss = bool(one.losses) and not one.recommended_families
    return one.recommended or family in one.recommended_families or for_the_loss or fixed


def _optimizer(one: Hyperparameter, optimizers: tuple[str, ...]) -> Domain:
    if len(optimizers) == 1:
        return Constant(optimizers[0], tier=one.tier, category=one.category, source="given")
    return Choice(*optimizers, prior=optimizers[0], confidence="low", tier=one.tier,
                  category=one.category, source="given")  # fmt: skip


def _domain(value: object, one: Hyperparameter | None) -> Domain:
    """What the user gave; a plain value is a constant."""
    if isinstance(value, Domain):
        return value
    if one is None:
        return Constant(as_tuple(value))
    return Constant(as_tuple(value), tier=one.tier, category=one.category)


def _from_ranges(
    one: Hyperparameter,
    ranges: Mapping[str, Range],
    optimizers: Sequence[str],
    batch_size: int | None,
    case: str,
) -> Domain:
    """One domain for the ranges of all optimizers that have one: their hull."""
    first = next(iter(ranges.values()))
    same = all(r == first for r in ranges.values())
    shared: dict[str, Any] = {
        "confidence": first.confidence if same else "low",
        "tier": one.tier,
        "category": one.category,
        "live": one.live,
        "source": _source(one, ranges, batch_size, case),
    }
    if len(ranges) < len(optimizers):
        shared["when"] = {"optimizer": list(ranges)}
    if first.options:
        options = tuple(dict.fromkeys(o for r in ranges.values() for o in r.options))
        if len(options) == 1:
            return Constant(options[0], **{k: v for k, v in shared.items() if k != "live"})
        return Choice(*options, prior=first.prior, **shared)
    factors = {o: r.factor(batch_size) for o, r in ranges.items()}
    low = min(_scaled(r.low or 0.0, factors[o]) for o, r in ranges.items())
    high = max(_scaled(r.high or 0.0, factors[o]) for o, r in ranges.items())
    prior = None if first.prior is None else _scaled(first.prior, next(iter(factors.values())))
    log = all((r.scale or one.scale) == "log" for r in ranges.values())
    if one.domain == "int":
        whole = None if prior is None else round(prior)
        return Int(round(low), round(high), log=log, prior=whole, **shared)
    return Float(low, high, log=log, prior=prior, **shared)


def _source(
    one: Hyperparameter, ranges: Mapping[str, Range], batch_size: int | None, case: str
) -> str:
    by_range: dict[Range, list[str]] = {}
    for optimizer, r in ranges.items():
        by_range.setdefault(r, []).append(optimizer)
    said = []
    for r, names in by_range.items():
        words = f"{r.view}, {'/'.join(names)}, {case}: {r.source}"
        if r.batch_size is not None and batch_size not in (None, r.batch_size):
            words += f"; x {r.factor(batch_size):.3g} for batch {batch_size} ({r.batch_rule})"
        elif r.batch_size is not None and batch_size is None:
            words += f"; at batch {r.batch_size}"
        said.append(words)
    return f"{one.id} [{' | '.join(said)}]"


def _scaled(value: Value, factor: float) -> float:
    """Two digits are all that a rule of thumb is good for."""
    return float(value) if factor == 1.0 else float(f"{value * factor:.2g}")
