"""What every test may use: a store of its own, a project of its own, and one real Prefect server for them all."""

import atexit
import contextlib
import io
import os
import random
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers
from rich.console import Console

from tasks.fresh_process import FreshProcess
from tasks.networking.engine import ENVIRONMENT
from tasks.reading.downloads import MIRROR
from tasks.records import Artifact, File, Interval, Model, RunRecord, Scores, Snapshot, Verdict, Version
from tasks.sources import UrlSource
from tasks.store import Store
from tasks.suites import Suite, find_suite

settings.register_profile(
    "repeatable",
    database=None,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("repeatable")
assert hasattr(providers, "_get_local_constants")
providers._get_local_constants = lambda: providers._local_constants  # else examples depend on what others imported

WINE = """
description = "Which of three growers made a wine? A chemical analysis."
task = "classification"
target = "target"

[source]
kind = "bundled"
name = "wine"

[split]
stratify = "target"

[[candidates]]
name = "logistic"
estimator = "LogisticRegression"

[[candidates]]
name = "tree"
estimator = "DecisionTreeClassifier"
"""

WINE_EXPECTATIONS = """
import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectTableRowCountToBeBetween(min_value=100, severity="critical", notes="178 wines were analysed."),
    gxe.ExpectColumnValuesToBeBetween(
        column="alcohol", min_value=11, max_value=15, severity="critical", notes="Per cent; wine has 11 to 15."
    ),
]
"""


def pytest_configure() -> None:
    """Give this session a Prefect home and a port of its own, before Prefect is imported."""
    os.environ.pop("PREFECT_API_URL", None)
    os.environ["PREFECT_HOME"] = tempfile.mkdtemp(prefix="salamander-tests-")
    os.environ["PREFECT_SERVER_API_PORT"] = str(free_port())
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
    os.environ["PREFECT_SERVER_DATABASE_TIMEOUT"] = os.environ["PREFECT_SERVER_DATABASE_CONNECTION_TIMEOUT"] = "120"
    os.environ["DO_NOT_TRACK"] = "1"
    os.environ.update(ENVIRONMENT)  # some tests import TensorFlow themselves
    atexit.register(_stop_server)  # after Prefect's own exit handlers, which still send logs and events to it


def _stop_server() -> None:
    if "prefect.context" in sys.modules:  # else no server was started, and it is too late to import it
        from flows.local_server import stop

        stop("server")
    shutil.rmtree(os.environ["PREFECT_HOME"])


def free_port() -> int:
    """Give a port that nothing listens on, of those that the system gives to nobody by itself."""
    while True:
        with socket.socket() as found, contextlib.suppress(OSError):
            found.bind(("127.0.0.1", random.SystemRandom().randrange(20_000, 32_000)))
            return found.getsockname()[1]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", "houses")


def kept(store: Store, content: bytes) -> File:
    """Keep bytes in a store, as if they were a model's."""
    with store.scratch() as folder:
        (folder / "draft").write_bytes(content)
        return store.keep(folder / "draft", "models", "")


@pytest.fixture
def draft(store: Store) -> Callable[..., Version]:
    """Give a function that makes a version, not yet registered, whose one file holds the key that it is made with."""

    def made(key: str = "a", *, files: dict[str, bytes] | None = None, day: int = 1, **verdict: Any) -> Version:
        nothing = Artifact(file=kept(store, b"nothing"), rows=1, columns=())
        contents = files or {"model.skops": key.encode()}
        model = {
            "candidate": {"name": "ridge", "estimator": "Ridge"},
            "task": "regression",
            "files": {name: kept(store, content) for name, content in contents.items()},
            "columns": {"target": "price", "roles": {}, "derived": {}},
            "leaderboard": (),
            "trained_on": nothing,
            "libraries": {},
            "seed": 7,
        }
        against = verdict.pop("judged_against", None)
        return Version(
            number=0,
            key=key,
            model=Model.model_validate(model),
            scores=Scores(
                metric="rmse",
                confidence=0.95,
                rows=9,
                excluded_rows=0,
                challenger=Interval(value=1.0, low=0.5, high=1.5),
                champion_version=against,
                predictions=nothing,
            ),
            verdict=Verdict.model_validate({"promote": True, "rules": (), "reason": f"Because of {key}."} | verdict),
            snapshot=Snapshot.model_validate({"data": nothing, "origin": "here"}),
            test=nothing,
            problem_digest="p",
            code_digest="c",
            created=datetime(2026, 1, day, tzinfo=UTC),
        )

    return made


@pytest.fixture
def version_of(store: Store) -> Callable[..., Version]:
    """Give a function that fits a candidate on rows of ``x`` (and ``place``) and makes it a version judged on others.

    It is not registered: its number is 0.
    """
    import numpy as np
    import pandas as pd

    from tasks.candidates import ESTIMATORS, Candidate, TaskKind
    from tasks.columns import ROW
    from tasks.records import Cutoff, FeatureSet

    def rows(start: int, count: int, task: TaskKind) -> pd.DataFrame:
        number = np.arange(start, start + count)
        x, place = number % 7.0, np.where(number % 3, "shore", "hill")
        y = x + 0.1 * np.sin(number) if task == "regression" else np.where(x + number % 2 > 3, "villa", "hut")
        return pd.DataFrame({"number": number, "x": x, "place": place, "y": y, ROW: number.astype("uint64")})

    def made(
        estimator: str | Candidate = "RandomForestRegressor",
        *,
        test_rows: int = 30,
        test: pd.DataFrame | None = None,
        known: pd.DataFrame | None = None,
        columns: FeatureSet | None = None,
        cutoff: Cutoff | None = None,
        **parameters,
    ) -> Version:
        candidate = estimator
        if isinstance(candidate, str):
            candidate = Candidate(name="tried", estimator=candidate, parameters=parameters)
        kinds = (*ESTIMATORS["classification"], "EnsembleClassifier")
        task: TaskKind = "classification" if candidate.estimator in kinds else "regression"
        columns = columns or FeatureSet(target="y", roles={"x": "numeric", "place": "categorical"}, derived={})
        known = rows(0, 60, task) if known is None else known
        judged = rows(100, test_rows, task) if test is None else test
        return version_from(store, candidate, columns, known, judged, task, cutoff)

    return made


def version_from(store: Store, candidate, columns, known, judged, task, cutoff=None) -> Version:
    """Fit a candidate on rows that are known and give it as a version, not yet registered, that others judged."""
    import numpy as np
    import pandas as pd

    from tasks.columns import ROW, derive
    from tasks.estimators import build
    from tasks.keys import library_versions
    from tasks.models import Predictor, save

    def keep(frame: pd.DataFrame, kind: str) -> Artifact:
        return store.keep_table(pa.Table.from_pandas(frame, preserve_index=False), kind)

    fitted = build(candidate, task, columns, 7).fit(derive(known, columns), known[columns.target].to_numpy())
    model = Model(
        candidate=candidate,
        task=task,
        files=save(fitted, columns, store, cutoff),
        columns=columns,
        classes=tuple(np.asarray(getattr(fitted, "classes_", ())).tolist()),
        cutoff=cutoff,
        leaderboard=(),
        trained_on=keep(known, "train"),
        libraries=library_versions(),
        seed=7,
    )
    prediction = Predictor(fitted, columns, cutoff).predict(judged)
    table = pd.DataFrame({ROW: judged[ROW], "target": judged[columns.target], "challenger": prediction.values})
    kept = keep(judged, "test")
    return Version(
        number=0,
        key="k",
        model=model,
        scores=Scores(
            metric="rmse" if task == "regression" else "accuracy",
            confidence=0.95,
            rows=len(judged),
            excluded_rows=0,
            challenger=Interval(value=1, low=0, high=2),
            predictions=keep(table, "predictions"),
        ),
        verdict=Verdict(promote=True, rules=(), reason="The first version."),
        snapshot=Snapshot(data=kept, origin="here"),
        test=kept,
        problem_digest="p",
        code_digest="c",
        created=datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a store in which three problems are in production.

    They are ``houses`` (a regression with intervals, of numbers, a truth and a category that may be missing; two
    versions), ``digits`` (64 numbers that are pictures) and ``reviews`` (a text).
    """
    from tests.deployed import digits, houses, promote, reviews

    root = tmp_path_factory.mktemp("deployed")
    promote(houses, root, max_depth=3)
    promote(houses, root, max_depth=5)
    promote(digits, root)
    promote(reviews, root)
    return root


@pytest.fixture
def serving_at(store: Store) -> Iterator[Callable[..., str]]:
    """Give a function that promotes versions in turn and serves them over a socket; it gives the address."""
    import asyncio

    import uvicorn

    from serving.repository import Repository
    from serving.rest import create_app
    from serving.settings import Settings
    from tasks.registry import Registry

    with contextlib.ExitStack() as running:

        def start(*versions: Version, **settings: Any) -> str:
            registry, before = Registry(store), None
            for version in versions:
                decision = registry.promote(registry.register(version), before)
                assert not isinstance(decision, str), decision
                before = decision.version
            settings = {"timeout_seconds": 600, **settings}
            given = Settings(
                store.root.parent, str(store.root), problems=(store.problem,), port=free_port(), **settings
            )
            repository = Repository(given)
            repository.load()
            config = uvicorn.Config(
                create_app(repository), port=given.port, log_level="warning", lifespan="off", ws="none"
            )
            server = uvicorn.Server(config)
            thread = threading.Thread(target=server.run)
            thread.start()
            for served in repository.offers[store.problem].all().values():
                running.callback(lambda served=served: asyncio.run(served.close()))
            running.callback(thread.join)
            running.callback(setattr, server, "should_exit", True)
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            return f"http://127.0.0.1:{given.port}"

        yield start


@pytest.fixture
def write_suite(tmp_path: Path) -> Callable[..., Suite]:
    """Give a function that writes ``expectations/houses.py`` of a project and finds it."""

    def written(*expectations: str, source: str | None = None, raw: Sequence[str] = ()) -> Suite:
        path = tmp_path / "project" / "expectations" / "houses.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        lists = f"EXPECTATIONS = [{', '.join(expectations)}]\nRAW = [{', '.join(raw)}]\n"
        path.write_text(source or f"import great_expectations.expectations as gxe\n\n{lists}")
        return find_suite("houses", tmp_path / "project")

    return written


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[type[BaseHTTPRequestHandler]], ThreadingHTTPServer]]:
    """Give a function that starts a real web server on this machine, which no proxy or mirror stands in front of."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy", MIRROR):
        monkeypatch.delenv(name, raising=False)
    with contextlib.ExitStack() as running:

        def start(handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
            server = running.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), handler))
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            running.callback(thread.join)
            running.callback(server.shutdown)
            return server

        yield start


