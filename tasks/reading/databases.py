"""Databases: the rows of a query as a stream, and where the next fetch goes on.

Everything goes through SQLAlchemy, so another database needs no more than the package of its driver. Rows come from a
cursor on the server, a batch at a time. DuckDB gives Arrow batches itself, far faster than
rows of Python values.

With a watermark the query becomes a subquery whose rows are ordered by that column *by the database*, and only rows
beyond the last one seen are asked for. So the database alone decides what comes after what: a text is ordered by its
collation, not by its bytes. Rows whose watermark is missing come with the first fetch only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import DataRefused, ProblemError
from tasks.reading.connections import connected, engine_of, sentences
from tasks.reading.conversion import stream_of
from tasks.reading.streams import Stream
from tasks.sentences import listed, meant
from tasks.sources import SqlSource

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa


def query(
    source: SqlSource, url: str, since: str | None = None, *, held: pa.Schema | None = None, folder: Path = Path()
) -> Stream:
    """Give the rows of a source's query; where there are none, a stream of the right schema without batches of rows.

    Parameters
    ----------
    source : SqlSource
        What is declared.
    url : str
        The source's address with its credentials.
    since : str, optional
        Where the last fetch ended (see `last_watermark`); only rows beyond it are given. Needs ``held``.
    held : pyarrow.Schema, optional
        The types that columns had before, and keep.
    folder : pathlib.Path
        The project's folder: database files are named relative to it.

    Raises
    ------
    NetworkError
        The database cannot be reached, stops, or is locked; also from the stream.
    ProblemError
        The address, the login or the query is wrong.
    DataRefused
        A value cannot be kept or changes its type; also from the stream.
    """
    return stream_of(_pieces(source, url, since, held, folder), "source.query", held)


def last_watermark(batches: Iterable[pa.RecordBatch], column: str) -> str | None:
    """Give the last value of a column in fetched rows, as text, or None where there is none.

    Rows with a watermark come in its order, so the last one that has a value has the largest.
    """
    last = None
    for batch in batches:
        values = batch[column]
        backwards = (values[index] for index in range(len(values) - 1, -1, -1))
        last = next((value for value in backwards if str(value.as_py()) not in {"None", "nan"}), last)
    return None if last is None else last.cast("string").as_py()


def _pieces(source: SqlSource, url: str, since: str | None, held: pa.Schema | None, folder: Path) -> Iterator[pa.Table]:
    """Give the rows table by table, at least one, which may be empty; the connection is closed at the end."""
    engine = engine_of(source, url, folder)
    with connected(engine, source, url) as connection, sentences(engine, source, url):
        connection.execution_options(stream_results=True, max_row_buffer=source.batch_rows, postgresql_readonly=True)
        if source.watermark:
            _check_watermark(connection, source)
        statement = _statement(source, since, held)
        if engine.dialect.name == "duckdb":
            yield from _arrow(connection, statement, source.batch_rows)
        else:
            with connection.execute(statement) as result:
                yield from _rows(result, source.batch_rows)


def _text(source: SqlSource) -> sa.TextClause:
    """Give the declared query as it stands: a colon is a colon, and a comment at its end ends there."""
    import sqlalchemy as sa

    return sa.text(re.sub(r"[;\s]*\Z", "\n", source.query).replace(":", r"\:"))


def _statement(source: SqlSource, since: str | None, held: pa.Schema | None) -> sa.Select[Any] | sa.TextClause:
    import sqlalchemy as sa

    if source.watermark is None:
        return _text(source)
    name = sa.quoted_name(source.watermark, quote=True)
    rows = _text(source).columns(sa.column(name)).subquery("q")
    ordered = sa.select(sa.text("*")).select_from(rows).order_by(rows.c[name])
    if since is None:
        return ordered
    seen = sa.bindparam("since", _value(since, source.watermark, held), type_=sa.types.NullType())
    return ordered.where(rows.c[name] > seen)


def _value(since: str, watermark: str, held: pa.Schema | None) -> Any:
    """Give a watermark in the type of its column, so that 9 comes before 10."""
    import pyarrow as pa

    if held is None or watermark not in held.names:
        raise ProblemError(
            f"source.watermark = {watermark!r} is no column of the last accepted snapshot, so nobody can tell which "
            "rows are new; accept the column first, in a fetch without source.watermark."
        )
    return pa.scalar(since).cast(held.field(watermark).type).as_py()


def _check_watermark(connection: sa.Connection, source: SqlSource) -> None:
    """Raise an error where the query has no such column."""
    import sqlalchemy as sa

    rows = _text(source).columns().subquery("q")
    with connection.execute(sa.select(sa.text("*")).select_from(rows).limit(0)) as result:
        names = list(result.keys())
    if source.watermark not in names:
        raise ProblemError(
            f"source.watermark names the column {source.watermark!r}, which source.query does not give"
            f"{meant(source.watermark or '', names)}; its columns: {listed(names)}."
        )


def _arrow(connection: sa.Connection, statement: sa.Select[Any] | sa.TextClause, batch_rows: int) -> Iterator[pa.Table]:
    """Give DuckDB's own Arrow batches."""
    import pyarrow as pa

    compiled = statement.compile(connection)
    values = compiled.construct_params()
    duckdb: Any = connection.connection.dbapi_connection
    if [each.type.name for each in duckdb.extract_statements(str(compiled))] != ["SELECT"]:
        raise ProblemError("source.query must be one SELECT.")
    relation = duckdb.sql(str(compiled), params=[values[name] for name in compiled.positiontup or []])
    with relation.to_arrow_reader(batch_rows) as reader:
        yield reader.schema.empty_table()
        for batch in reader:
            yield pa.Table.from_batches([batch])


