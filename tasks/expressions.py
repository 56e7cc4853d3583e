"""Derived columns: an expression of a column's values, the same on pandas, NumPy and, for arithmetic, on TensorFlow.

An expression is parsed into Python's own syntax tree and only what is listed here is let through: a problem file is
data, so nothing in it can call, import or look inside anything. Arithmetic takes numbers, as the functions of
`geometry` do; so that an exported network can take raw columns, TensorFlow evaluates it too. Text and date functions
(`row_functions`) take columns or each other's results. Texts stand in quotes as arguments only, and a backslash in them
is a backslash, as regular expressions have many.

What an expression reads and gives is known before any data is: ``log1p(words(review))`` reads a text and gives a
number, ``first(Cabin)`` gives a text.
"""

from __future__ import annotations

import ast
import operator
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from inspect import signature
from typing import Any, Literal, NoReturn

import numpy as np

from tasks import geometry, row_functions
from tasks.errors import ProblemError

Kind = Literal["number", "text", "date", "any value"]


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


@dataclass(frozen=True)
class RowFunction:
    """A function of `row_functions`: the kind that it takes and gives, and the texts that follow the first argument."""

    takes: Kind
    gives: Kind
    texts: Literal["none", "one", "some"] = "none"


ROW_FUNCTIONS = {
    "extract": RowFunction("text", "text", "one"),
    "among": RowFunction("text", "text", "some"),
    "lower": RowFunction("text", "text"),
    "first": RowFunction("text", "text"),
    "length": RowFunction("text", "number"),
    "words": RowFunction("text", "number"),
    "is_missing": RowFunction("any value", "number"),
    "year": RowFunction("date", "number"),
    "month": RowFunction("date", "number"),
    "day": RowFunction("date", "number"),
    "weekday": RowFunction("date", "number"),
    "day_of_year": RowFunction("date", "number"),
    "hour": RowFunction("date", "number"),
}


@dataclass(frozen=True)
class Read:
    """A column that an expression reads: what it must hold, and the function that takes it (else it is arithmetic)."""

    column: str
    takes: Kind
    function: str


def reads(expression: str) -> tuple[Read, ...]:
    """Give the columns that an expression reads, each with the kinds that it is read as, in order.

    Raises
    ------
    ProblemError
        The expression is not one.
    """
    return _parsed(expression).reads


def columns_in(expression: str) -> tuple[str, ...]:
    """Give the names of the columns that an expression reads.

    >>> columns_in("sqrt(total_rooms / households)")
    ('total_rooms', 'households')

    Raises
    ------
    ProblemError
        The expression is not one.
    """
    return tuple(dict.fromkeys(read.column for read in reads(expression)))


def gives(expression: str) -> Kind:
    """Give the kind of an expression's values: number or text.

    >>> gives("first(Cabin)")
    'text'
    """
    return _parsed(expression).gives


def is_arithmetic(expression: str) -> bool:
    """Tell whether an expression is arithmetic alone, which TensorFlow can evaluate too."""
    return _parsed(expression).arithmetic


def evaluate(expression: str, columns: Mapping[str, Any], functions: Any = np) -> Any:
    """Give the value of an expression for every row.

    Parameters
    ----------
    expression : str
        Numbers, column names, ``+ - * / **``, parentheses, the functions of `FUNCTIONS`, `ROW_FUNCTIONS` and
        `geometry`.
    columns : mapping of str to array of shape (rows,)
        NumPy arrays, pandas series or, for arithmetic, tensors.
    functions : module
        Where the functions of `FUNCTIONS` come from: `numpy`, or `tensorflow.math` for tensors.

    >>> evaluate("a / (b + 1)", {"a": 6.0, "b": 2.0})
    2.0
    """

    def value(node: ast.AST) -> Any:
        match node:
            case ast.Constant(value=int() | float() as number):
                return np.float64(number)  # NumPy's division by zero gives infinity, Python's an exception
            case ast.Constant(value=text):
                return text
            case ast.Name(id=name):
                return columns[name]
            case ast.BinOp(left=left, op=op, right=right):
                return OPERATORS[type(op)](value(left), value(right))
            case ast.UnaryOp(op=op, operand=operand):
                return OPERATORS[type(op)](value(operand))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return _called(name, functions)(*[value(argument) for argument in arguments])
            case _:
                raise AssertionError(f"{ast.dump(node)} was let through")

    try:
        return value(_parsed(expression).tree)
    except RecursionError as error:
        raise ProblemError(f"derived = {expression[:40]!r}... is nested too deep.") from error


