"""What a parameter's name lets one expect, where the user has stated no prior.

Most spaces come without priors, yet a `learning_rate` is a learning rate. What is known of the
optimizer's parameters (`luthier explain lr`) becomes a prior: it draws the first points, and is
dropped as any other when what was seen speaks against it.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from luthier.core.domain import Confidence, Float, Int
from luthier.core.space import Space
from luthier.core.study import Run
from luthier.knowledge.hyperparameter import Hyperparameter, known
from luthier.models.encoding import decades_of_rate
from luthier.models.priors import SPREADS, Belief, doubted, trust

Array = NDArray[np.float64]
_ADAM, _MOMENTUM = {"adam", "adamw"}, {"sgd", "momentum"}
# a penalty in the loss, on which advice on decay is not; a warm-up, which some count in updates,
# some in epochs, some as a share
_UNCLEAR = re.compile(r"^l2(_|$)|warm_?up", re.IGNORECASE)
# a step is most often an epoch, of which a small batch makes more updates (arXiv:1804.07612)
_PER_EPOCH = {"batch_size": 32.0}
_RATE_DECADES = 0.7  # a learning rate is known to a factor of five, however wide its range
_SURE: Confidence = "medium"  # of what is no rate
_EDGE = 0.25  # whoever chose a range of magnitudes took the best to lie inside


def with_hunches(space: Space) -> Space:
    """The space with priors for the numbers whose names are known."""
    meant = {name: None if _UNCLEAR.search(name) else known(name) for name in space.names}
    ids = {one.id for one in meant.values() if one is not None}
    optimizers = _ADAM if ids & {"beta1", "beta2"} else _MOMENTUM if "momentum" in ids else set()
    domains = dict(space.domains)
    for name, one in meant.items():
        domain = domains[name]
        if one is not None and isinstance(domain, Float | Int) and domain.prior is None:
            usual = [_PER_EPOCH[one.id]] if one.id in _PER_EPOCH else _usual(one, optimizers)
            domains[name] = _with_hunch(name, domain, usual)
    return replace(space, domains=domains)


def belief_of(space: Space, units: Array, lowest: Array) -> Belief:
    """The priors of the space as far as they are trusted, and beside them what the names say; where
    a stated one is doubted, the names alone. `units` (n, d) of the runs' points, `lowest` (n,)
    as of `lowest_so_far`."""
    wrong = doubted(space, units, lowest)
    trusted = {n: t for n, t in trust(space, units, lowest).items() if n not in wrong}
    believed = with_hunches(_without_priors(space, wrong))
    by_name = with_hunches(_without_priors(space, space.names))
    return Belief(believed, doubted(believed, units, lowest), by_name, trusted)


def lowest_so_far(runs: Sequence[Run]) -> Array:
    """(runs,) lowest losses; NaN where none is known yet, +inf where none will be a number."""
    lowest = np.array([run.best_loss for run in runs], dtype=np.float64)
    waiting = np.array([run.active and not len(run.curve) for run in runs], dtype=bool)
    return np.where(np.isnan(lowest) & ~waiting, np.inf, lowest)


def _without_priors(space: Space, names: Sequence[str]) -> Space:
    """The space without what was stated of some numbers; of choices no name says anything."""
    domains = {
        n: replace(d, prior=None) if n in names and isinstance(d, Float | Int) else d
        for n, d in space.domains.items()
    }
    return replace(space, domains=domains)


def _usual(one: Hyperparameter, optimizers: set[str]) -> list[float]:
    """Values advised for training from scratch; what depends on the problem has low confidence."""
    return [
        float(r.prior) for r in one.ranges
        if r.confidence != "low" and r.view == "modern" and r.setting != "fine-tuning"
        and not r.family and (not r.optimizer or not optimizers or optimizers & set(r.optimizer))
        and isinstance(r.prior, int | float) and not isinstance(r.prior, bool)
    ]  # fmt: skip


def _with_hunch(name: str, domain: Float | Int, usual: list[float]) -> Float | Int:
    if not usual:
        return domain
    middle = sum(usual) / len(usual)
    if min(usual) > 0:
        middle = math.exp(sum(map(math.log, usual)) / len(usual))
    middle = min(max(middle, domain.low), domain.high)
    if isinstance(domain, Int):
        place = _inside(domain.to_unit(round(middle)), domain)
        return replace(domain, prior=domain.from_unit(place), confidence=_SURE)
    sure = _confidence(decades_of_rate(name, domain))
    place = _inside(domain.to_unit(middle), domain)
    return replace(domain, prior=domain.from_unit(place), confidence=sure)


def _confidence(decades: float | None) -> Confidence:
    """The surest whose standard deviation is not below what a learning rate is known to."""
    if decades is None:
        return _SURE
    wide_enough = [c for c, spread in SPREADS.items() if spread * decades >= _RATE_DECADES]
    return min(wide_enough, key=SPREADS.__getitem__, default="low")


def _inside(unit: float, domain: Float | Int) -> float:
    return min(max(unit, _EDGE), 1.0 - _EDGE) if domain.log else unit