def _rows(result: sa.CursorResult[Any], batch_rows: int) -> Iterator[pa.Table]:
    """Give rows of Python values as tables; the first is empty only where there are no rows."""
    if not result.returns_rows:
        raise ProblemError("source.query must be one SELECT.")
    description = result.cursor.description if result.cursor else []
    names = [column[0] for column in description]
    types = [_type(column[1]) for column in description]
    given = False
    for part in result.partitions(batch_rows):
        given = True
        yield _table(names, list(zip(*part, strict=True)), types)
    if not given:
        yield _table(names, [()] * len(names), types)


def _table(names: list[str], columns: list[tuple[Any, ...]], types: list[pa.DataType]) -> pa.Table:
    import pyarrow as pa

    arrays = [_array(*column) for column in zip(names, columns, types, strict=True)]
    return pa.Table.from_arrays(arrays, names=names)


def _array(name: str, values: tuple[Any, ...], kind: pa.DataType) -> pa.Array:
    """Give a column's values; ``kind`` is the type where there is none."""
    import pyarrow as pa

    first = next((value for value in values if value is not None), None)
    convert = {"Decimal": float, "UUID": str}.get(type(first).__name__)
    try:
        given = values if convert is None else [None if value is None else convert(value) for value in values]
        array = pa.array(given)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise DataRefused(
            f"source.query gives values of several types in the column {name!r}: {error}; CAST it in the query."
        ) from None
    return array if first is not None else array.cast(kind)


def _type(code: object) -> pa.DataType:
    """Give the type of a column by PostgreSQL's number for it; other databases do not tell."""
    import pyarrow as pa

    if not isinstance(code, int):
        return pa.null()
    moments = {1082: pa.date32(), 1114: pa.timestamp("us"), 1184: pa.timestamp("us", tz="UTC")}
    numbers = {16: pa.bool_(), 20: pa.int64(), 21: pa.int64(), 23: pa.int64()}
    return (moments | numbers | dict.fromkeys((700, 701, 1700), pa.float64())).get(code, pa.string())
