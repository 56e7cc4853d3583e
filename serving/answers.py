"""From predictions to what a client reads: rows, columns, or a table; the names are those of our exported networks.

As with TensorFlow Serving, a model of one output answers its values plainly. Rows that came as plain arrays are
answered by plain arrays too: of a classifier the probabilities, so that a client written for a Keras network goes on
working.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic_core import to_json

from serving.values import BadRequest
from tasks.errors import ProblemError
from tasks.intervals import bounds, label_sets
from tasks.models import Prediction

if TYPE_CHECKING:
    import pyarrow as pa

    from tasks.records import Intervals

Outputs = dict[str, list[Any]]
Form = Literal["rows", "arrays", "columns"]


def outputs(found: Prediction) -> Outputs:
    """Give what is answered for rows, by the name of the output; each list is of shape (rows,) or (rows, classes)."""
    if not len(found.classes):
        return {"prediction": found.values.tolist()}
    named: Outputs = {"class": found.values.tolist()}
    if found.probabilities is not None:
        named["probabilities"] = found.probabilities.tolist()
    return named


def surroundings(found: Prediction, intervals: Intervals | None, level: float, *, named: bool = True) -> Outputs:
    """Give what surrounds predictions at a level: ``low`` and ``high`` of numbers, of classes the ``set`` of labels.

    Parameters
    ----------
    named : bool, optional
        Whether a set names its labels; else it is a truth for each class, in the order of the probabilities, so that
        the sets of all rows are of shape (rows, classes).

    Raises
    ------
    BadRequest
        The version has no intervals of this level.
    """
    try:
        if not len(found.classes):
            low, high = bounds(found, intervals, level)
            return {"low": low.tolist(), "high": high.tolist()}
        sets = label_sets(found, intervals, level)
    except ProblemError as error:
        raise BadRequest(str(error)) from error
    return {"set": [found.classes[inside].tolist() for inside in sets] if named else sets.tolist()}


def as_json(named: Outputs, form: Form, notes: Mapping[str, Any]) -> bytes:
    """Give the body of an answer; ``notes`` are keys of our own, such as the version. What is no number is null."""
    body = {"outputs": _columns(named)} if form == "columns" else {"predictions": _rows(named, form)}
    return to_json({**body, **notes}, inf_nan_mode="null")


def as_table(named: Outputs, notes: Mapping[str, Any]) -> pa.Table:
    """Give a table of one column for each output; the notes stand in the schema's metadata, as JSON."""
    import pyarrow as pa

    return pa.table(named).replace_schema_metadata({key: json.dumps(value) for key, value in notes.items()})


def _columns(named: Outputs) -> Outputs | list[Any]:
    return named if len(named) > 1 else next(iter(named.values()))


def _rows(named: Outputs, form: Form) -> Sequence[Any]:
    if form == "arrays" and list(named) == ["class", "probabilities"]:
        return named["probabilities"]
    if len(named) == 1:
        return next(iter(named.values()))
    return [dict(zip(named, values, strict=True)) for values in zip(*named.values(), strict=True)]
