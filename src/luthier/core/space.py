"""A search space: named domains, and the way to the unit cube and back.

Samplers see only the cube [0, 1]^d; the space translates. Constants take no coordinate; a
parameter whose condition does not hold is left out of the point and sits at its default place in
the cube, so that points which differ only there are the same point.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from luthier.core.constraint import Constraint
from luthier.core.course import is_extra
from luthier.core.domain import Choice, Constant, Domain, Float, Int, Value, as_tuple
from luthier.core.errors import ConditionError, ConstraintError, DomainError, PointError

Params = Mapping[str, Value]
_KINDS: dict[str, type[Domain]] = {kind.__name__: kind for kind in (Float, Int, Choice, Constant)}
_SHARED = ("prior", "confidence", "tier", "category", "live", "when", "source")


@final
@dataclass(frozen=True)
class Space:
    """Names and their domains (plain values become constants), and constraints between them."""

    domains: Mapping[str, Domain]
    constraints: tuple[Constraint, ...] = ()
    _order: tuple[str, ...] = field(init=False, default=(), repr=False)

    def __post_init__(self) -> None:
        for name, domain in self.domains.items():
            _check_condition(name, domain, self.domains)
        for constraint in self.constraints:
            unknown = sorted(constraint.names - self.domains.keys())
            if unknown:
                raise ConstraintError(
                    f"constraint {constraint} names {unknown}; "
                    f"expected names of the space: {sorted(self.domains)}."
                )
        object.__setattr__(self, "_order", _parents_first(self.domains))

    @property
    def names(self) -> tuple[str, ...]:
        """The searched parameters, one per coordinate of the cube, in order."""
        return tuple(n for n, d in self.domains.items() if not isinstance(d, Constant))

    @property
    def dimension(self) -> int:
        """How many coordinates the cube has."""
        return len(self.names)

    def from_unit(self, unit: NDArray[np.float64]) -> dict[str, Value]:
        """Point at `unit`, shape (d,): active parameters only, in the space's order."""
        where = dict(zip(self.names, map(float, unit), strict=True))
        drawn = {n: d.from_unit(where.get(n, 0.5)) for n, d in self.domains.items()}
        return self._only_active(drawn)

    def to_unit(self, params: Params) -> NDArray[np.float64]:
        """Coordinates of a point, shape (d,); inactive ones sit where their default is."""
        places = []
        for name in self.names:
            domain = self.domains[name]
            value = params[name] if name in params else domain.default()
            places.append(domain.to_unit(value))
        return np.array(places, dtype=np.float64)

    def cast(self, params: Params) -> dict[str, Value]:
        """The same point on the grid; PointError says what is missing, unknown or outside."""
        unknown = sorted(params.keys() - self.domains.keys())
        if unknown:
            raise PointError(f"unknown parameters {unknown}; the space has {sorted(self.domains)}.")
        point: dict[str, Value] = {}
        for name in self._order:
            domain = self.domains[name]
            if not _active(domain, point):
                continue
            if name in params:
                self._check_each({name: params[name]})
                point[name] = domain.cast(params[name])
            elif isinstance(domain, Constant):
                point[name] = domain.value
            else:
                raise PointError(f"{name} is missing; expected a value of {domain}.")
        if not self.feasible(point):
            broken = [str(c) for c in self.constraints if not c.holds(point)]
            raise PointError(f"{point} breaks {broken}.")
        return {name: point[name] for name in self.domains if name in point}

    def default(self) -> dict[str, Value]:
        """Every prior, and the middle where there is none; constraints are not looked at."""
        return self._only_active({n: d.default() for n, d in self.domains.items()})

    def defaults(self) -> dict[str, Value]:
        """The default of every parameter, those included that are not active there."""
        return {name: domain.default() for name, domain in self.domains.items()}

    def feasible(self, params: Params) -> bool:
        """Whether every constraint holds."""
        return all(constraint.holds(params) for constraint in self.constraints)

    def fix(self, values: Params) -> "Space":
        """The same space with some parameters made constants."""
        unknown = sorted(values.keys() - self.domains.keys())
        if unknown:
            raise PointError(f"unknown parameters {unknown}; the space has {sorted(self.domains)}.")
        self._check_each(values)
        fixed = {
            n: Constant(d.cast(values[n]), tier=d.tier, category=d.category, when=d.when)
            for n, d in self.domains.items()
            if n in values
        }
        return replace(self, domains=_possible({**self.domains, **fixed}))

    def explain(self) -> str:
        """What each parameter may be and where that comes from, a line each."""
        rows = [("name", "tier", "values", "prior", "where from")]
        for name, d in self.domains.items():
            prior = "" if d.prior is None else f"{d.prior} ({d.confidence})"
            marks = [" live"] * d.live + [
                f" when {k} in {_allowed(v)}" for k, v in (d.when or {}).items()
            ]
            rows.append(
                (name, str(d.tier), str(d) + ",".join(marks), prior, d.source or "given by hand")
            )
        widths = [max(len(row[n]) for row in rows) for n in range(5)]
        lines = (zip(row, widths, strict=True) for row in rows)
        return "\n".join("  ".join(c.ljust(w) for c, w in line).rstrip() for line in lines)

    def _check_each(self, values: Params) -> None:
        for name, value in values.items():
            try:
                self.domains[name].cast(value)
            except PointError as error:
                raise PointError(f"{name}={value!r} is not in {self.domains[name]}.") from error

    def _only_active(self, values: Mapping[str, Value]) -> dict[str, Value]:
        point: dict[str, Value] = {}
        for name in self._order:
            if _active(self.domains[name], point):
                point[name] = values[name]
        return {name: point[name] for name in self.domains if name in point}


