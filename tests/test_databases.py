# ruff: noqa: S608 - the statements are made of this module's own words
from datetime import UTC, date, datetime

import psycopg
import pyarrow as pa
import pytest

from tasks.errors import DataRefused, ProblemError, SalamanderError
from tasks.reading.databases import last_watermark, query
from tasks.sources import SqlSource
from tests.conftest import ENDLESS, HOUSES
from tests.waiting import until

# Rows and types.


def test_rows_with_their_types(database):
    database.run(HOUSES)
    table = database.table("SELECT * FROM houses -- all of them")
    expected = {
        "rooms": [3, 5, None],
        "price": [100.25, 200.5, None],
        "area": [80.5, None, 60.0],
        "place": ["shore", "it's 12:30 :x 100%", None],
        "sold": [1, 0, None] if database.kind == "sqlite" else [True, False, None],
    }
    assert table.drop_columns("cellar").to_pydict() == expected
    assert table["cellar"].null_count == 3
    truth, nothing = ("int64", "string") if database.kind == "sqlite" else ("bool", "int64")
    assert [str(field.type) for field in table.schema] == ["int64", "double", "double", "string", truth, nothing]


def test_dates_and_times(postgresql, duck):
    text = "SELECT DATE '2024-02-29' AS day, TIMESTAMP '2024-02-29 12:00:00.000001' AS moment, {} AS instant"
    for database in (postgresql, duck):
        table = database.table(text.format("TIMESTAMPTZ '2024-02-29 12:00:00+02'"))
        assert [str(field.type) for field in table.schema] == ["date32[day]", "timestamp[us]", "timestamp[us, tz=UTC]"]
        assert table.to_pylist() == [
            {
                "day": date(2024, 2, 29),
                "moment": datetime(2024, 2, 29, 12, 0, 0, 1),
                "instant": datetime(2024, 2, 29, 10, tzinfo=UTC),
            }
        ]


def test_a_percent_sign_and_a_colon_are_what_they_are(database):
    assert database.table("SELECT 7 % 4 AS rest, 'a%b :c \\:d' AS text; ").to_pylist() == [
        {"rest": 3, "text": "a%b :c \\:d"}
    ]


def test_a_uuid_is_text(postgresql, duck):
    for database in (postgresql, duck):
        table = database.table("SELECT CAST('6ecd8c99-4036-403d-bf84-cf8400f67836' AS uuid) AS id")
        assert table.to_pydict() == {"id": ["6ecd8c99-4036-403d-bf84-cf8400f67836"]}


def test_no_rows_have_the_schema_that_is_known(postgresql, duck, sqlite):
    for database in (postgresql, duck, sqlite):
        database.run(HOUSES)
        held = database.stream("SELECT rooms, price FROM houses").schema
        empty = database.table("SELECT rooms, price FROM houses WHERE rooms > 100", held=held)
        assert (empty.num_rows, empty.schema) == (0, held)
    for database in (postgresql, duck):
        assert database.table("SELECT rooms, price FROM houses WHERE rooms > 100").schema == held


@pytest.mark.parametrize(
    ("kind", "value"),
    [("postgresql", "'x'::bytea"), ("sqlite", "x'00'"), ("duck", "[1, 2]"), ("postgresql", "'{\"a\": 1}'::json")],
)
def test_a_value_that_is_no_feature_is_refused_by_its_column(request, kind, value):
    with pytest.raises(DataRefused, match="in the column 'photo', which is not read; leave the column out"):
        request.getfixturevalue(kind).table(f"SELECT 1 AS n, {value} AS photo")


def test_two_columns_of_one_name_are_a_problem(database):
    with pytest.raises(ProblemError, match=r"source.query gives the column 'a' twice"):
        database.table("SELECT 1 AS a, 2 AS a")


# Batches.


def test_rows_come_in_batches_before_the_query_has_ended(database):
    stream = database.stream(ENDLESS[database.kind], batch_rows=5000)
    first, second = next(stream.batches), next(stream.batches)
    rows = [*first["i"].to_pylist(), *second["i"].to_pylist()]
    assert rows == list(range(1, len(rows) + 1))
    assert first.num_rows <= 5000


