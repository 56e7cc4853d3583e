"""The processes that serve, over real sockets: they follow, drain, and are replaced; nothing is lost on the way."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from serving.server import listen
from tasks.errors import ProblemError
from tasks.registry import Registry
from tasks.served_rows import served_rows
from tests import waiting
from tests.conftest import free_port

SECONDS = 300
ROW = {"instances": [{"x": 3.0, "place": "hill"}]}


def until(condition: Callable[[], object]) -> None:
    """Wait until something holds; a server that cannot be reached yet does not."""

    def holds() -> object:
        with contextlib.suppress(httpx.TransportError):
            return condition()
        return False

    waiting.until(holds, SECONDS)


class Serving:
    """`salamander serve` as a command of its own."""

    def __init__(self, project: Path, store: Path, *words: str) -> None:
        self.port = free_port()
        self.log = project / "serving.log"
        command = [sys.executable, "-c", "from flows.cli import main; main()", "serve", "--no-grpc"]
        command += ["--port", str(self.port), "--project", str(project), "--store", str(store), *words]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=SECONDS, trust_env=False)
        until(lambda: self.get("/readyz").is_success or self.process.poll() is not None)

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path)

    def predict(self, **headers: str) -> httpx.Response:
        return self.client.post("/v1/models/houses:predict", json=ROW, headers=headers)

    def version(self) -> str:
        return self.predict().json()["model_version"]

    def lines(self) -> list[dict]:
        """Give what is logged, which is JSON whoever wrote it; the last line may not be whole yet."""
        return [json.loads(line) for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def workers(self) -> list[int]:
        """Give the processes that answer."""
        found: list[int] = []
        for each in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            with contextlib.suppress(OSError):  # it has just ended
                if "spawn_main" in Path(f"/proc/{each}/cmdline").read_text():
                    found.append(int(each))
        return found

    def stop(self) -> int:
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(SECONDS)


@pytest.fixture
def promote(store, version_of) -> Callable[[int], None]:
    """Give a function that puts a tree of a depth into production."""

    def promoted(depth: int) -> None:
        registry = Registry(store)
        champion = registry.champion()
        version = registry.register(version_of("DecisionTreeRegressor", max_depth=depth))
        registry.promote(version, champion.number if champion else None)

    return promoted


@pytest.fixture
def serving(store, project) -> Iterator[Callable[..., Serving]]:
    """Give a function that serves ``houses``; at the end it is stopped."""
    folder = project / "data" / "houses"
    folder.mkdir()
    text = 'task = "regression"\ntarget = "y"\nsource = { kind = "bundled", name = "diabetes" }\ncandidates = "auto"\n'
    (folder / "problem.toml").write_text(text)
    started: list[Serving] = []

    def start(*words: str) -> Serving:
        started.append(Serving(project, store.root, *words))
        return started[-1]

    yield start
    for each in started:
        each.client.close()
        if each.process.poll() is None:
            each.stop()


def test_it_answers_follows_promotion_and_rollback_and_notes_what_it_answered(serving, promote, store) -> None:
    promote(1)
    running = serving("--workers", "2")
    found = running.predict(**{"X-Request-Id": "mine"})
    assert (found.headers["x-request-id"], found.json()["model_version"]) == ("mine", "1")
    promote(4)
    until(lambda: running.version() == "2")
    Registry(store).rollback()
    until(lambda: running.version() == "1")
    assert running.get("/healthz").json() == {"status": "alive"}
    assert running.get("/readyz").json()["ready"]
    lines = running.get("/metrics").text.splitlines()
    counted = 'salamander_requests_total{action="predict",code="200",problem="houses"}'
    requests = sum(float(line.split()[1]) for line in lines if line.startswith(counted))
    assert requests >= 3
    assert running.stop() == 0
    logged = [line for line in running.lines() if line.get("request") == "mine"]
    assert [(line["path"], line["status"], line["version"]) for line in logged] == [
        ("/v1/models/houses:predict", 200, "1")
    ]
    noted = [row for batch in served_rows(store) for row in batch.to_pylist()]
    assert len(noted) == requests
    (mine,) = (row for row in noted if row["request"] == "mine")
    assert (mine["version"], mine["asked"]) == (1, ROW["instances"][0])
    assert mine["prediction"] == found.json()["predictions"][0]
    assert not list((store.folder / "served").glob("*.arrows"))


def test_a_worker_that_is_killed_is_replaced_while_the_others_answer(serving, promote, store) -> None:
    promote(1)
    running = serving("--workers", "2")
    until(lambda: len(running.workers()) == 2)
    until(lambda: sum("startup complete" in line["message"] for line in running.lines()) == 2)
    victim = running.workers()[0]
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(running.workers()) == 2 and victim not in running.workers())
    until(lambda: sum("startup complete" in line["message"] for line in running.lines()) == 3)
    with httpx.Client(base_url=f"http://127.0.0.1:{running.port}", trust_env=False, timeout=SECONDS) as fresh:
        for _ in range(20):
            assert fresh.post("/v1/models/houses:predict", json=ROW).status_code == 200
    assert running.stop() == 0


def test_what_is_in_flight_is_answered_when_it_is_stopped(serving, promote) -> None:
    promote(1)
    running = serving("--workers", "1")
    body, begun, held, answers = json.dumps(ROW).encode(), threading.Event(), threading.Event(), []

    def in_two_parts() -> Iterator[bytes]:
        yield body[:10]
        begun.set()  # who is asked for more has sent what there was
        held.wait(SECONDS)
        yield body[10:]

    def ask() -> None:
        answers.append(running.client.post("/v1/models/houses:predict", content=in_two_parts()))

    asking = threading.Thread(target=ask)
    asking.start()
    assert begun.wait(SECONDS)
    running.process.send_signal(signal.SIGTERM)
    until(lambda: any("Waiting for connections" in line["message"] for line in running.lines()))
    held.set()
    asking.join()
    assert (answers[0].status_code, answers[0].json()["model_version"]) == (200, "1")
    assert running.process.wait(SECONDS) == 0


def test_what_is_in_flight_has_its_time_also_where_that_is_less_than_a_second(serving, promote) -> None:
    promote(1)
    running = serving("--workers", "1", "--timeout-seconds", "0.9")

    def never_whole() -> Iterator[bytes]:
        yield b"{"
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(SECONDS) == 0

    answer = running.client.post("/v1/models/houses:predict", content=never_whole())
    assert answer.status_code == 408  # its own limit has ended it, not the server's end
    assert not [line for line in running.lines() if line["level"] == "error"]


def test_who_sends_half_a_head_has_the_time_of_a_request(serving, promote) -> None:
    promote(1)
    running = serving("--workers", "1", "--timeout-seconds", "0.9")
    with socket.create_connection(("127.0.0.1", running.port), SECONDS) as client:
        client.sendall(b"GET / HTTP/1.1\r\nX-Half: ")
        assert client.recv(1) == b""


def test_no_request_is_lost_when_it_is_stopped_under_load(serving, promote) -> None:
    promote(1)
    running = serving("--workers", "2")
    ends: list[object] = []
    counts = [0] * 8

    def ask(place: int) -> None:
        address = f"http://127.0.0.1:{running.port}/v1/models/houses:predict"
        with httpx.Client(timeout=SECONDS, trust_env=False) as client:
            while True:
                try:
                    answer = client.post(address, json=ROW)
                except httpx.TransportError as error:
                    ends.append(error)
                    return
                assert answer.status_code == 200
                counts[place] += 1

    asking = [threading.Thread(target=ask, args=(place,)) for place in range(len(counts))]
    for each in asking:
        each.start()
    until(lambda: min(counts) > 5)
    assert running.stop() == 0
    for each in asking:
        each.join()
    assert [type(end) for end in ends] == [httpx.ConnectError] * len(counts), ends  # refused: nobody listens any more


def test_predictions_that_a_killed_process_noted_are_kept(serving, promote, store) -> None:
    promote(1)
    running = serving("--workers", "1")
    assert running.predict(**{"X-Request-Id": "before"}).is_success
    until(lambda: [row for batch in served_rows(store) for row in batch["request"].to_pylist()] == ["before"])
    os.kill(running.workers()[0], signal.SIGKILL)
    until(lambda: list((store.folder / "served").glob("*.parquet")))
    assert [row for batch in served_rows(store) for row in batch["request"].to_pylist()] == ["before"]


def test_where_the_supervisor_is_killed_the_others_end_too(serving, promote) -> None:
    promote(1)
    running = serving("--workers", "1")
    (worker,) = running.workers()
    running.process.kill()
    running.process.wait()
    until(lambda: _has_ended(worker))


def test_a_version_that_cannot_be_loaded_leaves_the_old_one_answering(serving, promote, store, version_of) -> None:
    promote(1)
    running = serving("--workers", "1")
    registry = Registry(store)
    version = registry.register(version_of("DecisionTreeRegressor", max_depth=6))
    path = store.folder / version.model.files["model.skops"].path
    path.write_bytes(path.read_bytes() + b"x")
    registry.promote(version, 1)
    until(lambda: running.get("/readyz").json()["problems"]["houses"]["trouble"])
    assert running.get("/readyz").status_code == 200
    assert running.version() == "1"


def test_an_address_that_is_taken_is_one_sentence(store, project) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ProblemError, match=f"127.0.0.1:{port} cannot be listened on: .*--port"):
            listen("127.0.0.1", port)


def _has_ended(process: int) -> bool:
    """Tell whether a process of somebody else has ended, even if nobody asks for its end."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
