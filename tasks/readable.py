"""Readable: rows to predict with the types that the model was trained on.

A value that is none of its column's type, such as "abc" where numbers stand, costs its own row the prediction and not
all others theirs. So rows to predict are read with whatever types take all of their values, and only then converted,
value by value where a whole column does not convert.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tasks.checks import Breach
from tasks.reading.widening import Unconvertible, cast_texts, trimmed
from tasks.records import Finding, Table
from tasks.sources import Dialect
from tasks.store import Store

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Convert = Callable[[pa.Array], pa.Array]

NAMES = {"int64": "a whole number", "double": "a number", "bool": "true or false", "date32[day]": "a date"}


@dataclass
class _Unread:
    """What could not be converted in a column: the positions of the rows, and the values that stand there."""

    positions: list[int] = field(default_factory=list)
    values: list[str] = field(default_factory=list)


def readable(
    store: Store, rows: Table, held: Table, dialect: Dialect, leave: Collection[str] = ()
) -> tuple[Table, tuple[Breach, ...]]:
    """Give rows with the types of ``held``, and a breach for each column in which some value does not have its type.

    Such a value is missing afterwards. Columns that ``held`` does not have, or that are to be left as they are, stay.
    """
    import pyarrow as pa

    before, now = store.schema(held), store.schema(rows)
    kinds = {each.name: each.type for each in before if each.name in now.names and each.name not in leave}
    kinds = {name: kind for name, kind in kinds.items() if not pa.types.is_null(kind) and kind != now.field(name).type}
    if not kinds:
        return rows, ()
    found = {name: _Unread() for name in kinds}
    schema = pa.schema([each.with_type(kinds.get(each.name, each.type)) for each in now])
    kept = store.keep_batches(schema, _converted(store, rows, kinds, dialect, found), "readable")
    return Table(parts=(kept,)), tuple(
        _breach(name, kinds[name], each, rows.rows) for name, each in found.items() if each.positions
    )


def _converted(
    store: Store, rows: Table, kinds: dict[str, pa.DataType], dialect: Dialect, found: dict[str, _Unread]
) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    start = 0
    for batch in store.batches(rows):
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        for name, kind in kinds.items():
            values, columns[name] = batch[name], of_type(batch[name], kind, dialect)
            lost = np.flatnonzero(_missing(columns[name]) & ~_missing(values)).tolist()
            found[name].positions.extend(start + at for at in lost)
            found[name].values.extend(repr(values[at].as_py()) for at in lost)
        start += batch.num_rows
        yield pa.record_batch(columns)


def _missing(values: pa.Array) -> NDArray[np.bool_]:
    return values.is_null().to_numpy(zero_copy_only=False)


def of_type(values: pa.Array, kind: pa.DataType, dialect: Dialect) -> pa.Array:
    """Give values as those of a type; what is no such value is missing."""
    import pyarrow as pa

    def convert(part: pa.Array) -> pa.Array:
        return cast_texts(part, kind, dialect) if pa.types.is_string(part.type) else part.cast(kind)

    texts = trimmed(values) if pa.types.is_string(values.type) and not pa.types.is_string(kind) else values
    try:
        return convert(texts)
    except (pa.ArrowException, Unconvertible):
        coded = texts.dictionary_encode()
        return _as_far_as_possible(coded.dictionary, convert, kind).take(coded.indices)


def _as_far_as_possible(values: pa.Array, convert: Convert, kind: pa.DataType) -> pa.Array:
    """Convert in halves, and these in halves, down to the single values that do not convert."""
    import pyarrow as pa

    try:
        return convert(values)
    except (pa.ArrowException, Unconvertible):
        if len(values) == 1:
            return pa.nulls(1, kind)
        middle = len(values) // 2
        parts = [_as_far_as_possible(part, convert, kind) for part in (values[:middle], values[middle:])]
        return pa.concat_arrays(parts)


def _breach(name: str, kind: pa.DataType, found: _Unread, rows: int) -> Breach:
    finding = Finding(
        expectation=f"{name}: {NAMES.get(str(kind), str(kind))}",
        severity="critical",
        reason="that is what the column held in training",
        column=name,
        observed=f"{len(found.positions):,} of {rows:,} rows",
        unexpected_rows=len(found.positions),
        examples=tuple(f"{value} in row {row}" for value, row in zip(found.values[:5], found.positions, strict=False)),
    )
    return Breach(finding, np.array(found.positions, dtype="int64"), tuple(found.values))
