"""The command that answers for deployed models: `salamander serve`."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter
from cyclopts.types import Port, PositiveInt
from cyclopts.validators import Number

from flows.command_line import DEFAULTS, Options, say
from serving.settings import GRPC_PORT, TOKEN, Settings

DAY_SECONDS = 86_400
MOST_BYTES = 2**31 - 1
"""What gRPC can be told to take at most."""


def _check_host(_kind: object, host: str) -> None:
    """Refuse what is no host: none at all, which would stand for all of this machine, and what no name can be."""
    try:
        encoded = host.strip().encode("idna")
    except UnicodeError:
        encoded = b""
    if not encoded:
        raise ValueError("Name an address, such as 127.0.0.1, or 0.0.0.0 for all of this machine.")


@Parameter(name="*")
@dataclass(frozen=True)
class Listening:
    """Where and by how many it is listened.

    Parameters
    ----------
    host
        The address to listen on; 0.0.0.0 for all of this machine. Set SALAMANDER_SERVE_TOKEN to ask for a token.
    port
        Where HTTP listens.
    grpc
        Speak gRPC too, in a process of its own.
    grpc_port
        Where gRPC listens.
    workers
        Processes that answer HTTP (default: one a core).
    """

    host: Annotated[str, Parameter(validator=_check_host)] = Settings.host
    port: Port = Settings.port
    grpc: bool = True
    grpc_port: Port = GRPC_PORT
    workers: PositiveInt | None = None


@Parameter(name="*")
@dataclass(frozen=True)
class Limits:
    """What one request, and one client, may ask.

    Parameters
    ----------
    most_bytes
        The largest body of a request.
    most_rows
        The most rows in a request.
    most_requests
        What one client may ask, such as 100/second (default: no limit).
    timeout_seconds
        After so long a request is given up.
    """

    most_bytes: Annotated[int, Parameter(validator=Number(gt=0, lte=MOST_BYTES))] = Settings.most_bytes
    most_rows: PositiveInt = Settings.most_rows
    most_requests: str | None = Settings.most_requests
    timeout_seconds: Annotated[float, Parameter(validator=Number(gt=0, lte=DAY_SECONDS))] = Settings.timeout_seconds


def serve(
    *problems: str, listening: Listening = Listening(), limits: Limits = Limits(), options: Options = DEFAULTS
) -> int:
    """Serve what is in production over HTTP and gRPC, and follow every promotion and rollback, until it is stopped.

    Parameters
    ----------
    problems
        Which problems (default: all that have, or will have, something in production).
    """
    from serving.server import serve as run

    settings = _settings(problems, listening, limits, options)
    run(settings, lambda: _announce(settings, options))
    return 0


COMMANDS = (serve,)


def _settings(problems: tuple[str, ...], listening: Listening, limits: Limits, options: Options) -> Settings:
    """Give what the processes are told, after checking that there are such problems and such a store."""
    from serving.guards import Rate
    from tasks.cores import CORES
    from tasks.problem import load_problem
    from tasks.store import Store

    Store.at(options.store_url, "any")
    Rate(limits.most_requests)
    for name in problems:
        load_problem(name, options.project)
    return Settings(
        project=options.project,
        store=options.store_url,
        problems=problems,
        host=listening.host,
        port=listening.port,
        grpc_port=listening.grpc_port if listening.grpc else None,
        workers=listening.workers or CORES,
        token=os.environ.get(TOKEN) or None,
        most_bytes=limits.most_bytes,
        most_rows=limits.most_rows,
        most_requests=limits.most_requests,
        timeout_seconds=limits.timeout_seconds,
    )


def _announce(settings: Settings, options: Options) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    grpc = f"{host}:{settings.grpc_port}" if settings.grpc_port is not None else None
    address = f"http://{host}:{settings.port}"
    also = f", gRPC at {grpc}" if grpc else ""
    answer = {"http": address, "grpc": grpc, "workers": settings.workers, "problems": [*settings.problems]}
    say(answer, f"Serving at {address}{also}. It is ready when {address}/readyz answers; Ctrl+C ends it.", options)
    sys.stdout.flush()  # it may be a file, and the command goes on
