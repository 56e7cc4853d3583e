"""Columns and types that are held: what was accepted once is what every later batch must have, until that changes.

A type changes only where no value does: whole numbers become numbers, dates become moments, a column without any value
becomes what the first value is. Where somebody accepts the columns as they are now, numbers may become texts too, but a
text never becomes a number: 007 would be 7 ever after.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from tasks.errors import DataRefused
from tasks.records import Artifact, Table
from tasks.sentences import listed
from tasks.store import Store

if TYPE_CHECKING:
    import pyarrow as pa


def held_schema(store: Store, held: Table, batch: Artifact) -> pa.Schema:
    """Give the columns and types that a batch must have: those held, where any value was, else the batch's own.

    Raises
    ------
    DataRefused
        A column is missing or holds another type; says which, and what was held.
    """
    import pyarrow as pa

    before, now = store.schema(held), store.schema(batch)
    wrong: list[str] = []
    fields: list[pa.Field] = []
    for field in before:
        if field.name not in now.names:
            wrong.append(f"{field.name!r} is missing")
            continue
        own = now.field(field.name)
        if not pa.types.is_null(field.type) and not _fits(store, batch, own, field.type):
            wrong.append(f"{field.name!r} held {field.type} and now holds {own.type}")
        fields.append(own if pa.types.is_null(field.type) else field)
    if wrong:
        raise DataRefused(
            f"The columns are not those of the last accepted snapshot: {listed(wrong)}; mend the source, or "
            "accept the columns as they are now with --accept-columns."
        )
    return pa.schema(fields)


def accepted_schema(store: Store, held: Table, batch: Artifact) -> pa.Schema:
    """Give a batch's columns, each of a type that takes its values and those that were held, lossless.

    Raises
    ------
    DataRefused
        There is no such type for a column; says which.
    """
    import pyarrow as pa

    before, now = store.schema(held), store.schema(batch)
    wrong: list[str] = []
    fields: list[pa.Field] = []
    for field in now:
        known = before.field(field.name) if field.name in before.names else field
        if _fits(store, batch, field, known.type, into_text=True):
            fields.append(known)
        elif _fits(store, held, known, field.type, into_text=True):
            fields.append(field)
        else:
            wrong.append(f"{field.name!r} held {known.type} and now holds {field.type}")
    if wrong:
        raise DataRefused(
            f"The rows that were accepted before cannot take the new columns' types: {listed(wrong)}; "
            "begin with a new problem, or read the columns with their old types."
        )
    return pa.schema(fields)


def column_changes(before: Table, after: Table) -> list[str]:
    """Give a sentence for each column that was accepted before and is gone, or has another type now."""
    now = {column.name: column.dtype for column in after.columns}
    return [
        f"The column {column.name!r} held {column.dtype} and now holds {now[column.name]}."
        if column.name in now
        else f"The column {column.name!r} is dropped, in the rows before too: these rows have none of that name."
        for column in before.columns
        if now.get(column.name) != column.dtype
    ]


def in_schema(store: Store, data: Table | Artifact, schema: pa.Schema) -> Artifact:
    """Give the rows of a table with the columns and types of a schema, missing where there is no such column."""
    import pyarrow as pa

    names = [name for name in schema.names if name in data.names]

    def pieces() -> Iterator[pa.RecordBatch]:
        for piece in store.batches(data, names):
            arrays = [
                cast_to(piece[field.name], field.type, into_text=True)
                if field.name in names
                else pa.nulls(len(piece), field.type)
                for field in schema
            ]
            yield pa.record_batch(arrays, schema=schema)

    return store.keep_batches(schema, pieces(), "raw")


def cast_to(array: pa.Array, kind: pa.DataType, into_text: bool = False) -> pa.Array:
    """Give the same values in another type of the same family; with ``into_text`` numbers and truths as texts too.

    Raises
    ------
    pyarrow.ArrowInvalid
        The type does not take each of the values, or is of another family.
    """
    import pyarrow as pa

    if array.type == kind:
        return array
    if array.null_count == len(array):
        return pa.nulls(len(array), kind)
    given, wanted = _family(array.type), _family(kind)
    if given != wanted and (given, wanted) != ("date", "moment") and not (into_text and wanted == "text"):
        raise pa.ArrowInvalid(f"{array.type} is not {kind}")
    return cast("pa.Array", array.cast(kind))


def _family(kind: pa.DataType) -> str:
    """Give what the types that tell the same kind of value have in common."""
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return "number"
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return "text"
    if types.is_timestamp(kind):
        return "moment with a zone" if kind.tz else "moment"
    return "date" if types.is_date(kind) else str(kind)


def _fits(store: Store, data: Table | Artifact, own: pa.Field, kind: pa.DataType, into_text: bool = False) -> bool:
    """Tell whether a type takes every value of a column."""
    import pyarrow as pa

    if own.type == kind:
        return True
    try:
        for piece in store.batches(data, [own.name]):
            cast_to(piece[own.name], kind, into_text)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True
