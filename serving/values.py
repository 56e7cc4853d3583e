"""The values of one column as a client sent them, checked against the training: an array, or a refusal.

A whole column is checked at once; only where something is wrong is the first bad value looked for, to name it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.errors import SalamanderError
from tasks.records import Input
from tasks.sentences import listed, meant

if TYPE_CHECKING:
    from numpy.typing import NDArray

Place = Callable[[str, int], str]
"""Gives how a client finds a value again, from the name of its column and the number of its row."""

NOTHING = type(None)
TYPES: dict[str, frozenset[type]] = {
    "number": frozenset({int, float}),
    "integer": frozenset({int, float}),
    "truth": frozenset({bool}),
    "category": frozenset({str}),
    "text": frozenset({str}),
    "date": frozenset({str}),
}
NEEDED = {
    "number": "a number",
    "integer": "a whole number",
    "truth": "true or false",
    "category": "a text",
    "text": "a text",
    "date": "a date as ISO 8601 text, such as '2026-03-01'",
}
MOST_SHOWN, MOST_LISTED = 80, 20


class BadRequest(SalamanderError):  # noqa: N818 - the name that HTTP gives it
    """What a client sent cannot be answered: one sentence, and the HTTP status that it has."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


def checked(column: Input, values: Sequence[Any], place: Place) -> NDArray[Any]:
    """Give values that were read from JSON as an array of shape (rows,), as pandas has such a column in training.

    Raises
    ------
    BadRequest
        A value is not what the column takes: says which, and what is allowed.
    """
    kinds = set(map(type, values))
    missing = NOTHING in kinds
    taken = TYPES[column.kind] | ({NOTHING} if column.nullable else set())
    if not kinds <= taken:
        raise _first(column, values, lambda value: type(value) in taken, place)
    match column.kind:
        case "number":
            return _numbers(column, values, place)
        case "integer":
            return _whole_numbers(column, values, kinds, place)
        case "date":
            return _dates(column, values, place)
        case "truth":
            return np.array(values, dtype="object" if missing else "bool")
        case "category" | "text":
            check_known(column, values, place)
            return np.array(values, dtype="object")


def check_known(column: Input, values: Sequence[Any], place: Place) -> None:
    """Refuse a category that training did not have, where all of these are known."""
    if column.values and not (known := {*column.values, None}).issuperset(values):
        raise _first(column, values, known.__contains__, place)


def refusal(column: Input, value: Any, place: str) -> BadRequest:
    """Give the sentence that refuses a value."""
    if value is None:
        return BadRequest(
            f"{place} is null, but {column.name!r} had no missing value in training; it takes {needed(column)}."
        )
    near = meant(value, column.values) if isinstance(value, str) and len(value) <= MOST_SHOWN else ""
    return BadRequest(f"{place} is {shown(value)}{near}, but {column.name!r} takes {needed(column)}.")


def needed(column: Input) -> str:
    """Give what a column takes, as it stands in a sentence."""
    text = NEEDED[column.kind]
    if column.values:
        more = len(column.values) - MOST_LISTED
        text = f"one of {listed(map(repr, column.values[:MOST_LISTED]))}{f' and {more} more' if more > 0 else ''}"
    if column.low is not None and column.high is not None:
        text += f" (in training {column.low:.10g} to {column.high:.10g})"
    return f"{text}, or null" if column.nullable else text


def shown(value: Any) -> str:
    """Give a value as it stands in JSON, shortened; of a list or an object only what it is."""
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    text = str(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def _first(column: Input, values: Iterable[Any], fits: Callable[[Any], Any], place: Place) -> BadRequest:
    row, value = next((row, value) for row, value in enumerate(values) if not fits(value))
    return refusal(column, value, place(column.name, row))


def _numbers(column: Input, values: Sequence[Any], place: Place) -> NDArray[np.float64]:
    """Give numbers as float64; null is NaN."""
    try:
        found = np.array(values, dtype="float64")
    except OverflowError:  # a whole number of hundreds of digits
        raise _first(column, values, lambda value: value is None or abs(value) < 1e300, place) from None
    if (infinite := np.isinf(found)).any():
        row = int(infinite.argmax())
        raise refusal(column, values[row], place(column.name, row))
    return found


def _whole_numbers(column: Input, values: Sequence[Any], kinds: set[type], place: Place) -> NDArray[Any]:
    """Give whole numbers as int64, or where some are missing as float64; 3.0 is one: some writers know no other."""
    found = _numbers(column, values, place)
    fits = np.isnan(found) | ((np.abs(found) < 2.0**63) & (np.mod(found, 1) == 0))
    if not fits.all():
        row = int(fits.argmin())
        raise refusal(column, values[row], place(column.name, row))
    if NOTHING in kinds:
        return found
    return np.array(values, dtype="int64") if kinds == {int} else found.astype("int64")


def _dates(column: Input, values: Sequence[Any], place: Place) -> NDArray[np.datetime64]:
    """Give dates as timestamps without a zone: the hour is the one on the clock where it was written down."""
    found: list[datetime | None] = []
    for row, value in enumerate(values):
        try:
            found.append(None if value is None else datetime.fromisoformat(value).replace(tzinfo=None))
        except ValueError:
            raise refusal(column, value, place(column.name, row)) from None
    return np.array(found, dtype="datetime64[us]")
