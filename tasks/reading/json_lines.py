"""JSON lines as a stream of batches: one object a line, its keys are the columns.

Read by Python's own parser, which names the line that is wrong and takes any mixture of types; numbers beside texts
become text, as in `widening`. Nested values are refused by name: a column holds one value a row.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tasks.errors import DataRefused
from tasks.reading.archives import Openable
from tasks.reading.streams import Stream
from tasks.reading.widening import Types, Unconvertible, Widened, converted, wider

if TYPE_CHECKING:
    import pyarrow as pa

LONGEST_LINE = 2**24
BATCH_ROWS, BATCH_CHARACTERS = 2**16, 2**25
Row = dict[str, Any]


def json_lines(file: Openable, types: Types) -> Stream:
    """Give the rows of a file of JSON objects; a key that is missing in a row is a missing value.

    Raises
    ------
    DataRefused
        A line is no object, or a value is nested or does not fit.
    widening.Widened
        The same with this type, please; also while the batches are gone through.
    """
    import pyarrow as pa

    groups = _groups(_rows(file, types.dialect.encoding))
    first = next(groups, [])
    names = list(dict.fromkeys([*types.inferred, *itertools.chain.from_iterable(first)]))
    if first:
        types.check(names, file.name)
    kinds = {name: types.of(name) or _kind([row.get(name) for row in first], types) for name in names}
    schema = pa.schema(list(kinds.items()))

    def batch(rows: list[Row]) -> pa.RecordBatch:
        for name in dict.fromkeys(itertools.chain.from_iterable(rows)):
            if name not in kinds:
                raise Widened(name, _kind([row.get(name) for row in rows], types))
        columns = [column([row.get(name) for row in rows], name) for name in names]
        return pa.RecordBatch.from_arrays(columns, schema=schema)

    def column(values: list[Any], name: str) -> pa.Array:
        try:
            return _array(values, kinds[name], types, name)
        except Unconvertible as error:
            raise types.beyond(file.name, name, kinds[name], error.value) from error

    return Stream(schema, (batch(rows) for rows in itertools.chain([first] if first else [], groups)))


def _rows(file: Openable, encoding: str) -> Iterator[tuple[Row, int]]:
    """Give each line's object and its length."""
    with file.open() as stream:
        for number in itertools.count(1):
            line = stream.readline(LONGEST_LINE + 1)
            if not line:
                return
            where = f"{file.name} cannot be read as jsonl: line {number:,}"
            if len(line) > LONGEST_LINE:
                raise DataRefused(f"{where} is longer than {LONGEST_LINE >> 20} MB.")
            try:
                text = line.decode("utf-8-sig" if encoding == "utf-8" else encoding).strip()
                row = json.loads(text, object_pairs_hook=_object) if text else None
                if "\\ud" in text.lower():
                    json.dumps(row, ensure_ascii=False).encode()  # half a character is none
            except UnicodeDecodeError as error:
                raise DataRefused(
                    f"{where} has bytes that are not {encoding}; declare source.dialect.encoding."
                ) from error
            except (ValueError, RecursionError) as error:
                raise DataRefused(f"{where} is not JSON: {error}.") from error
            if text and not isinstance(row, dict):
                raise DataRefused(f"{where} is not an object with the values of one row, {{...}}.")
            if nested := [name for name, value in (row or {}).items() if isinstance(value, dict | list)]:
                raise DataRefused(f"{where} has nested values in {nested[0]!r}; a column holds one value a row.")
            if row:
                yield row, len(line)


def _object(pairs: list[tuple[str, Any]]) -> Row:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has a key twice")
    return found


def _groups(rows: Iterator[tuple[Row, int]]) -> Iterator[list[Row]]:
    """Give rows in groups that fit into memory whatever their length."""
    group: list[Row] = []
    characters = 0
    for row, length in rows:
        group.append(row)
        characters += length
        if len(group) == BATCH_ROWS or characters > BATCH_CHARACTERS:
            yield group
            group, characters = [], 0
    if group:
        yield group


def _kind(values: list[Any], types: Types) -> pa.DataType:
    """Give the narrowest type that takes all values."""
    import pyarrow as pa

    kind = pa.null()
    while True:
        try:
            _array(values, kind, types)
        except Unconvertible as error:
            kind = wider(kind, error.value)
        else:
            return kind


def _array(values: list[Any], kind: pa.DataType, types: Types, name: str = "") -> pa.Array:
    """Give values as a column of a type.

    Raises
    ------
    widening.Unconvertible
        A value is not of that type; it is named.
    """
    import pyarrow as pa

    takes = _takes(kind) | {type(None)}
    if not takes.issuperset(map(type, values)):
        raise Unconvertible(_text(next(value for value in values if type(value) not in takes)))
    if pa.types.is_string(kind):
        return pa.array([None if value is None else _text(value) for value in values], kind)
    if str in takes:
        return converted(pa.array(values, pa.string()), kind, types.dialect, types.dialect.dates.get(name))
    try:
        given = [None if value is None else float(value) for value in values] if float in takes else values
        return pa.array(given, kind, from_pandas=True)
    except OverflowError as error:
        largest = max((value for value in values if value is not None), key=abs)
        raise Unconvertible(_text(largest)) from error


def _takes(kind: pa.DataType) -> set[type]:
    """Give the types of Python that JSON writes for a column of a type."""
    import pyarrow as pa

    if pa.types.is_null(kind):
        return set()
    if pa.types.is_boolean(kind):
        return {bool}
    if pa.types.is_integer(kind):
        return {int}
    if pa.types.is_floating(kind):
        return {int, float}
    return {str} if pa.types.is_temporal(kind) else {str, int, float, bool}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
