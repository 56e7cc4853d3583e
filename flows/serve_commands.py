"""The command that answers for deployed models: `salamander serve`."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from cyclopts import Parameter
from cyclopts.types import NonNegativeInt, PositiveFloat, PositiveInt

from flows.command_line import DEFAULTS, Options, say
from serving.settings import GRPC_PORT, TOKEN, Settings


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

    host: str = Settings.host
    port: NonNegativeInt = Settings.port
    grpc: bool = True
    grpc_port: NonNegativeInt = GRPC_PORT
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

    most_bytes: PositiveInt = Settings.most_bytes
    most_rows: PositiveInt = Settings.most_rows
    most_requests: str | None = Settings.most_requests
    timeout_seconds: PositiveFloat = Settings.timeout_seconds


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
