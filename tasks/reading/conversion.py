"""Tables as they come from a program or a database, made into a stream with few types that are held.

Whatever gives rows (a query, a function of the user's) has its own types, and may change its mind from one batch to the
next. Here the first batch, or what was held before, decides; every later one is the same or is refused by column.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from tasks.errors import DataRefused, ProblemError
from tasks.reading.streams import Stream
from tasks.sentences import listed

if TYPE_CHECKING:
    import pyarrow as pa


def stream_of(pieces: Iterator[pa.Table], where: str, held: pa.Schema | None = None) -> Stream:
    """Give the stream of the pieces of a table; ``where`` says in a refusal where they come from.

    The first piece is read at once, as it decides the types of the columns that ``held`` does not name.

    Raises
    ------
    ProblemError
        Two columns have one name.
    DataRefused
        A type is not one that can be kept; later, from the stream itself: a column is gone, new or of another type.
    """
    import pyarrow as pa

    first = next(pieces, None)
    if first is None:
        return Stream(held if held is not None else pa.schema([]), iter(()))
    names = first.column_names
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ProblemError(f"{where} gives the column {twice[0]!r} twice; each column needs a name of its own.")
    known = {} if held is None else {field.name: field.type for field in held if not pa.types.is_null(field.type)}
    schema = pa.schema([(field.name, known.get(field.name) or kept_type(field, where)) for field in first.schema])
    return Stream(schema, _batches(chain([first], pieces), schema, where))


def _batches(pieces: Iterator[pa.Table], schema: pa.Schema, where: str) -> Iterator[pa.RecordBatch]:
    for piece in pieces:
        yield from conformed(piece, schema, where).to_batches()


def kept_type(field: pa.Field, where: str) -> pa.DataType:
    """Give the Arrow type that a column is kept as: whole number, number, text, truth, date or moment.

    A column without any value is text.

    Raises
    ------
    DataRefused
        The column holds something else.
    """
    import pyarrow as pa
    from pyarrow import types

    kind = field.type.value_type if types.is_dictionary(field.type) else field.type
    if types.is_boolean(kind):
        return pa.bool_()
    if types.is_integer(kind):
        return pa.int64()
    if types.is_floating(kind) or types.is_decimal(kind):
        return pa.float64()
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind) or types.is_null(kind):
        return pa.string()
    if types.is_date(kind):
        return pa.date32()
    if types.is_timestamp(kind):
        return pa.timestamp("us", tz="UTC" if kind.tz else None)
    raise DataRefused(
        f"{where} gives {kind} in the column {field.name!r}, which is not read; leave the column out, or give it as "
        "numbers, text, true and false, dates or times of a day."
    )


def conformed(piece: pa.Table, schema: pa.Schema, where: str) -> pa.Table:
    """Give a piece with the columns of the schema, in its order and of its types.

    Raises
    ------
    DataRefused
        A column is missing, new, or holds what its type cannot.
    """
    import pyarrow as pa

    if sorted(piece.column_names) != sorted(schema.names):
        raise DataRefused(
            f"{where} gives other columns in a later batch than in its first: {listed(piece.column_names)} "
            f"instead of {listed(schema.names)}."
        )
    return pa.Table.from_arrays([_cast(piece, field, where) for field in schema], schema=schema)


def _cast(piece: pa.Table, field: pa.Field, where: str) -> pa.ChunkedArray:
    import pyarrow as pa
    from pyarrow import types

    column = piece[field.name]
    kind = kept_type(piece.schema.field(field.name), where)
    number = types.is_integer(kind) and types.is_floating(field.type)
    if types.is_null(column.type) or kind == kept_type(field, where) or number:
        try:
            return column.cast(field.type, safe=not types.is_timestamp(kind))
        except pa.ArrowException as error:
            raise DataRefused(f"{where}: the column {field.name!r} does not fit {field.type}: {error}.") from error
    raise DataRefused(
        f"{where} gives {kind} in the column {field.name!r}, which held {field.type} before; "
        "convert it at its source, or leave the column out."
    )
