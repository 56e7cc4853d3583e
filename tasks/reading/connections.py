"""Connections to databases that can only be read, and what databases and their drivers say as sentences.

A query is meant to read: PostgreSQL and SQLite are told so, and a DuckDB file is opened for reading only. A file that
does not exist is refused, as SQLite would make an empty one.

Whether another try is worth it is told by codes (SQLSTATE, SQLite's names), never by words: servers speak the language
of their installation.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tasks.errors import DataRefused, NetworkError, ProblemError, SalamanderError
from tasks.reading.credentials import hidden
from tasks.sentences import listed, meant
from tasks.sources import SqlSource

if TYPE_CHECKING:
    import sqlalchemy as sa

TIMEOUT_SECONDS = 30
PASSING = ("08", "40", "53", "55", "57")
"""SQLSTATE classes of PostgreSQL that pass: connection, rollback, resources, object in use, operator intervention."""


def engine_of(source: SqlSource, url: str, folder: Path) -> sa.Engine:
    """Give an engine without a pool: one connection, closed when the rows have been read."""
    import sqlalchemy as sa
    from sqlalchemy import exc

    where = f"source.url = {source.url!r}"
    try:
        address, settings = _reading(sa.make_url(url), folder, where)
        return sa.create_engine(address, poolclass=sa.NullPool, connect_args=settings, hide_parameters=True)
    except exc.NoSuchModuleError:
        scheme = url.partition("://")[0]
        known = ("postgresql", "sqlite", "duckdb")
        raise ProblemError(
            f"{where}: no database is known as {scheme!r}{meant(scheme, known)}; allowed: {listed(known)} (which needs "
            "the package duckdb-engine), and those whose SQLAlchemy dialect is installed."
        ) from None
    except exc.ArgumentError:
        raise ProblemError(
            f"{where} is not the address of a database; write it as in postgresql://user:${{PASSWORD}}@host:5432/name, "
            "sqlite:///file.db or duckdb:///file.duckdb."
        ) from None
    except ImportError as error:
        package = error.name or str(error).splitlines()[0]
        raise ProblemError(f"{where} needs the package {package!r}, which is not installed; install it.") from None


def _reading(address: sa.URL, folder: Path, where: str) -> tuple[sa.URL, dict[str, Any]]:
    """Give an address and settings with which nothing can be written, as far as the kind of database knows that."""
    kind = address.get_backend_name()
    if kind == "postgresql" and "connect_timeout" not in address.query:
        return address, {"connect_timeout": TIMEOUT_SECONDS}
    if kind not in {"sqlite", "duckdb"} or (kind == "duckdb" and address.database in {None, "", ":memory:"}):
        return address, {}
    path = (folder / Path(address.database or "").expanduser()).absolute()
    if not path.is_file():
        raise ProblemError(f"{where}: there is no database file {path}; check the path.")
    if kind == "duckdb":
        return address.set(database=str(path)), {"read_only": True}
    return address.set(database=f"file:{quote(str(path))}").update_query_dict({"mode": "ro", "uri": "true"}), {}


@contextmanager
def connected(engine: sa.Engine, source: SqlSource, url: str) -> Generator[sa.Connection]:
    """Give a connection, closed at the end; what goes wrong on the way is a sentence."""
    from sqlalchemy import exc

    try:
        connection = engine.connect()
    except exc.DBAPIError as error:
        said = hidden(_first_line(error.orig), url, source.url)
        if _answers(engine):
            raise ProblemError(f"source.url = {source.url!r} was refused: {said}; check the address.") from None
        kind = _kind(error.orig)
        kind = NetworkError if kind is ProblemError and engine.dialect.name not in {"duckdb", "sqlite"} else kind
        raise kind(f"source.url = {source.url!r} cannot be reached: {said}.") from None
    with connection:
        yield connection


def _answers(engine: sa.Engine) -> bool:
    """Tell whether a PostgreSQL is there and takes connections, whatever it says to this one in whichever language."""
    if engine.dialect.driver != "psycopg":
        return False
    from psycopg import conninfo, pq

    _, settings = engine.dialect.create_connect_args(engine.url)
    known: dict[str, Any] = {key: value for key, value in settings.items() if isinstance(value, str | int)}
    ping = pq.PGconn.ping(conninfo.make_conninfo("", **{"connect_timeout": TIMEOUT_SECONDS} | known).encode())
    return ping == pq.Ping.OK


@contextmanager
def sentences(engine: sa.Engine, source: SqlSource, url: str) -> Generator[None]:
    """Say as one sentence, without credentials, what a database or its driver says."""
    from sqlalchemy import exc

    try:
        yield
    except (exc.DBAPIError, engine.dialect.loaded_dbapi.Error) as error:
        lost = isinstance(error, exc.DBAPIError) and error.connection_invalidated
        original = error.orig if isinstance(error, exc.DBAPIError) else error
        kind = NetworkError if lost else _kind(original)
        said = hidden(_first_line(original), url, source.url)
        remedy = "; source.query must be a SELECT that runs there" if kind is ProblemError else ""
        raise kind(f"source.query at {source.url} failed: {said}{remedy}.") from None


def _kind(error: Any) -> type[SalamanderError]:
    """Give the kind of error: one that passes, one of the data, or (anything else) one of the declaration."""
    state, name = getattr(error, "sqlstate", None) or "", getattr(error, "sqlite_errorname", "")
    if (
        state.startswith(PASSING)
        or name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
        or "Conflicting lock" in str(error)
    ):
        return NetworkError
    damaged = name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")) or type(error).__name__ == "IOException"
    data = any(kind.__name__ == "DataError" for kind in type(error).__mro__)
    return DataRefused if damaged or data else ProblemError


def _first_line(error: Any) -> str:
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0].rstrip(". ")
