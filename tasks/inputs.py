"""What a model may be asked: the columns of the source that it reads, with the kind and the range of each in training.

Whoever lets others ask (a server, a form, its documentation) checks and describes requests by these alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.arrow import compute
from tasks.columns import kind_of, source_columns
from tasks.records import Artifact, FeatureSet, Input, Role, Version
from tasks.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

MOST_VALUES = 100
"""A text column of more different values than so many takes any value; else only those of the training rows."""

OFTEN = 5
"""A text stands as an example where at least so many rows have it: what one person wrote is nobody else's to read."""


def inputs(rows: Artifact, columns: FeatureSet, store: Store) -> tuple[Input, ...]:
    """Give what a model reads, from its training rows, in the order of the model's own columns."""
    names = source_columns(columns)
    table = store.table(rows, names)
    return tuple(_input(name, table[name], columns.roles.get(name)) for name in names)


def inputs_of(version: Version, store: Store) -> tuple[Input, ...]:
    """Give what a version reads: as noted, or of an older one from its training rows (without any, the test rows)."""
    model = version.model
    return model.inputs or inputs(model.trained_on if model.trained_on.rows else version.test, model.columns, store)


def _input(name: str, values: pa.ChunkedArray, role: Role | None) -> Input:
    from pyarrow import types

    kind = kind_of(str(values.type))
    if types.is_boolean(values.type):
        return Input(name=name, kind="truth", nullable=values.null_count > 0, example=_commonest(values.drop_null())[0])
    if kind == "number":
        return _number(name, values)
    if kind == "date":
        return Input(name=name, kind="date", nullable=values.null_count > 0, example=_commonest(values.drop_null())[0])
    return _text(name, values, role)


def _number(name: str, values: pa.ChunkedArray) -> Input:
    """Give a column of numbers; what is not finite has no place in its range."""
    from pyarrow import types

    whole = types.is_integer(values.type)
    values = values if whole else values.cast("double")
    known = values.filter(compute().is_finite(values)).combine_chunks()
    made: dict[str, Any] = {"name": name, "kind": "integer" if whole else "number"}
    made["nullable"] = values.null_count > 0 or (not whole and bool(compute().any(compute().is_nan(values)).as_py()))
    if not len(known):
        return Input(**made)
    ends, middle = compute().min_max(known).as_py(), len(known) // 2
    example = known[compute().partition_nth_indices(known, pivot=middle)[middle].as_py()].as_py()
    return Input(**made, low=ends["min"], high=ends["max"], example=example)


def _text(name: str, values: pa.ChunkedArray, role: Role | None) -> Input:
    """Give a column of texts: a category where it has few different values, that are told apart as wholes."""
    from pyarrow import types

    made: dict[str, Any] = {"name": name, "nullable": values.null_count > 0}
    stored = values.type.value_type if types.is_dictionary(values.type) else values.type
    if not (types.is_string(stored) or types.is_large_string(stored) or types.is_string_view(stored)):
        return Input(kind="text", **made)
    known = values.drop_null().cast("string")
    example, rows = _commonest(known)
    if role == "categorical" and 0 < compute().count_distinct(known).as_py() <= MOST_VALUES:
        return Input(kind="category", values=tuple(sorted(known.unique().to_pylist())), example=example, **made)
    return Input(kind="text", example=example if rows >= OFTEN else None, **made)


def _commonest(known: pa.ChunkedArray) -> tuple[str | bool | None, int]:
    """Give the most frequent value and how many rows have it; of equal ones the smallest."""
    if not len(known):
        return None, 0
    counts = known.value_counts()
    first = (
        compute()
        .sort_indices(
            compute().make_struct(counts.field("values"), counts.field("counts"), field_names=["value", "rows"]),
            sort_keys=[("rows", "descending"), ("value", "ascending")],
        )[0]
        .as_py()
    )
    value = counts.field("values")[first].as_py()
    return value if isinstance(value, (str, bool)) else str(value), counts.field("counts")[first].as_py()
