"""Rows as Arrow or Parquet, for those who send many: the same columns and the same refusals as from JSON.

A small body may hold a huge table: the rows are counted before they are used, a stream that is packed is refused, and
Parquet, which always may be, is unpacked elsewhere; see `serving.unpacking`.
"""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.rows import Rows, check_count
from serving.unpacking import unpacker
from serving.values import BadRequest, Place, checked, needed
from tasks.arrow import compute
from tasks.direct import Columns
from tasks.records import Input

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

ARROW, PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"
UNPACKED = 20
"""The texts of a table may be so many times as long as the largest body: one that all rows share is sent once."""

INDEX = "__index_level_"
"""What pandas calls an index that has no name."""


def read_table(rows: Rows, body: bytes, media_type: str, most_rows: int, most_bytes: int) -> Columns:
    """Give the columns of a table.

    Raises
    ------
    BadRequest
        It cannot be read, or holds what the model cannot read.
    """
    import pyarrow as pa

    try:
        stream = unpacker().stream(body, most_rows) if media_type == PARQUET else body
        return _columns(rows, _table(stream, most_rows), most_rows, most_bytes)
    except (pa.ArrowException, OSError, ValueError, TypeError, LookupError, OverflowError, struct.error) as error:
        raise BadRequest(f"The body is no {media_type} that can be read: {_first_line(error)}") from error


def _columns(rows: Rows, table: pa.Table, most_rows: int, most_bytes: int) -> Columns:
    names = [name for name in table.column_names if not name.startswith(INDEX)]
    if len(set(names)) < len(names):
        raise BadRequest("The table has two columns of one name; each column is needed once.")
    rows.check_names(names, "The table")
    check_count(table.num_rows, "The table", most_rows)
    _check_texts(table, most_bytes * UNPACKED)
    return {name: of_arrow(each, table[name], lambda name, row: f"{name}[{row}]") for name, each in rows.inputs.items()}


def of_arrow(column: Input, values: pa.ChunkedArray, place: Place) -> NDArray[Any]:
    """Give a checked column; numbers as arrays, everything else value by value as from JSON. NaN is missing."""
    from pyarrow import types

    kind = values.type
    if not _is_readable(kind):
        raise BadRequest(f"The column {column.name!r} holds {kind}, but takes {needed(column)}.")
    if column.kind == "number" and (types.is_integer(kind) or types.is_floating(kind)):
        found = values.cast("double", safe=False).to_numpy()
        if np.isfinite(found).all() or (column.nullable and not np.isinf(found).any()):
            return found
    if column.kind == "integer" and types.is_signed_integer(kind) and not values.null_count:
        return values.cast("int64").to_numpy()
    return checked(column, plain(values), place)


def plain(values: pa.ChunkedArray) -> list[Any]:
    """Give values as JSON would have them: dates are texts, what is missing is None."""
    from pyarrow import types

    kind = values.type
    if types.is_dictionary(kind):
        return [value for chunk in values.chunks for value in _shared(chunk)]
    if types.is_floating(kind) or types.is_decimal(kind):
        return [None if value is None or np.isnan(value) else value for value in values.cast("double").to_pylist()]
    if types.is_timestamp(kind) and kind.tz:
        values = compute().local_timestamp(values)
    if types.is_timestamp(kind):
        values = values.cast("timestamp[us]", safe=False)
    found = values.to_pylist()
    if types.is_temporal(kind):
        return [None if value is None else value.isoformat() for value in found]
    return found


def _is_readable(kind: pa.DataType) -> bool:
    """Tell whether values of a type are what they seem: in others, such as views, many rows may share long ones."""
    from pyarrow import types

    if types.is_dictionary(kind):
        return types.is_string(kind.value_type) or types.is_large_string(kind.value_type)
    return any(
        (
            types.is_null(kind),
            types.is_boolean(kind),
            types.is_integer(kind),
            types.is_floating(kind),
            types.is_decimal(kind),
            types.is_string(kind),
            types.is_large_string(kind),
            types.is_date(kind),
            types.is_timestamp(kind),
        )
    )


def write_table(table: pa.Table, media_type: str) -> bytes:
    """Give a table in the form that a client wants."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    if media_type == PARQUET:
        pq.write_table(table, sink)
    else:
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    return sink.getvalue()


def _table(body: bytes, most_rows: int) -> pa.Table:
    import pyarrow as pa

    if any(_is_packed(message) for message in pa.ipc.MessageReader.open_stream(body)):
        raise BadRequest("The table is packed; write it without compression.", 415)
    batches: list[pa.RecordBatch] = []
    with pa.ipc.open_stream(body, options=pa.ipc.IpcReadOptions(use_threads=False)) as reader:
        rows = 0
        for batch in reader:
            batch.validate(full=True)
            rows += batch.num_rows
            check_count(max(rows, 1), "The table", most_rows)
            batches.append(batch)
        return pa.Table.from_batches(batches, reader.schema)


def _is_packed(message: Any) -> bool:
    """Tell whether a message of a stream says that its buffers are compressed, which PyArrow tells nobody.

    Places are those of the tables Message, RecordBatch and DictionaryBatch in Arrow's Message.fbs.
    """
    from flatbuffers import encode, packer
    from flatbuffers.table import Table

    content = message.metadata.to_pybytes()
    root, header = Table(content, encode.Get(packer.uoffset, content, 0)), Table(content, 0)
    root.Union(header, root.Offset(8))
    if message.type == "dictionary":
        header = Table(content, header.Indirect(header.Pos + header.Offset(6)))
    return message.type != "schema" and header.Offset(10) != 0


def _check_texts(table: pa.Table, most: int) -> None:
    """Refuse texts that are short as they are sent, but very long when they stand in every row."""
    from pyarrow import types

    total = 0
    for chunk in (chunk for column in table.columns for chunk in column.chunks):
        if types.is_dictionary(chunk.type) and _is_readable(chunk.type):
            total += compute().sum(compute().binary_length(chunk.dictionary).take(chunk.indices)).as_py() or 0
    if total > most:
        raise BadRequest(f"The texts of the table have {total:,} bytes; at most {most:,} are read at once.", 413)


def _shared(chunk: pa.DictionaryArray) -> list[Any]:
    """Give the values of a dictionary's rows, each of them once in memory."""
    values = [*chunk.dictionary.to_pylist(), None]
    return [values[place] for place in compute().fill_null(chunk.indices.cast("int64"), -1).to_pylist()]


def _first_line(error: Exception) -> str:
    text = (str(error).strip().splitlines() or ["no message"])[0][:200]
    return text if text.endswith(".") else f"{text}."
