import sqlite3
from urllib.parse import quote

import pytest

from tasks.errors import DataRefused, NetworkError, ProblemError
from tasks.reading.databases import query
from tasks.sources import SqlSource
from tests.conftest import ENDLESS, HOUSES, PASSWORD, free_port


def failing(error, stream):
    """Give the sentence; no part of the password stands in it, nor in what it came from."""
    with pytest.raises(error) as caught:
        list(stream().batches)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert PASSWORD not in sentence
    assert quote(PASSWORD, safe="") not in sentence
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return sentence


@pytest.mark.parametrize(
    "text",
    ["SELECT * FROM nowhere", "SELECT nothing FROM houses", "SELEC 1", "DROP TABLE houses", "DELETE FROM houses"],
)
def test_a_query_that_does_not_run_is_a_problem(database, text):
    database.run(HOUSES)
    sentence = failing(ProblemError, lambda: database.stream(text))
    assert sentence.startswith("source.query ")
    assert "SELECT" in sentence
    assert database.table("SELECT count(*) AS n FROM houses").to_pydict() == {"n": [3]}


def test_nothing_can_be_written(postgresql, sqlite, duck):
    for database in (sqlite, duck):
        database.run(HOUSES)
        failing(ProblemError, lambda at=database: at.stream("INSERT INTO houses (rooms) VALUES (1) RETURNING rooms"))
        assert database.table("SELECT count(*) AS n FROM houses").to_pydict() == {"n": [3]}
    postgresql.run("CREATE SEQUENCE counter")
    sentence = failing(ProblemError, lambda: postgresql.stream("SELECT nextval('counter') AS n"))
    assert "cannot execute nextval() in a read-only transaction" in sentence


def test_a_value_that_the_database_cannot_give_is_refused(postgresql, duck):
    text = "SELECT 10 / (8 - i) AS n FROM generate_series(1, 9) AS r(i)"
    assert "division by zero" in failing(DataRefused, lambda: postgresql.stream(text, batch_rows=2))
    failing(DataRefused, lambda: postgresql.stream("SELECT 'infinity'::timestamp AS t"))
    failing(DataRefused, lambda: duck.stream("SELECT CAST('a' || i AS INTEGER) AS n FROM range(9) AS r(i)"))


def test_a_server_that_is_down_is_worth_another_try():
    source = SqlSource(kind="sql", url="${DATABASE}", query="SELECT 1 AS n")
    for address in (f"127.0.0.1:{free_port()}", "nowhere.invalid"):
        url = f"postgresql://owner:{quote(PASSWORD, safe='')}@{address}/postgres"
        sentence = failing(NetworkError, lambda used=url: query(source, used))
        assert sentence.startswith("source.url = '${DATABASE}' cannot be reached: ")


def test_a_server_that_stops_is_worth_another_try(postgresql):
    stream = postgresql.stream(ENDLESS["postgresql"], batch_rows=100)
    next(stream.batches)
    postgresql.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query <> ''"
    )
    failing(NetworkError, lambda: stream)


@pytest.mark.parametrize(
    ("old", "new", "said"), [(quote(PASSWORD, safe=""), "wrong", "password"), ("/postgres", "/nowhere", "nowhere")]
)
def test_a_login_that_is_refused_is_a_problem(postgresql, old, new, said):
    url = postgresql.url.replace(old, new)
    assert url != postgresql.url
    sentence = failing(ProblemError, lambda: query(postgresql.source("SELECT 1"), url))
    assert f"owner:${{PASSWORD}}@127.0.0.1:{postgresql.url[-14:-9]}" in sentence
    assert "was refused" in sentence
    assert said in sentence


def test_what_may_not_be_read_is_a_problem(postgresql):
    postgresql.run(
        HOUSES
        + "DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN PASSWORD 'guest'; GRANT USAGE ON SCHEMA public TO guest"
    )
    guest = postgresql.url.replace(f"owner:{quote(PASSWORD, safe='')}", "guest:guest")
    sentence = failing(ProblemError, lambda: query(postgresql.source("SELECT * FROM houses"), guest))
    assert "permission denied for table houses" in sentence


@pytest.mark.parametrize("url", ["sqlite:///missing.db", "duckdb:///missing.duckdb", "sqlite://", "sqlite:///:memory:"])
def test_a_database_file_that_is_missing_is_not_made(tmp_path, url):
    source = SqlSource(kind="sql", url=url, query="SELECT 1 AS n")
    assert "there is no database file" in failing(ProblemError, lambda: query(source, url, folder=tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_a_file_that_is_no_database_is_refused(tmp_path, kind):
    (tmp_path / "file.db").write_text("rooms,place\n3,shore\n" * 1000)
    source = SqlSource(kind="sql", url=f"{kind}:///file.db", query="SELECT 1 AS n FROM houses")
    failing(DataRefused, lambda: query(source, source.url, folder=tmp_path))


def test_a_file_that_another_process_writes_is_worth_another_try(sqlite):
    sqlite.run(HOUSES)
    writing = sqlite3.connect(sqlite.folder / "my houses#1.db", isolation_level=None)
    writing.execute("PRAGMA locking_mode = EXCLUSIVE")
    writing.execute("BEGIN EXCLUSIVE")
    failing(
        NetworkError,
        lambda: query(sqlite.source("SELECT * FROM houses"), sqlite.url + "?timeout=0.1", folder=sqlite.folder),
    )
    writing.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://root@127.0.0.1/x", "needs the package 'MySQLdb', which is not installed; install it"),
        ("postgres://127.0.0.1/x", r"no database is known as 'postgres' \(did you mean 'postgresql'\?\)"),
        ("houses.db", "is not the address of a database; write it as in postgresql://"),
    ],
)
def test_an_address_that_is_none_is_a_problem(url, said):
    source = SqlSource(kind="sql", url=url, query="SELECT 1 AS n")
    with pytest.raises(ProblemError, match=said):
        query(source, url)