def make_space(
    space: Space | Mapping[str, object],
    constraints: Iterable[str | Callable[[Params], bool]] = (),
) -> Space:
    """A Space from a mapping of names to domains or plain values."""
    rules = (constraints,) if isinstance(constraints, str) else constraints
    added = tuple(Constraint(rule) for rule in rules)
    if isinstance(space, Space):
        return replace(space, constraints=space.constraints + added) if added else space
    if not isinstance(space, Mapping):
        raise DomainError(f"space={space!r}; expected a mapping of names to domains.")
    for name in space:
        if not isinstance(name, str) or not name:
            raise DomainError(f"a parameter is named {name!r}; expected a text that is not empty.")
        if is_extra(name):
            raise DomainError(f"{name!r} is a name that Luthier uses itself; choose another.")
        if isinstance(values := space[name], list):
            told = ", ".join(map(repr, values))
            raise DomainError(
                f"{name} is the list [{told}]; expected Choice({told}) to search among its values, "
                f"or a tuple for one that stays: {tuple(values)!r}."
            )
    domains = {
        name: d if isinstance(d, Domain) else Constant(as_tuple(d)) for name, d in space.items()
    }
    return Space(domains, added)


def space_to_json(space: Space) -> dict[str, Any]:
    """The space as JSON data. A callable constraint is kept by name only, to be shown."""
    rows = []
    for name, domain in space.domains.items():
        row: dict[str, Any] = {"name": name, "kind": type(domain).__name__}
        own = [f for f in domain.__dataclass_fields__ if f not in _SHARED and f != "_"]
        row |= {f: getattr(domain, f) for f in own}
        row |= {f: getattr(domain, f) for f in _SHARED if getattr(domain, f) is not None}
        if domain.when:
            row["when"] = {k: list(_allowed(wanted)) for k, wanted in domain.when.items()}
        rows.append(row)
    rules = [{"rule": str(c), "text": isinstance(c.rule, str)} for c in space.constraints]
    return {"domains": rows, "constraints": rules}


def space_from_json(data: Mapping[str, Any]) -> Space:
    """The space again, without those constraints that were callables."""
    domains: dict[str, Domain] = {}
    for row in data["domains"]:
        fields = {k: as_tuple(v) for k, v in row.items() if k not in ("name", "kind", "when")}
        if row.get("when"):
            fields["when"] = {k: [as_tuple(v) for v in vs] for k, vs in row["when"].items()}
        kind = _KINDS[row["kind"]]
        options = fields.pop("options", ())
        domains[row["name"]] = kind(*options, **fields)
    return Space(domains, tuple(Constraint(c["rule"]) for c in data["constraints"] if c["text"]))


def _possible(domains: Mapping[str, Domain]) -> dict[str, Domain]:
    """Without those that wait for what a constant will never be."""
    left = dict(domains)
    while True:
        gone = [
            name
            for name, domain in left.items()
            for parent, wanted in (domain.when or {}).items()
            if parent not in left or _never(left[parent], wanted)
        ]
        if not gone:
            return left
        left = {name: domain for name, domain in left.items() if name not in gone}


def _never(parent: Domain, wanted: Value) -> bool:
    return isinstance(parent, Constant) and parent.value not in _allowed(wanted)


def _allowed(wanted: Value) -> tuple[Value, ...]:
    """`when={"a": 1}` and `when={"a": [1, 2]}` alike: the values that make it hold."""
    return tuple(wanted) if isinstance(wanted, list | set | frozenset) else (wanted,)


def _active(domain: Domain, point: Params) -> bool:
    conditions = (domain.when or {}).items()
    return all(n in point and point[n] in _allowed(wanted) for n, wanted in conditions)


def _check_condition(name: str, domain: Domain, domains: Mapping[str, Domain]) -> None:
    for parent, wanted in (domain.when or {}).items():
        if parent not in domains:
            raise ConditionError(
                f"{name} depends on {parent!r}, which the space does not have; "
                f"expected one of {sorted(domains)}."
            )
        if isinstance(domains[parent], Constant):
            continue  # fixed by the user: what waits for another value is never active
        for value in _allowed(wanted):
            try:
                domains[parent].cast(value)
            except PointError as error:
                raise ConditionError(
                    f"{name} waits for {parent} == {value!r}, which can never be: "
                    f"{parent} is {domains[parent]}."
                ) from error


def _parents_first(domains: Mapping[str, Domain]) -> tuple[str, ...]:
    order: list[str] = []
    rest = dict(domains)
    while rest:
        ready = [n for n, d in rest.items() if not (d.when or {}).keys() & rest.keys()]
        if not ready:
            raise ConditionError(f"the conditions of {sorted(rest)} go round in a circle.")
        order += ready
        for name in ready:
            del rest[name]
    return tuple(order)
