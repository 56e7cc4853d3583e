"""`salamander serve`: what it is asked for, what it says, and what it refuses in a sentence."""

import json
import os
from pathlib import Path

import pytest

from flows.cli import run
from serving.server import listen
from serving.settings import TOKEN, Settings
from tests.conftest import free_port


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """Give the settings that the processes would be started with; none is."""
    found: list[Settings] = []

    def serve(settings: Settings, announce) -> None:
        found.append(settings)
        announce()

    monkeypatch.setattr("serving.server.serve", serve)
    return found


def test_without_options_everything_in_production_is_served(asked, project, capsys) -> None:
    assert run(["serve", "--project", str(project)]) == 0
    assert asked == [Settings(project, str(project / "data" / "store"), workers=len(os.sched_getaffinity(0)))]
    assert "Serving at http://127.0.0.1:8501, gRPC at 127.0.0.1:8500. It is ready when" in capsys.readouterr().out


def test_what_is_asked_for_reaches_the_processes(asked, project, monkeypatch, capsys) -> None:
    monkeypatch.setenv(TOKEN, "secret")
    words = "serve wine --host ::1 --port 1234 --no-grpc --workers 3 --most-rows 7 --most-requests 5/second --json"
    assert run([*words.split(), "--project", str(project)]) == 0
    (found,) = asked
    assert (found.problems, found.host, found.port, found.grpc_port) == (("wine",), "::1", 1234, None)
    assert (found.workers, found.most_rows, found.most_requests, found.token) == (3, 7, "5/second", "secret")
    printed = json.loads(capsys.readouterr().out)
    assert printed == {"http": "http://[::1]:1234", "grpc": None, "workers": 3, "problems": ["wine"]}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["wein"], "There is no problem 'wein'"),
        (["--store", "s3://bucket/store"], "--store 's3://bucket/store' is not supported"),
        (["--workers", "0"], "--workers"),
        (["--most-requests", "often"], "'often' is no rate limit"),
        (["--most-requests", "0/second"], "'0/second' lets nobody ask"),
        (["--timeout-seconds", "inf"], 'Invalid value "inf" for --timeout-seconds. Must be <= 86400.'),
        (["--timeout-seconds", "nan"], 'Invalid value "nan" for --timeout-seconds. Must be'),
        (["--timeout-seconds", "0"], 'Invalid value "0.0" for --timeout-seconds. Must be > 0.'),
        (["--port", "70000"], 'Invalid value "70000" for --port. Must be <= 65535.'),
        (["--grpc-port", "70000"], 'Invalid value "70000" for --grpc-port. Must be <= 65535.'),
        (["--most-bytes", "2147483648"], 'Invalid value "2147483648" for --most-bytes. Must be <= 2147483647.'),
        (["--host", ""], 'Invalid value "" for --host. Name an address, such as 127.0.0.1, or 0.0.0.0 for all'),
        (["--host", "ü..x"], 'Invalid value "ü..x" for --host. Name an address'),
    ],
)
def test_a_mistake_is_a_sentence(project, capsys, words, sentence) -> None:
    assert run(["serve", *words, "--project", str(project)]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--port", "--grpc-port"])
def test_an_address_that_is_taken_is_a_sentence(project: Path, capsys, option: str) -> None:
    with listen("127.0.0.1", 0) as taken:
        ports = {"--port": free_port(), "--grpc-port": free_port(), option: taken.getsockname()[1]}
        words = [str(word) for pair in ports.items() for word in pair]
        assert run(["serve", *words, "--project", str(project)]) == 2
    said = capsys.readouterr().err
    assert f"127.0.0.1:{ports[option]} cannot be listened on" in said
    assert option in said