def test_a_stream_that_nobody_reads_leaves_no_connection(postgresql):
    stream = postgresql.stream(ENDLESS["postgresql"], batch_rows=5000)
    others = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    with psycopg.connect(postgresql.url, autocommit=True) as connection:

        def wait_for(count: int) -> None:
            """Wait until there are so many others: the server ends a connection a moment after its client."""
            until(lambda: connection.execute(others).fetchall() == [(count,)])

        wait_for(1)
        del stream
        wait_for(0)


def test_many_rows_are_all_there(database):
    series = {"postgresql": "generate_series(1, 250000) AS r(i)", "duckdb": "range(1, 250001) AS r(i)"}
    counted = "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 250000) SELECT i FROM n) AS r"
    database.run(
        f"CREATE TABLE many AS SELECT i AS n, i % 7 AS rest, 'x' AS text FROM {series.get(database.kind, counted)}"
    )
    table = database.table("SELECT * FROM many", batch_rows=60_000)
    assert sorted(table["n"].to_pylist()) == list(range(1, 250_001))
    assert max(len(batch) for batch in table.to_batches()) <= 60_000


def test_a_column_that_is_empty_at_first_is_of_the_database_s_type(postgresql, duck):
    text = "SELECT CASE WHEN i > 5 THEN i END AS n FROM {} AS r(i)"
    for database, series in ((postgresql, "generate_series(1, 9)"), (duck, "range(1, 10)")):
        table = database.table(text.format(series), batch_rows=3)
        assert table["n"].to_pylist()[-4:] == [6, 7, 8, 9]
        assert table.schema.field("n").type == "int64"


def test_a_type_that_changes_is_refused(sqlite):
    sqlite.run("CREATE TABLE loose (n); INSERT INTO loose VALUES (1), (2), ('three')")
    with pytest.raises(DataRefused, match=r"several types in the column 'n': .*'three'.*; CAST it in the query"):
        sqlite.table("SELECT n FROM loose")
    with pytest.raises(DataRefused, match="gives string in the column 'n', which held int64 before"):
        sqlite.table("SELECT n FROM loose", batch_rows=2)
    sqlite.run("UPDATE loose SET n = 2.5 WHERE n = 'three'")
    with pytest.raises(DataRefused, match="gives double in the column 'n', which held int64 before"):
        sqlite.table("SELECT n FROM loose", batch_rows=2)


def test_types_that_were_held_win(database):
    held = pa.schema([("n", pa.float64()), ("gone", pa.string())])
    table = database.table("SELECT 3 AS n, 'a' AS fresh", held=held)
    assert [str(field.type) for field in table.schema] == ["double", "string"]
    with pytest.raises(DataRefused, match="gives int64 in the column 'n', which held string before"):
        database.table("SELECT 3 AS n", held=pa.schema([("n", pa.string())]))


def test_a_number_that_is_too_large_is_refused(duck):
    with pytest.raises(DataRefused, match="the column 'n' does not fit int64"):
        duck.table("SELECT CAST(18446744073709551615 AS UBIGINT) AS n")


# The watermark.


def marks(database, since=None, held=None, mark="mark"):
    stream = database.stream("SELECT * FROM events", since, held, mode="append", watermark=mark, batch_rows=2)
    batches = list(stream.batches)
    names = [name for batch in batches for name in batch["name"].to_pylist()]
    return names, last_watermark(batches, mark), stream.schema


def test_only_rows_beyond_the_watermark_are_fetched(database):
    """Compared as text, 10 would come before 9."""
    database.run(
        "CREATE TABLE events (mark INTEGER, name TEXT); INSERT INTO events VALUES (9, 'b'), (NULL, 'x'), (8, 'a')"
    )
    names, since, held = marks(database)
    assert sorted(names) == ["a", "b", "x"]
    assert since == "9"
    assert marks(database, since, held) == ([], None, held)
    database.run("INSERT INTO events VALUES (11, 'd'), (10, 'c')")
    assert marks(database, since, held) == (["c", "d"], "11", held)


