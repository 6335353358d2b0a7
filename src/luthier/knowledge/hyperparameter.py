"""What is known of each hyperparameter: category, tier, ranges then and now."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, final

from luthier.core.domain import CATEGORIES, CONFIDENCES, Category, Confidence, Value
from luthier.core.errors import KnowledgeError
from luthier.knowledge.entry import Entry, index, load, plain

View = Literal["chapter", "modern"]
VIEWS = ("chapter", "modern")
SETTINGS = ("scratch", "fine-tuning")
OPTIMIZERS = (
    "sgd", "momentum", "adagrad", "adadelta", "rmsprop", "adam", "adamw", "adamax", "nadam",
)  # fmt: skip
FAMILIES = ("mlp", "cnn", "rnn", "transformer", "llm", "lora")
LOSSES = ("cross_entropy", "focal", "auxiliary", "multi-task")
_RULES = {"none": 0.0, "sqrt": 0.5, "linear": 1.0}  # a rate grows with (batch / reference) ** this
# beyond it linear scaling is known to fail (arXiv:1706.02677: 8k images from a reference of 256)
_LARGEST_FACTOR = 32.0


@final
@dataclass(frozen=True, slots=True)
class Range:
    """Values advised in one view; empty tuples and "" mean that it holds for any."""

    view: View
    source: str
    optimizer: tuple[str, ...] = ()
    family: tuple[str, ...] = ()
    setting: str = ""
    low: float | None = None
    high: float | None = None
    options: tuple[Value, ...] = ()
    prior: Value = None
    confidence: Confidence = "medium"
    scale: str = ""  # where it differs from the hyperparameter's
    batch_size: int | None = None  # the batch that the numbers hold for …
    batch_rule: str = "none"  # … and how they grow with it: none, sqrt, linear

    def fits(self, optimizer: str, family: str, setting: str) -> bool:
        """Whether it speaks of this case; an empty word fits only what holds for any."""
        return (
            (not self.optimizer or optimizer in self.optimizer)
            and (not self.family or family in self.family)
            and (not self.setting or setting == self.setting)
        )

    @property
    def n_conditions(self) -> int:
        """How special it is."""
        return bool(self.optimizer) + bool(self.family) + bool(self.setting)

    def factor(self, batch_size: int | None) -> float:
        """What low, high and prior are multiplied by at this batch size."""
        if batch_size is None or self.batch_size is None:
            return 1.0
        ratio = (batch_size / self.batch_size) ** _RULES[self.batch_rule]
        return float(min(max(ratio, 1 / _LARGEST_FACTOR), _LARGEST_FACTOR))


@final
@dataclass(frozen=True, slots=True)
class Hyperparameter:
    """One hyperparameter; `entry` holds its texts."""

    entry: Entry
    category: Category  # chapter 14.2
    tier: int  # chapter 14.4: 1, 2 or 3
    order: int  # of importance, 1 first; what the chapter names together may share it
    domain: str  # float, int or choice
    ranges: tuple[Range, ...]
    scale: str = "linear"  # or "log"
    live: bool = False  # may change while a run trains
    last: bool = False  # tuned after everything else (depth)
    searchable: bool = True  # False: searching over it is a mistake (seed)
    space_name: str = ""  # its usual name in a space, if that is not the id
    setting: str = ""  # of fine-tuning only
    optimizers: tuple[str, ...] = ()  # exists only with these
    families: tuple[str, ...] = ()  # exists only in these
    losses: tuple[str, ...] = ()  # exists only with these
    recommended: bool = False  # in every recommended space where it applies
    recommended_families: tuple[str, ...] = ()  # … or in those of these families

    @property
    def id(self) -> str:
        """The entry's id."""
        return self.entry.id

    def range(self, view: str, optimizer: str, family: str, setting: str) -> Range | None:
        """The most special range that fits; of equals the first."""
        there = [r for r in self.ranges if r.view == view and r.fits(optimizer, family, setting)]
        return max(there, key=lambda r: r.n_conditions, default=None)


@functools.cache
def hyperparameters() -> dict[str, Hyperparameter]:
    """All by id, the most important first; KnowledgeError for one that contradicts the schema."""
    found = [make(entry) for entry in load().values() if entry.kind == "hyperparameter"]
    return {one.id: one for one in sorted(found, key=lambda one: (one.tier, one.order))}


def known(name: str) -> Hyperparameter | None:
    """What is known of a parameter of that name, or None."""
    return hyperparameters().get(index().get(plain(name), ""))


def make(entry: Entry) -> Hyperparameter:
    """An entry read as a hyperparameter, and checked."""
    facts = dict(entry.facts or {})
    rows = facts.pop("ranges", None)
    if not isinstance(rows, list):
        raise KnowledgeError(f"{entry.id}: no list `ranges`.")
    ranges = tuple(
        _fill(Range, row, f"{entry.id} range {number}") for number, row in enumerate(rows, 1)
    )
    made: Hyperparameter = _fill(
        Hyperparameter, {**facts, "entry": entry, "ranges": ranges}, entry.id
    )
    _expect(entry.id, "category", made.category, CATEGORIES)
    _expect(entry.id, "tier", made.tier, (1, 2, 3))
    _expect(entry.id, "domain", made.domain, ("float", "int", "choice"))
    _expect(entry.id, "scale", made.scale, ("linear", "log"))
    for name, allowed in (("optimizers", OPTIMIZERS), ("families", FAMILIES), ("losses", LOSSES),
                          ("recommended_families", FAMILIES)):  # fmt: skip
        for word in getattr(made, name):
            _expect(entry.id, name, word, allowed)
    for number, one in enumerate(ranges, 1):
        _check_range(made, one, f"{entry.id} range {number}")
    return made


def _check_range(of: Hyperparameter, one: Range, place: str) -> None:
    _expect(place, "view", one.view, VIEWS)
    _expect(place, "confidence", one.confidence, CONFIDENCES)
    _expect(place, "batch_rule", one.batch_rule, tuple(_RULES))
    _expect(place, "setting", one.setting, ("", *SETTINGS))
    for word in one.optimizer:
        _expect(place, "optimizer", word, OPTIMIZERS)
    for word in one.family:
        _expect(place, "family", word, FAMILIES)
    if bool(one.options) == (one.low is not None and one.high is not None):
        raise KnowledgeError(f"{place}: expected either low and high, or options.")
    if one.options:
        if one.prior is not None and one.prior not in one.options:
            raise KnowledgeError(f"{place}: prior {one.prior!r} is none of {one.options}.")
        return
    low, high = float(one.low or 0.0), float(one.high or 0.0)
    if not low < high or (one.prior is not None and not low <= one.prior <= high):
        raise KnowledgeError(f"{place}: expected low < high and the prior between them.")
    if (one.scale or of.scale) == "log" and low <= 0:
        raise KnowledgeError(f"{place}: a log scale from {low:g}; expected low > 0.")


def _fill(kind: Any, values: Mapping[str, Any], place: str) -> Any:  # noqa: ANN401
    """A dataclass from a table: lists become tuples, and unknown keys are errors."""
    if not isinstance(values, Mapping):
        raise KnowledgeError(f"{place}: {values!r}; expected a table.")
    if unknown := sorted(values.keys() - kind.__dataclass_fields__.keys()):
        raise KnowledgeError(f"{place}: unknown keys {unknown}.")
    try:
        return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    except TypeError as error:
        raise KnowledgeError(f"{place}: {error}.") from error


def _expect(place: str, name: str, value: object, allowed: tuple[object, ...]) -> None:
    if value not in allowed:
        raise KnowledgeError(f"{place}: {name}={value!r}; expected one of {allowed}.")
