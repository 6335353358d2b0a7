import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.core.domain import Choice, Float, Int
from luthier.core.errors import ConditionError, ConstraintError, DomainError, PointError
from luthier.core.space import Space, make_space, space_from_json, space_to_json

BOUNDS = st.floats(-1e9, 1e9).map(lambda x: float(f"{x:.6g}"))
POSITIVE = st.floats(1e-12, 1e12)
UNIT = st.floats(0.0, 1.0)


def floats() -> st.SearchStrategy[Float]:
    linear = st.tuples(BOUNDS, BOUNDS).filter(lambda b: b[1] - b[0] > 1e-9)
    log = st.tuples(POSITIVE, POSITIVE).filter(lambda b: b[0] * 1.001 < b[1])
    return linear.map(lambda b: Float(*b)) | log.map(lambda b: Float(*b, log=True))


def ints() -> st.SearchStrategy[Int]:
    def stepped(low: int, n: int, step: int) -> Int:
        return Int(low, low + n * step, step=step)

    numbers = st.integers(1, 1000)
    return st.builds(stepped, st.integers(-1000, 1000), numbers, st.integers(1, 7)) | st.builds(
        lambda low, n: Int(low, low + n, log=True), numbers, numbers
    )


CHOICES = st.sampled_from(
    [Choice("a", "b"), Choice((7, 1), (3, 3), (1, 7)), Choice(1, 2.5, None), Choice(True, False)]
)


@st.composite
def spaces(draw: Callable[..., Any]) -> Space:
    domains: dict[str, Any] = {"kind": Choice("x", "y", "z"), "epochs": 10, "shape": (7, 1)}
    for index, domain in enumerate(draw(st.lists(floats() | ints() | CHOICES, max_size=5))):
        domains[f"p{index}"] = domain
    domains["only_x"] = Float(0.5, 0.99, when={"kind": "x"})
    domains["below"] = Int(1, 8, when={"kind": ["x", "y"], "only_x": 0.5})
    return (
        make_space(domains) if draw(st.booleans()) else make_space(dict(reversed(domains.items())))
    )


@given(spaces(), st.data())
def test_round_trips_are_exact(space: Space, data: st.DataObject) -> None:
    unit = np.array(data.draw(st.lists(UNIT, min_size=space.dimension, max_size=space.dimension)))
    point = space.from_unit(unit)
    assert space.from_unit(space.to_unit(point)) == point
    assert space.cast(point) == point
    assert ("only_x" in point) == (point["kind"] == "x")
    again = space_from_json(json.loads(json.dumps(space_to_json(space))))
    assert again.from_unit(unit) == point
    assert again.domains.keys() == space.domains.keys()


def test_what_cannot_be_told_from_a_bound_is_the_bound() -> None:
    domain = Float(-1.0, 9e-50)
    assert domain.from_unit(1.0 - 1e-16) == 9e-50
    assert domain.from_unit(domain.to_unit(0.0)) == domain.cast(0.0) == 9e-50


@given(floats() | ints())
def test_bounds_are_reached(domain: Float | Int) -> None:
    assert domain.from_unit(0.0) == domain.low
    assert domain.from_unit(1.0) == domain.high


@given(st.integers(2, 50))
def test_options_have_equal_shares(n: int) -> None:
    choice = Choice(*range(n))
    drawn = [choice.from_unit((i + 0.5) / (10 * n)) for i in range(10 * n)]
    assert all(drawn.count(option) == 10 for option in range(n))


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Float(1, 1), DomainError, "low < high"),
        (lambda: Float(2, 1), DomainError, "low=2"),
        (lambda: Float(0, 1, log=True), DomainError, "low > 0"),
        (lambda: Float(0, math.inf), DomainError, "finite"),
        (lambda: Float("1", 2), DomainError, "'1'"),  # type: ignore[arg-type]
        (lambda: Int(0, 10, step=3), DomainError, "high=9"),
        (lambda: Int(0.5, 2), DomainError, "whole"),  # type: ignore[arg-type]
        (lambda: Choice(), DomainError, "no options"),
        (lambda: Choice(1, 1), DomainError, "twice"),
        (lambda: Choice(math.nan, 1), DomainError, "equal to nothing"),
        (lambda: make_space({"a": [1, 2]}), DomainError, "expected Choice"),
        (lambda: make_space({"lr/course": Float(0, 1)}), DomainError, "uses itself"),
        (lambda: Choice(print), DomainError, "string"),
        (lambda: Float(0, 1, prior=2), DomainError, "prior=2"),
        (lambda: Choice("a", prior="b"), DomainError, "prior='b'"),
        (lambda: Float(0, 1, tier=4), DomainError, "tier=4"),
        (lambda: make_space({"a": Float(0, 1, when={"b": 1})}), ConditionError, "'b'"),
        (
            lambda: make_space({"a": Float(0, 1, when={"b": 3}), "b": Choice(1, 2)}),
            ConditionError,
            "never",
        ),
        (
            lambda: make_space(
                {"a": Choice(1, 2, when={"b": 1}), "b": Choice(1, 2, when={"a": 1})}
            ),
            ConditionError,
            "circle",
        ),
        (lambda: make_space({"a": Float(0, 1)}, ["a < c"]), ConstraintError, "'c'"),
        (lambda: make_space({"a": Float(0, 1)}, ["a + 1"]), ConstraintError, "compares nothing"),
        (lambda: make_space({"a": Float(0, 1)}, ["a <"]), ConstraintError, "no expression"),
        (
            lambda: make_space({"a": Float(0, 1)}, ["__import__('os') == a"]),
            ConstraintError,
            "callable",
        ),
        (lambda: make_space({"a": object()}), DomainError, "expected Float, Int, Choice"),
    ],
)
def test_bad_spaces_are_refused(
    make: Callable[[], object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words.replace("(", r"\(")):
        make()


def test_constraints() -> None:
    space = make_space(
        {"a": Int(1, 9), "b": Int(1, 9)}, ["a < b and a * b <= 20", lambda p: p["a"] != 3]
    )
    assert space.feasible({"a": 2, "b": 5})
    assert not space.feasible({"a": 5, "b": 2})
    assert not space.feasible({"a": 3, "b": 4})
    with pytest.raises(PointError, match="breaks"):
        space.cast({"a": 5, "b": 2})
    failing = make_space({"a": Int(1, 9)}, [lambda p: p["nothing"]])
    with pytest.raises(ConstraintError, match="KeyError"):
        failing.feasible({"a": 1})


def test_points_are_checked() -> None:
    space = make_space({"lr": Float(1e-4, 1e-1, log=True), "n": 3})
    assert space.cast({"lr": 1e-2}) == {"lr": 1e-2, "n": 3}
    for bad, words in [({}, "missing"), ({"lr": 1}, "not in"), ({"lr": 1e-2, "x": 1}, "unknown")]:
        with pytest.raises(PointError, match=words):
            space.cast(bad)
    assert space.fix({"lr": 3e-4}).dimension == 0
    assert space.default() == {"lr": pytest.approx(math.sqrt(1e-5)), "n": 3}