def test_a_moment_as_watermark(postgresql, duck):
    for database, kind in (
        (postgresql, "TIMESTAMPTZ"),
        (duck, "TIMESTAMPTZ"),
        (postgresql, "TIMESTAMP"),
        (duck, "DATE"),
    ):
        database.run(
            f"DROP TABLE IF EXISTS events; CREATE TABLE events (mark {kind}, name TEXT);"
            "INSERT INTO events VALUES ('2024-10-27 02:30:00.000001', 'a'), ('2024-10-28 02:30:00.000001', 'b')"
        )
        names, since, held = marks(database)
        assert names == ["a", "b"]
        assert marks(database, since, held) == ([], None, held)
        database.run("INSERT INTO events VALUES ('2024-10-29 02:30:00.000002', 'c')")
        assert marks(database, since, held)[0] == ["c"]


def test_a_text_and_a_number_as_watermark(database):
    database.run(
        "CREATE TABLE events (mark TEXT, name TEXT); INSERT INTO events VALUES ('2024-01-02', 'b'), ('2024-01-01', 'a')"
    )
    names, since, held = marks(database)
    assert (names, since) == (["a", "b"], "2024-01-02")
    database.run(
        "DROP TABLE events; CREATE TABLE events (mark DOUBLE PRECISION, name TEXT);INSERT INTO events VALUES (0.3, 'a')"
    )
    names, since, held = marks(database)
    database.run("INSERT INTO events VALUES (10.5, 'c'), (9.5, 'b')")
    assert marks(database, since, held) == (["b", "c"], "10.5", held)


def test_a_text_is_ordered_by_the_database(postgresql):
    """By its bytes, "B" would come before "a", and rows would be lost."""
    postgresql.run(
        'CREATE TABLE events (mark TEXT COLLATE "und-x-icu", name TEXT);'
        "INSERT INTO events VALUES ('a', '1'), ('B', '2')"
    )
    names, since, held = marks(postgresql)
    assert (names, since) == (["1", "2"], "B")
    postgresql.run("INSERT INTO events VALUES ('c', '3')")
    assert marks(postgresql, since, held)[0] == ["3"]


def test_the_watermark_is_quoted(database):
    database.run(
        'CREATE TABLE events ("Seen ""At""" INTEGER, name TEXT); INSERT INTO events VALUES (2, \'b\'), (1, \'a\')'
    )
    names, since, held = marks(database, mark='Seen "At"')
    assert (names, since) == (["a", "b"], "2")
    assert marks(database, "1", held, mark='Seen "At"')[0] == ["b"]


def test_a_uuid_as_watermark(postgresql):
    first, second = "018f0000-0000-7000-8000-000000000001", "018f0000-0000-7000-8000-000000000002"
    postgresql.run(
        f"CREATE TABLE events (mark UUID, name TEXT); INSERT INTO events VALUES ('{second}', 'b'), ('{first}', 'a')"
    )
    names, since, held = marks(postgresql)
    assert (names, since) == (["a", "b"], second)
    assert marks(postgresql, first, held)[0] == ["b"]


def test_not_a_number_is_no_watermark(postgresql):
    postgresql.run("CREATE TABLE events (mark FLOAT8, name TEXT); INSERT INTO events VALUES ('NaN', 'b'), (1.5, 'a')")
    assert marks(postgresql)[1] == "1.5"


def test_a_watermark_that_is_no_column_is_a_problem(database):
    database.run("CREATE TABLE events (mark INTEGER, name TEXT)")
    with pytest.raises(ProblemError, match=r"'marl', which source.query does not give \(did you mean 'mark'\?\)"):
        marks(database, mark="marl")


def test_duckdb_reads_files_without_a_database(tmp_path):
    (tmp_path / "houses.csv").write_text("rooms,place\n3,shore\n")
    source = SqlSource(kind="sql", url="duckdb://", query=f"SELECT * FROM read_csv('{tmp_path}/houses.csv')")
    assert next(query(source, source.url).batches).to_pylist() == [{"rooms": 3, "place": "shore"}]


def test_every_error_is_a_sentence_of_ours(database):
    for text in ("", ";", "\x00", "SELECT '", "SELECT 1 AS n; SELECT 2 AS n", "COPY houses TO STDOUT", "BEGIN"):
        with pytest.raises(SalamanderError):
            list(database.stream(text or " ").batches)
