"""The local server: found, started once, remembered, stopped."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from flows.local_server import healthy, home, ui_url, use_server
from tests.conftest import free_port


def environment(folder: Path, port: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    return kept | {"PREFECT_HOME": str(folder), "PREFECT_SERVER_API_PORT": str(port)}


def test_the_server_answers_and_the_ui_is_served(server: str) -> None:
    assert healthy(server)
    assert "<html" in httpx.get(ui_url(server)).text
    assert use_server() == server


def test_it_is_remembered_where_it_was_started(server: str) -> None:
    started = json.loads((home() / "salamander-started.json").read_text())
    assert b"prefect" in Path(f"/proc/{started['server']}/cmdline").read_bytes()


def test_nothing_answers_where_nothing_runs() -> None:
    assert not healthy("http://127.0.0.1:9/api")


def test_commands_that_start_together_start_one_server_and_down_stops_it(tmp_path: Path, unused_tcp_port: int) -> None:
    own = environment(tmp_path, unused_tcp_port)
    script = "from flows.local_server import use_server; print(use_server())"
    together = [
        subprocess.Popen([sys.executable, "-c", script], env=own, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    addresses = {process.communicate()[0].strip() for process in together}
    assert addresses == {f"http://127.0.0.1:{unused_tcp_port}/api"}
    down = [sys.executable, "-c", "from flows.cli import main; main()", "down", "--json"]
    first = subprocess.run(down, env=own, capture_output=True, text=True, check=True)
    assert json.loads(first.stdout) == {"stopped": ["server"]}
    assert not healthy(addresses.pop())
    again = subprocess.run(down, env=own, capture_output=True, text=True, check=True)
    assert json.loads(again.stdout) == {"stopped": []}


def test_a_port_that_another_program_has_is_a_sentence(tmp_path: Path, unused_tcp_port: int) -> None:
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", unused_tcp_port))
        other.listen()
        script = "from flows.cli import main; main()"
        project = Path(__file__).parent.parent
        command = [sys.executable, "-c", script, "train", "digits", "--project", str(project), "--store", str(tmp_path)]
        done = subprocess.run(
            command,
            env=environment(tmp_path, unused_tcp_port),
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
    assert done.returncode == 1
    assert f"is another program on port {unused_tcp_port}?" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def unused_tcp_port() -> int:
    return free_port()
