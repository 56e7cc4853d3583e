"""What every test may use: a store of its own, a project of its own, and one real Prefect server for them all."""

import atexit
import io
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from rich.console import Console

from tasks.records import RunRecord, Version
from tasks.store import Store

settings.register_profile(
    "repeatable",
    database=None,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("repeatable")

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
    os.environ["DO_NOT_TRACK"] = "1"
    atexit.register(_stop_server)  # after Prefect's own exit handlers, which still send logs and events to it


def _stop_server() -> None:
    if "prefect.context" in sys.modules:  # else no server was started, and it is too late to import it
        from flows.local_server import stop

        stop("server")
    shutil.rmtree(os.environ["PREFECT_HOME"])


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", "houses")


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
def train(server: str, project: Path) -> Callable[..., Trained]:
    """Give a function that trains a problem as the command line does; it gives record, version and what was printed."""
    from flows.cli import Options
    from flows.runs import run_training

    def run(problem: str = "wine", *, promote: bool = True) -> Trained:
        shown = io.StringIO()
        console = Console(file=shown, width=200)
        record, version = run_training(problem, Options(project=project), promote=promote, console=console)
        return record, version, shown.getvalue()

    return run