@pytest.fixture
def read_files(tmp_path: Path) -> Callable[..., pa.Table]:
    """Give a function that reads files, given as contents by name, as a source that is declared by keywords."""

    def read_contents(files: dict[str, bytes], held: pa.Schema | None = None, **declared: object) -> pa.Table:
        from tasks.reading.archives import LocalFile
        from tasks.reading.readers import read

        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        (folder / "unpacked").mkdir()
        given = []
        for number, (name, content) in enumerate(files.items()):
            (folder / str(number)).write_bytes(content)
            given.append(LocalFile(name, folder / str(number)))
        source = UrlSource.model_validate({"kind": "url", "url": "https://example.org/x", **declared})
        table = read(given, source, folder / "unpacked", lambda s: pa.Table.from_batches(s.batches, s.schema), held)
        shutil.rmtree(folder)
        return table

    return read_contents


@pytest.fixture(scope="session")
def fresh() -> Iterator[FreshProcess]:
    """Give one process that is asked by every test that needs one: what it imports takes seconds."""
    with FreshProcess() as process:
        yield process


@pytest.fixture
def without_run_logger() -> Iterator[None]:
    """Let a task's shell be called through ``.fn``, outside a run."""
    from prefect.logging import disable_run_logger

    with disable_run_logger():
        yield


