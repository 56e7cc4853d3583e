"""Servers that benchmarks ask: started as a user starts them, ready when they say so, stopped at the end."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from measuring import free_port

READY_SECONDS, STOP_SECONDS = 300, 60


@dataclass(frozen=True)
class Server:
    """A server that is up: its address and its process."""

    address: str
    process: subprocess.Popen[bytes]

    def megabytes(self) -> float:
        """Give the resident megabytes of its process and of all that this one started."""
        return sum(map(resident, _family(self.process.pid)))

    def workers(self) -> list[int]:
        """Give the numbers of the processes that answer, which its process started."""
        return [pid for pid in _children(self.process.pid) if b"spawn_main" in _proc(pid, "cmdline").read_bytes()]


@contextmanager
def started(
    command: list[str], address: str, ready: str, log: Path, environment: Mapping[str, str] | None = None
) -> Generator[Server]:
    """Start a server and wait until the path ``ready`` of its address is answered with 200; stop it at the end.

    Raises
    ------
    SystemExit
        It ended, or is not ready in time: shows the end of its log.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, cwd=log.parent)
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not _answers(f"{address}{ready}"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{log.read_text()[-2000:]}\nNot ready: {' '.join(command)}")
            time.sleep(0.2)
        yield Server(address, process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_SECONDS)


@contextmanager
def serving(project: Path, store: Path, log: Path, *problems: str) -> Generator[Server]:
    """Start `salamander serve` with one process that answers HTTP, for some problems or all of a project."""
    port = free_port()
    program = str(Path(sys.executable).with_name("salamander"))
    command = [program, "serve", *problems, "--port", str(port), "--no-grpc", "--workers", "1"]
    command += ["--project", str(project.absolute()), "--store", str(store.absolute())]
    with started(command, f"http://127.0.0.1:{port}", "/readyz", log) as server:
        yield server


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def resident(pid: int) -> float:
    """Give the resident megabytes of one process."""
    lines = _proc(pid, "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1e3


def _family(pid: int) -> Iterator[int]:
    yield pid
    for child in _children(pid):
        yield from _family(child)


def _children(pid: int) -> list[int]:
    return [int(child) for each in _proc(pid, "task").glob("*/children") for child in each.read_text().split()]


def _proc(pid: int, name: str) -> Path:
    return Path(f"/proc/{pid}/{name}")
