"""Conditions on runs: `lr>1e-3 and best<0.5 and optimizer='sgd'`."""

import operator
import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from luthier.page.problem import Problem

_OPS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
}
_PART = re.compile(
    r"""\s*(?P<name>[^\W\d][\w./-]*)\s*(?P<op><=|>=|!=|==|=|<|>)\s*
    (?:'(?P<single>[^']*)'|"(?P<double>[^"]*)"|(?P<bare>[^\s'"<>=!]+))\s*(?P<rest>.*)""",
    re.VERBOSE | re.DOTALL,
)
_AND = re.compile(r"and\b\s*(?=\S)", re.IGNORECASE)
Test = tuple[str, str, str]  # name, comparison, word


def parse(text: str) -> list[Test]:
    """The comparisons, joined by `and`; a Problem says what cannot be read."""
    tests: list[Test] = []
    rest = text
    while rest.strip():
        part = _PART.fullmatch(rest)
        if part is None:
            raise Problem(
                400, f"where: {rest.strip()[:80]!r} is no comparison",
                hint="such as lr>1e-3 and best<0.5 and optimizer='sgd'",
            )  # fmt: skip
        word = next(w for w in part.group("single", "double", "bare") if w is not None)
        tests.append((part["name"], part["op"], word))
        rest = part["rest"]
        if rest.strip():
            joint = _AND.match(rest)
            if joint is None:
                raise Problem(400, f"where: expected `and` before {rest.strip()[:80]!r}")
            rest = rest[joint.end() :]
    return tests


def holds(values: Iterable[Any], op: str, word: str) -> NDArray[np.bool_]:  # (n,)
    """Which values pass; None never does, a text is compared as text."""
    compare = _OPS[op]
    value = _number(word)
    return np.fromiter((_passes(v, compare, value, word) for v in values), dtype=bool)


def _passes(have: Any, compare: Callable[[Any, Any], Any], value: float | None, word: str) -> bool:  # noqa: ANN401
    if have is None:
        return False
    if isinstance(have, bool):
        return bool(compare(str(have).lower(), word.lower()))
    if isinstance(have, int | float):
        return value is not None and bool(compare(have, value))
    return bool(compare(str(have), word))


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None
