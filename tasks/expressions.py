"""Derived columns are declared as arithmetic on columns; the same expression runs on pandas, NumPy and TensorFlow.

An expression is parsed into Python's own syntax tree and only arithmetic is let through: a problem file is data, so
nothing in it can call, import or look inside anything. TensorFlow evaluates it too, so that an exported network can
take raw columns.
"""

from __future__ import annotations

import ast
import operator
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tasks.errors import ProblemError


def _itself(value: Any) -> Any:
    return value  # a tensor has no unary plus


OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: _itself,
}
LARGEST = sys.float_info.max
FUNCTIONS = ("sqrt", "log", "log1p", "exp", "abs", "sin", "cos")


def columns_in(expression: str) -> tuple[str, ...]:
    """Give the names of the columns that an expression reads.

    >>> columns_in("sqrt(total_rooms / households)")
    ('total_rooms', 'households')

    Raises
    ------
    ProblemError
        The expression is not arithmetic on columns.
    """
    nodes = list(ast.walk(_parsed(expression)))
    called = [node.func for node in nodes if isinstance(node, ast.Call)]
    return tuple(dict.fromkeys(node.id for node in nodes if isinstance(node, ast.Name) and node not in called))


def evaluate(expression: str, columns: Mapping[str, Any], functions: Any = np) -> Any:
    """Give the value of an expression for every row.

    Parameters
    ----------
    expression : str
        Numbers, column names, ``+ - * / **``, parentheses and the functions of `FUNCTIONS`.
    columns : mapping of str to array of shape (rows,)
        NumPy arrays, pandas series or tensors.
    functions : module
        Where the functions come from: `numpy`, or `tensorflow.math` for tensors.

    >>> evaluate("a / (b + 1)", {"a": 6.0, "b": 2.0})
    2.0
    """

    def value(node: ast.AST) -> Any:
        match node:
            case ast.Constant(value=int() | float() as number):
                return np.float64(number)  # NumPy's division by zero gives infinity, Python's an exception
            case ast.Name(id=name):
                return columns[name]
            case ast.BinOp(left=left, op=op, right=right):
                return OPERATORS[type(op)](value(left), value(right))
            case ast.UnaryOp(op=op, operand=operand):
                return OPERATORS[type(op)](value(operand))
            case ast.Call(func=ast.Name(id=name), args=[argument]):
                return getattr(functions, name)(value(argument))
            case _:
                raise AssertionError(f"{ast.dump(node)} was let through")

    try:
        return value(_parsed(expression))
    except RecursionError as error:
        raise ProblemError(f"derived = {expression[:40]!r}... is nested too deep.") from error


def _parsed(expression: str) -> ast.expr:
    """Give the syntax tree of an expression, after checking that it is nothing but arithmetic."""
    try:
        tree = ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ProblemError(f"derived = {expression!r} is not an expression: {error}.") from error
    for node in ast.walk(tree):
        if not _is_arithmetic(node):
            what = ast.unparse(node) if isinstance(node, ast.expr) else type(node).__name__
            raise ProblemError(
                f"derived = {expression!r}: {what!r} is not allowed; allowed are column names, numbers, "
                f"+ - * / **, parentheses and {', '.join(FUNCTIONS)}."
            )
    return tree


def _is_arithmetic(node: ast.AST) -> bool:
    match node:
        case ast.Constant(value=value):
            return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= LARGEST
        case ast.Call(func=ast.Name(id=name), args=[_], keywords=[]):
            return name in FUNCTIONS
        case ast.BinOp() | ast.UnaryOp() | ast.Name() | ast.Load():
            return True
        case _:
            return type(node) in OPERATORS
