"""The process that speaks gRPC is watched over as those for HTTP are; what these do stands in `test_server`."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from uvicorn import Server

from serving.processes import HttpConfig
from tests.conftest import free_port
from tests.waiting import until

SECONDS = 300


def listening(port: int, parent: int) -> set[int]:
    """Give the processes that one started and that listen on a port."""
    sockets = {
        f"socket:[{line.split()[9]}]"
        for table in ("tcp", "tcp6")  # gRPC takes an address of version 4 as one of version 6
        for line in Path("/proc/net", table).read_text().splitlines()[1:]
        if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
    }
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return {int(child) for child in children if sockets & {*opened(child)}}


def opened(process: str) -> Iterator[str]:
    """Give what a process has open."""
    with contextlib.suppress(OSError):  # it has ended meanwhile
        for link in Path(f"/proc/{process}/fd").iterdir():
            with contextlib.suppress(OSError):  # this was closed meanwhile
                yield str(link.readlink())


def test_the_process_that_speaks_grpc_is_replaced_when_it_is_killed_and_ends_with_the_others(project) -> None:
    port, log = free_port(), project / "serving.log"
    command = [sys.executable, "-c", "from flows.cli import main; main()", "serve", "--workers", "1"]
    command += ["--port", str(free_port()), "--grpc-port", str(port), "--project", str(project)]
    with log.open("wb") as output:
        serving = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=output)
    try:
        (victim,) = until(lambda: listening(port, serving.pid), SECONDS)
        os.kill(victim, signal.SIGKILL)
        until(lambda: listening(port, serving.pid) - {victim}, SECONDS)
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            grpc.channel_ready_future(channel).result(SECONDS)
    finally:
        serving.send_signal(signal.SIGTERM)
        code = serving.wait(SECONDS)
    assert code == 0, log.read_text()


def test_a_process_that_is_asked_to_end_while_it_starts_does_not_listen_any_more() -> None:
    """Else whoever came between its listening anew and its end would get no answer."""
    said: list[str] = []

    async def app(_scope, receive, send) -> None:
        await receive()
        listening.shutdown(socket.SHUT_RDWR)  # as the supervisor does
        signal.raise_signal(signal.SIGTERM)
        await send({"type": "lifespan.startup.complete"})
        said.append((await receive())["type"])
        await send({"type": "lifespan.shutdown.complete"})

    before = signal.getsignal(signal.SIGTERM)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        with pytest.raises(SystemExit) as ended:
            Server(HttpConfig(app, lifespan="on", log_config=None)).run([listening])
        assert ended.value.code == 0
        assert not listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    assert said == ["lifespan.shutdown"]
    assert signal.getsignal(signal.SIGTERM) is before
