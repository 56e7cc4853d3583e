"""From what a client sent to checked columns: rows by name, rows as plain arrays, columns, tables.

Every face of a model reads requests by these alone, so that all refuse the same things in the same words. What is
outside the range of training is answered all the same, and flagged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, TypedDict, cast

import numpy as np

from serving.settings import Settings
from serving.values import BadRequest, Place, checked, shown
from tasks.direct import Columns
from tasks.records import Input
from tasks.sentences import listed, meant

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_FLAGS = 1000
LARGE = 100_000
"""A request of more bytes than so many is read in a thread: others are not to wait for it."""
NUMBERS = ("number", "integer")


class Flag(TypedDict):
    """A value outside the range that the training rows had."""

    row: int
    column: str
    value: float
    trained_on: list[float | None]


class Rows:
    """Reads rows for one model.

    Parameters
    ----------
    inputs : sequence of Input
        What a row must have, in the order in which rows without names are read.
    """

    def __init__(self, inputs: Sequence[Input]) -> None:
        self.inputs = {each.name: each for each in inputs}
        self._names = self.inputs.keys()
        self._floats = [each.name for each in inputs if each.kind == "number"]
        self._ranged = [each for each in inputs if each.kind in NUMBERS]
        self._low = np.array([[-np.inf if each.low is None else each.low] for each in self._ranged])
        self._high = np.array([[np.inf if each.high is None else each.high] for each in self._ranged])

    def instances(self, value: Any, most_rows: int = Settings.most_rows) -> Columns:
        """Give the columns of rows: objects by name, or where all inputs are numbers, arrays of any rank.

        Raises
        ------
        BadRequest
            Something is missing, too much or not what training had: says what, where, and what is allowed.
        """
        _check_rows(value, "instances", most_rows)
        kinds = set(map(type, value))
        if kinds == {dict}:
            for row, each in enumerate(value):
                self._check_names(each.keys(), f"instances[{row}]")
            lists = {name: [each[name] for each in value] for name in self._names}
            return self._checked(lists, lambda name, row: f"instances[{row}].{name}")
        if kinds == {list}:
            return self._arrays(value, "instances")
        if kinds & {dict, list} or len(self.inputs) > 1:
            raise BadRequest(
                'Every one of "instances" must be an object such as '
                f'{{"{next(iter(self._names), "column")}": ...}}{self._or_arrays()}, all of them alike.'
            )
        return self._checked({next(iter(self._names)): value}, lambda _name, row: f"instances[{row}]")

    def columns(self, value: Any, most_rows: int = Settings.most_rows) -> Columns:
        """Give the columns of an object of lists by name, or of a list where there is one column.

        Where all inputs are numbers, rows as arrays will do.

        Raises
        ------
        BadRequest
            See `instances`.
        """
        if isinstance(value, list):
            _check_rows(value, "inputs", most_rows)
            if set(map(type, cast("list[Any]", value))) == {list}:
                return self._arrays(cast("list[list[Any]]", value), "inputs")
            if len(self.inputs) == 1:
                only = next(iter(self._names))
                return self._checked({only: cast("list[Any]", value)}, lambda _name, row: f"inputs[{row}]")
        if not isinstance(value, dict):
            raise BadRequest(f'"inputs" must be an object of lists by column{self._or_arrays()}, not {shown(value)}.')
        lists = cast("dict[str, Any]", value)
        self._check_names(lists.keys(), '"inputs"')
        for name, values in lists.items():
            _check_rows(values, f"inputs.{name}", most_rows)
        check_lengths({name: len(values) for name, values in lists.items()}, "inputs.")
        return self._checked(lists, lambda name, row: f"inputs.{name}[{row}]")

    def flags(self, columns: Columns) -> list[Flag]:
        """Give which numbers are outside the range of training, row by row; at most `MOST_FLAGS` of them."""
        if not self._ranged:
            return []
        values = np.array([columns[each.name] for each in self._ranged], dtype="float64")
        outside = (values < self._low) | (values > self._high)
        if not outside.any():
            return []
        places = np.argwhere(outside.T)[:MOST_FLAGS].tolist()
        return [_flag(self._ranged[column], row, values[column, row]) for row, column in places]

    def too_far(self, columns: Columns) -> BadRequest | None:
        """Give what refuses rows that no model can predict for since they are so far from the training, if they are."""
        if not (flags := self.flags(columns)):
            return None
        flag = max(flags, key=lambda each: abs(each["value"]))
        low, high = flag["trained_on"]
        return BadRequest(
            f"The model cannot answer for {flag['column']!r} = {flag['value']!r} in row {flag['row']}, so far from "
            f"what it was trained on: {low!r} to {high!r}."
        )

    def check_names(self, names: Iterable[str], where: str) -> None:
        """Refuse names that are not those of the inputs."""
        self._check_names(dict.fromkeys(names).keys(), where)

    def _check_names(self, names: Any, where: str) -> None:
        if names == self._names:
            return
        if missing := [name for name in self._names if name not in names]:
            raise BadRequest(
                f"{where} lacks {listed(map(repr, missing[:10]))}; the model reads {self._listed()}."
                if len(missing) < len(self._names) or not names
                else f"{where} has none of the columns that the model reads: {self._listed()}."
            )
        extra = next(name for name in names if name not in self._names)
        raise BadRequest(
            f"{where} has {shown(extra)}, which is no column of the model{meant(extra[:100], self._names)}; it reads "
            f"{self._listed()}."
        )

    def _listed(self) -> str:
        names = list(self._names)
        return listed(names) if len(names) <= 20 else f"{len(names)} columns, {names[0]} to {names[-1]}"

    def _or_arrays(self) -> str:
        return " (or a list of rows as plain arrays)" if len(self._ranged) == len(self.inputs) else ""

    def _arrays(self, value: list[list[Any]], key: str) -> Columns:
        """Give the columns of rows as plain arrays; nested ones, such as images, are flattened."""
        if others := [each.name for each in self.inputs.values() if each.kind not in NUMBERS]:
            raise BadRequest(
                f"Rows as plain arrays need columns that hold numbers, and {others[0]!r} does not: send {key} by name."
            )
        rows = [_flat(row, f"{key}[{number}]") for number, row in enumerate(value)]
        for number, row in enumerate(rows):
            if len(row) != len(self.inputs):
                raise BadRequest(f"{key}[{number}] has {len(row)} values, but the model reads {self._listed()}.")
        lists = dict(zip(self._names, map(list, zip(*rows, strict=True)), strict=True))
        places = {name: place for place, name in enumerate(self._names)}
        return self._checked(lists, lambda name, row: f"{key}[{row}] at {places[name]} ({name})")

    def _checked(self, lists: Mapping[str, Sequence[Any]], place: Place) -> Columns:
        """Give checked columns in the order of the inputs: plain numbers all at once, the others each by itself."""
        found = self._all_numbers(lists)
        return {
            name: found[name] if name in found else checked(each, lists[name], place)
            for name, each in self.inputs.items()
        }

    def _all_numbers(self, lists: Mapping[str, Sequence[Any]]) -> Columns:
        """Give the columns of numbers where every value is a finite one, else none of them."""
        cells = list(chain.from_iterable([lists[name] for name in self._floats]))
        if not cells or not set(map(type, cells)) <= {int, float}:
            return {}
        try:
            block = np.array(cells, dtype="float64").reshape(len(self._floats), -1)
        except OverflowError:  # said of its own column
            return {}
        return dict(zip(self._floats, block, strict=True)) if np.isfinite(block).all() else {}


def check_lengths(lengths: Mapping[str, int], prefix: str = "") -> None:
    """Refuse columns of different lengths."""
    (first, rows), *others = lengths.items()
    for name, other in others:
        if other != rows:
            raise BadRequest(
                f"{prefix}{name} has {other:,} values, but {prefix}{first} has {rows:,}; all columns need as many."
            )


def check_count(rows: int, what: str, most_rows: int) -> None:
    """Refuse no rows, and more than are allowed at once."""
    if not rows:
        raise BadRequest(f"{what} is empty; at least one row is needed.")
    if rows > most_rows:
        raise BadRequest(
            f"{what} has {rows:,} rows, but at most {most_rows:,} are answered at once; send them in parts.", 413
        )


def _check_rows(value: Any, key: str, most_rows: int) -> None:
    if not isinstance(value, list):
        raise BadRequest(f'"{key}" must be a list, not {shown(value)}.')
    check_count(len(cast("list[Any]", value)), f'"{key}"', most_rows)


def _flat(row: list[Any], where: str) -> list[Any]:
    """Give the values of an array of any rank, in order."""
    while list in (kinds := set(map(type, row))):
        if len(kinds) > 1 or len(set(map(len, row))) > 1:
            raise BadRequest(
                f"{where} is ragged: the lists in it must be of one length, and hold either lists or numbers."
            )
        row = list(chain.from_iterable(row))
    return row


def _flag(column: Input, row: int, value: NDArray[np.float64]) -> Flag:
    return Flag(row=row, column=column.name, value=float(value), trained_on=[column.low, column.high])