@pytest.fixture(scope="session")
def server() -> str:
    """Give the API address of a real server, started the way the command line starts it."""
    from flows.local_server import use_server

    return use_server()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a project elsewhere, with one small problem, ``wine``."""
    folder = tmp_path / "project"
    (folder / "data" / "wine").mkdir(parents=True)
    (folder / "expectations").mkdir()
    (folder / "data" / "wine" / "problem.toml").write_text(WINE)
    (folder / "expectations" / "wine.py").write_text(WINE_EXPECTATIONS)
    return folder


@pytest.fixture
def declare(project: Path) -> Callable[..., None]:
    """Give a function that replaces text in the declaration of ``wine``; the text must be there."""

    def replace(old: str, new: str, file: str = "data/wine/problem.toml") -> None:
        path = project / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return replace


Trained = tuple[RunRecord, Version | None, str]


@pytest.fixture
def train(server: str, project: Path, fresh: FreshProcess, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Trained]:
    """Give a function that trains a problem as the command line does; it gives record, version and what was printed.

    All such runs ask one fresh process; tests that start the command line have one for each run, as users do.
    """
    for flow in ("training", "adoption"):
        monkeypatch.setattr(f"flows.{flow}.FreshProcess", lambda: contextlib.nullcontext(fresh))
    from flows.cli import Options
    from flows.runs import run_flow

    def run(problem: str = "wine", flow: str = "training", **parameters: object) -> Trained:
        shown = io.StringIO()
        console = Console(file=shown, width=200)
        record, version = run_flow(flow, problem, Options(project=project), console, **parameters)
        return record, version, shown.getvalue()

    return run


PASSWORD = "p@ss/w:rd %40"  # noqa: S105 - of the tests' own database
HOUSES = """
    CREATE TABLE houses (
        rooms BIGINT, price NUMERIC(10, 2), area DOUBLE PRECISION, place TEXT, sold BOOLEAN, cellar INTEGER
    );
    INSERT INTO houses VALUES
        (3, 100.25, 80.5, 'shore', true, NULL),
        (5, 200.5, NULL, 'it''s 12:30 :x 100%', false, NULL),
        (NULL, NULL, 60, NULL, NULL, NULL);
