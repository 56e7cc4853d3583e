"""What a form asks for, from what a model reads: a field for each input, filled in with a middling value.

A form hinders nobody from asking about what the model has not seen: the answer says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tasks.records import Input, Version

Widget = Literal["number", "choice", "line", "text", "date", "moment"]
LONG_TEXT = 200


@dataclass(frozen=True)
class Field:
    """One field of a form.

    Parameters
    ----------
    name, label : str
        The column, and what a person reads.
    kind : str
        What the column holds, see `tasks.records.Input`.
    widget : str
        How it is asked for.
    required : bool
        Whether the model has never seen the column without a value.
    value : str
        What stands there at first.
    hint : str
        What the training rows had, for a person to compare with.
    choices : tuple of (str, str)
        Each value that may be chosen, and what a person reads.
    """

    name: str
    label: str
    kind: str
    widget: Widget
    required: bool
    value: str
    hint: str
    choices: tuple[tuple[str, str], ...] = ()


def fields_of(version: Version, inputs: Sequence[Input]) -> tuple[Field, ...]:
    """Give the fields of the form for a version, in the order of its inputs."""
    return tuple(_field(each, long=version.model.columns.roles.get(each.name) == "text") for each in inputs)


def spoken(name: str) -> str:
    """Give a column's name as a person reads it.

    >>> spoken("housing_median_age")
    'Housing median age'
    """
    words = name.replace("_", " ").strip() or name
    return words[:1].upper() + words[1:]


def plain(number: float) -> str:
    """Give a number as it is typed.

    >>> plain(3.0), plain(-118.49), plain(1e-7)
    ('3', '-118.49', '1e-07')
    """
    return str(int(number)) if number == int(number) and abs(number) < 2**53 else repr(float(number))


def _field(each: Input, *, long: bool) -> Field:
    value = "" if each.example is None else str(each.example)
    widget: Widget = "line"
    hint, choices = "", ()
    match each.kind:
        case "number" | "integer":
            widget = "number"
            value = "" if each.example is None else plain(float(each.example))
            if each.low is not None and each.high is not None:
                hint = f"{plain(each.low)} to {plain(each.high)} in training"
        case "truth":
            widget, value = "choice", value.lower()
            choices = (("true", "yes"), ("false", "no"))
        case "category":
            widget = "choice"
            choices = tuple((known, known or "(empty)") for known in each.values)
        case "date":
            widget, value = ("date", value) if len(value) <= len("2026-01-01") else ("moment", value.replace(" ", "T"))
        case "text":
            widget, value = "text" if long else "line", value if len(value) < LONG_TEXT else ""
    if each.nullable and widget != "choice":
        hint = f"{hint}; may be left empty" if hint else "May be left empty"
    return Field(each.name, spoken(each.name), each.kind, widget, not each.nullable, value, hint, choices)
