"""Conditions between parameters, written as Python comparisons: "a < b", "width * depth <= 4096".

The text is parsed, never executed: names, numbers, strings, + - * / // % **, comparisons, and/or.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, final

from luthier.core.errors import ConstraintError

_ARITHMETIC: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARISON: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


@final
@dataclass(frozen=True)
class Constraint:
    """A test that a point must pass. A parameter that is not active makes it hold."""

    rule: str | Callable[[Mapping[str, Any]], bool]
    names: frozenset[str] = field(init=False, default=frozenset())

    def __post_init__(self) -> None:
        if isinstance(self.rule, str):
            nodes = list(ast.walk(_parse(self.rule)))
            names = frozenset(node.id for node in nodes if isinstance(node, ast.Name))
            object.__setattr__(self, "names", names)
        elif not callable(self.rule):
            raise ConstraintError(
                f"constraint {self.rule!r}; expected a text such as 'a < b' or a callable."
            )

    def __str__(self) -> str:
        rule = self.rule
        return rule if isinstance(rule, str) else getattr(rule, "__qualname__", repr(rule))

    def holds(self, params: Mapping[str, Any]) -> bool:
        """Whether the point passes; ConstraintError when the rule itself fails."""
        if not self.names <= params.keys():
            return True
        try:
            if isinstance(self.rule, str):
                return bool(_evaluate(_parse(self.rule).body, params))
            return bool(self.rule(params))
        except Exception as error:
            raise ConstraintError(
                f"constraint {self} failed on {dict(params)!r}: {type(error).__name__}: {error}."
            ) from error


def _parse(rule: str) -> ast.Expression:
    try:
        tree = ast.parse(rule.strip(), mode="eval")
    except SyntaxError as error:
        raise ConstraintError(f"constraint {rule!r} is no expression: {error.msg}.") from error
    _check(tree.body, rule)
    if not isinstance(tree.body, ast.Compare | ast.BoolOp):
        raise ConstraintError(f"constraint {rule!r} compares nothing; expected such as 'a < b'.")
    return tree


def _check(node: ast.AST, rule: str) -> None:
    operators: list[ast.AST] = []
    match node:
        case ast.Name() | ast.Constant(value=int() | float() | str()):
            return
        case ast.BinOp(left=left, op=op, right=right):
            operators, parts = [op], [left, right]
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            operators, parts = list(ops), [left, *comparators]
        case ast.BoolOp(values=values):
            parts = list(values)
        case ast.UnaryOp(op=ast.USub() | ast.Not(), operand=operand):
            parts = [operand]
        case _:
            raise ConstraintError(
                f"constraint {rule!r} holds {ast.unparse(node)!r}; expected names, numbers, "
                "arithmetic and comparisons. For more, pass a callable."
            )
    for used in operators:
        if type(used) not in _ARITHMETIC and type(used) not in _COMPARISON:
            raise ConstraintError(f"constraint {rule!r} uses an operator that is not known here.")
    for part in parts:
        _check(part, rule)


def _evaluate(node: ast.AST, params: Mapping[str, Any]) -> Any:  # noqa: ANN401  user values
    match node:
        case ast.Name(id=name):
            return params[name]
        case ast.Constant(value=value):
            return value
        case ast.BinOp(left=left, op=op, right=right):
            return _ARITHMETIC[type(op)](_evaluate(left, params), _evaluate(right, params))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _evaluate(operand, params)
        case ast.UnaryOp(operand=operand):
            return -_evaluate(operand, params)
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_evaluate(value, params) for value in values)
        case ast.BoolOp(values=values):
            return any(_evaluate(value, params) for value in values)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [_evaluate(side, params) for side in (left, *comparators)]
            pairs = zip(sides, ops, sides[1:], strict=False)
            return all(_COMPARISON[type(op)](a, b) for a, op, b in pairs)
    raise AssertionError(f"_check let {node!r} pass")