"""
ENDLESS = {
    "postgresql": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
    "duckdb": "SELECT i FROM range(1, 1000000000000) AS r(i)",
}


@dataclass(frozen=True)
class Database:
    """A real database: its address with and without the password, its folder, and how to change it."""

    kind: str
    url: str
    folder: Path
    run: Callable[[str], None]

    def source(self, text, **settings):
        from tasks.sources import SqlSource

        return SqlSource(
            kind="sql", url=self.url.replace(quote(PASSWORD, safe=""), "${PASSWORD}"), query=text, **settings
        )

    def stream(self, text, since=None, held=None, **settings):
        from tasks.reading.databases import query

        return query(self.source(text, **settings), self.url, since, held=held, folder=self.folder)

    def table(self, text, since=None, held=None, **settings):
        import pyarrow as pa

        stream = self.stream(text, since, held, **settings)
        return pa.Table.from_batches(list(stream.batches), schema=stream.schema)


def as_postgres(command, **settings):
    """Run a command as a user that PostgreSQL runs as: it refuses to be root."""
    if os.geteuid() == 0:
        settings |= {"user": "postgres", "group": "postgres", "extra_groups": []}
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd="/", **settings)


@pytest.fixture(scope="session")
def postgres():
    """Give the address of a real PostgreSQL of this session."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [Path(shutil.which("initdb") or "")]
    if not found[-1].is_file():
        pytest.skip("no PostgreSQL is installed (Debian's package postgresql)")
    programs, port = found[-1].parent, free_port()
    with tempfile.TemporaryDirectory(prefix="salamander-postgres-") as name:
        folder = Path(name)
        (folder / "password").write_text(PASSWORD)
        if os.geteuid() == 0:
            for path in (folder, folder / "password"):
                shutil.chown(path, "postgres", "postgres")
        settings = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        data = ["-D", str(folder / "data")]
        as_postgres(
            [programs / "initdb", *data, "-A", "scram-sha-256", "-U", "owner", "-N", f"--pwfile={folder}/password"]
        )
        as_postgres([programs / "pg_ctl", *data, "-o", settings, "-l", str(folder / "log"), "-w", "start"])
        yield f"postgresql://owner:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/postgres"
        as_postgres([programs / "pg_ctl", *data, "-m", "immediate", "-w", "stop"])


@pytest.fixture
def postgresql(postgres, tmp_path):
    def run(statements):
        import psycopg

        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(statements)

    run("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return Database("postgresql", postgres, tmp_path, run)


@pytest.fixture
def sqlite(tmp_path):
    def run(statements):
        connection = sqlite3.connect(tmp_path / "my houses#1.db")
        connection.executescript(statements)
        connection.close()

    run("SELECT 1")
    return Database("sqlite", "sqlite:///my houses#1.db", tmp_path, run)


@pytest.fixture
def duck(tmp_path):
    def run(statements):
        import duckdb

        with duckdb.connect(tmp_path / "houses.duckdb") as connection:
            connection.execute(statements)

    run("SELECT 1")
    return Database("duckdb", "duckdb:///houses.duckdb", tmp_path, run)


@pytest.fixture(params=["postgresql", "sqlite", "duck"])
def database(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def version_of_ensemble(version_of: Callable[..., Version]) -> Callable[..., Version]:
    """Give a function that makes a version of an ensemble of estimators, equally weighed, as `version_of` does."""
    from tasks.candidates import Candidate, Member

    def made(kind: str, *estimators: str, **more) -> Version:
        short: dict[str, Any] = {"epochs": 2, "hidden": [4]}
        members = tuple(
            Member(
                candidate=Candidate(name=f"m{place}", estimator=name, parameters=short if "Deep" in name else {}),
                weight=1 / len(estimators),
            )
            for place, name in enumerate(estimators)
        )
        return version_of(Candidate(name="together", estimator=kind, members=members), **more)

    return made
