"""A Prefect server for this machine: used where there is one, else started in the background and left up.

Prefect's own temporary server is not used: with it, a flow of 210 task runs recorded 24 of them, and its log is full of
locked-database tracebacks. A server that is left up has all of them within seconds.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import httpx

from tasks.errors import SalamanderError

START_SECONDS = 120

_children: dict[str, subprocess.Popen[bytes]] = {}
"""What this very process started: a child must be waited for when it is stopped."""


def home() -> Path:
    """Give Prefect's home folder, where the server keeps its database and we keep what we started."""
    from prefect.settings import get_current_settings

    return get_current_settings().home


def use_server() -> str:
    """Give the API address of a running server, and let this process use it.

    That is the one that ``PREFECT_API_URL`` (or the active profile) names, else a local one, started if need be.

    Raises
    ------
    SalamanderError
        The named server does not answer, or the local one does not start.
    """
    from prefect.settings import get_current_settings

    named = get_current_settings().api.url
    if named:
        if not healthy(named):
            raise SalamanderError(
                f"The Prefect server at {named} (PREFECT_API_URL) does not answer; start it, or unset PREFECT_API_URL "
                "to use a local one. Nothing was changed."
            )
        return named
    url = local_url()
    if not healthy(url):
        start_server(url)
    os.environ["PREFECT_API_URL"] = url
    _reload_settings()
    return url


def local_url() -> str:
    """Give the API address of the local server, from Prefect's own settings for host and port."""
    from prefect.settings import get_current_settings

    api = get_current_settings().server.api
    return f"http://{api.host}:{api.port}/api"


def ui_url(api_url: str) -> str:
    """Give the address of the UI that belongs to an API address."""
    return api_url.removesuffix("/").removesuffix("/api")


def healthy(url: str, seconds: float = 10) -> bool:
    """Tell whether a Prefect API answers at an address within some seconds: a server that is busy needs them."""
    try:
        return httpx.get(f"{url.rstrip('/')}/health", timeout=seconds).text.strip() == "true"
    except httpx.HTTPError:
        return False


def start_server(url: str) -> None:
    """Start the local server in the background and wait until it answers.

    Raises
    ------
    SalamanderError
        It ended, or did not answer in time; the sentence names its log.
    """
    with _one_at_a_time():
        if healthy(url):  # another command started it while this one waited
            return
        address = httpx.URL(url)
        process = start("server", ["server", "start", "--host", address.host, "--port", str(address.port)])
        deadline = time.monotonic() + START_SECONDS
        while not healthy(url, 2):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SalamanderError(
                    f"The local Prefect server did not start at {url}; is another program on port {address.port}? "
                    f"Its log: {log_file('server')}. (PREFECT_SERVER_API_PORT chooses another port.)"
                )
            time.sleep(0.2)


def start(name: str, arguments: list[str]) -> subprocess.Popen[bytes]:
    """Start a Prefect command in the background, in a session of its own, with a log file, and remember it."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT__")}
    home().mkdir(parents=True, exist_ok=True)
    with log_file(name).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
    _children[name] = process
    _remember(_started() | {name: process.pid})
    return process


def running(name: str) -> bool:
    """Tell whether a command that we started is still there."""
    pid = _started().get(name)
    return pid is not None and _is_ours(pid)


def stop(name: str) -> bool:
    """Stop a command that we started, and all that it started; tell whether there was one."""
    started = _started()
    pid = started.pop(name, None)
    if pid is None:
        return False
    _remember(started)
    if not _is_ours(pid):
        return False
    os.killpg(pid, signal.SIGTERM)
    deadline = time.monotonic() + 15
    while _is_ours(pid):
        if time.monotonic() > deadline:
            os.killpg(pid, signal.SIGKILL)
        time.sleep(0.1)
    return True


def log_file(name: str) -> Path:
    """Give the log file of a command that we start."""
    return home() / f"salamander-{name}.log"


def _started_file() -> Path:
    return home() / "salamander-started.json"


def _started() -> dict[str, int]:
    try:
        return json.loads(_started_file().read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}


def _remember(started: dict[str, int]) -> None:
    draft = _started_file().with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(started), encoding="utf-8")
    draft.replace(_started_file())


def _is_ours(pid: int) -> bool:
    """Tell whether a process is alive and is a Prefect command; its number may have been given to another since."""
    for child in _children.values():
        child.poll()  # a child that has ended stays in the process table until it is asked for its end
    try:
        return b"prefect" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _reload_settings() -> None:
    from prefect.context import refresh_global_settings_context

    refresh_global_settings_context()


@contextlib.contextmanager
def _one_at_a_time() -> Generator[None]:
    home().mkdir(parents=True, exist_ok=True)
    with (home() / "salamander-server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