def _called(name: str, functions: Any) -> Callable[..., Any]:
    if name in geometry.NUMBERS_OF:
        return partial(getattr(geometry, name), functions)
    return getattr(row_functions if name in ROW_FUNCTIONS else functions, name)


@dataclass(frozen=True)
class _Parsed:
    tree: ast.expr
    reads: tuple[Read, ...]
    gives: Kind
    arithmetic: bool


@lru_cache(maxsize=1024)
def _parsed(expression: str) -> _Parsed:
    """Give the syntax tree of an expression, after checking that it is nothing but what is allowed."""
    try:
        tree = ast.parse(_raw(expression), mode="eval").body
        check = _Check(expression)
        kind = check.kind(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ProblemError(f"derived = {expression!r} is not an expression: {error}.") from error
    return _Parsed(tree, tuple(dict.fromkeys(check.reads)), kind, check.arithmetic)


def _raw(expression: str) -> str:
    return expression.replace("\\", "\\\\")


class _Check:
    """One walk over a syntax tree: refuses what is not allowed, and notes what is read."""

    def __init__(self, expression: str) -> None:
        self.expression = expression
        self.reads: list[Read] = []
        self.arithmetic = True

    def kind(self, node: ast.AST) -> Kind:
        match node:
            case ast.Call(func=ast.Name(id=name), args=[argument, *rest], keywords=[]) if name in ROW_FUNCTIONS:
                self.arithmetic = False
                self._texts(name, rest)
                self._argument(argument, ROW_FUNCTIONS[name].takes, name)
                return ROW_FUNCTIONS[name].gives
            case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
                self._argument(argument, "number", name)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in geometry.NUMBERS_OF:
                self._numbers(name, arguments)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
                self._argument(left, "number")
                self._argument(right, "number")
            case ast.UnaryOp(op=op, operand=operand) if type(op) in OPERATORS:
                self._argument(operand, "number")
            case ast.Name():
                self._argument(node, "number")
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool) and abs(value) <= LARGEST:
                pass
            case _:
                self._refuse(node)
        return "number"

    def _argument(self, node: ast.AST, takes: Kind, function: str = "") -> None:
        if isinstance(node, ast.Name):
            self.reads.append(Read(node.id, takes, function))
            return
        found = self.kind(node)
        if takes not in {found, "any value"} and not (takes == "date" and found == "text"):
            raise ProblemError(
                f"derived = {self.expression!r}: {function or 'arithmetic'} takes a {takes}, "
                f"but {self._written(node)!r} is a {found}."
            )

    def _numbers(self, name: str, nodes: list[ast.expr]) -> None:
        """Check the arguments of a function of `geometry`."""
        if len(nodes) != (count := geometry.NUMBERS_OF[name]):
            wanted = ", ".join(list(signature(getattr(geometry, name)).parameters)[1:])
            raise ProblemError(
                f"derived = {self.expression!r}: {name} takes {count} numbers ({wanted}), not {len(nodes)}."
            )
        for node in nodes:
            self._argument(node, "number", name)

    def _texts(self, name: str, nodes: list[ast.expr]) -> None:
        """Check the arguments that are texts in quotes."""
        wanted = ROW_FUNCTIONS[name].texts
        for node in nodes:
            if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
                raise ProblemError(
                    f"derived = {self.expression!r}: {name} takes one column, then texts in quotes, "
                    f"not {self._written(node)!r}."
                )
            if str(ast.get_source_segment(_raw(self.expression), node)).startswith(("r", "R")):
                node.value = node.value.replace("\\\\", "\\")
        if (wanted == "none" and nodes) or (wanted == "one" and len(nodes) != 1) or (wanted == "some" and not nodes):
            number = {"none": "no text", "one": "one text", "some": "at least one text"}[wanted]
            raise ProblemError(f"derived = {self.expression!r}: {name} takes a column and {number} in quotes after it.")
        if name == "extract" and (mistake := row_functions.regex_mistake(str(getattr(nodes[0], "value", "")))):
            raise ProblemError(
                f"derived = {self.expression!r}: {self._written(nodes[0])} is no regular expression of RE2 "
                f"with a group: {mistake}."
            )

    def _written(self, node: ast.AST) -> str:
        text = ast.unparse(node) if isinstance(node, ast.expr) else type(node).__name__
        return text.replace("\\\\", "\\")

    def _refuse(self, node: ast.AST) -> NoReturn:
        raise ProblemError(
            f"derived = {self.expression!r}: {self._written(node)!r} is not allowed; allowed are column names, "
            f"numbers, + - * / **, parentheses, {', '.join([*FUNCTIONS, *geometry.NUMBERS_OF])}, "
            f"and for texts and dates {', '.join(ROW_FUNCTIONS)}."
        )
