"""The processes that serve: so many for HTTP on one socket, one for gRPC, and one that watches over them.

uvicorn's supervisor starts them, starts anew whichever dies or hangs, and on SIGTERM lets each answer the requests that
it has before it ends. Each process has a repository of its own and follows the pointers by itself. A new process takes
its first request only when its models are loaded; until then requests wait at the socket or go to the others. Where the
supervisor itself is killed, the others answer what they have and end too.
"""

from __future__ import annotations

import os
import socket
import tempfile
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from serving.connections import Connection
from serving.living import follow
from serving.logs import log_config
from serving.processes import HANGS_SECONDS, HttpConfig, Supervisor
from serving.settings import Settings
from tasks.cores import ONE_THREAD
from tasks.errors import ProblemError, SalamanderError
from tasks.networking import engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

KEEP_ALIVE_SECONDS = 75
ENVIRONMENT = {
    **ONE_THREAD,
    **engine.ENVIRONMENT,
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
}
"""What serving processes are started with, unless the user said otherwise: one core each, and whoever imports
TensorFlow there, as gRPC's messages do, has it round as it did when models were trained."""


def serve(settings: Settings, announce: Callable[[], None] = lambda: None) -> None:
    """Serve until SIGTERM or SIGINT comes.

    Parameters
    ----------
    announce : callable
        Is called once the address is taken.

    Raises
    ------
    ProblemError
        An address cannot be listened on.
    SalamanderError
        A process cannot start.
    """
    if settings.grpc_port is not None:
        listen(settings.host, settings.grpc_port, "--grpc-port").close()  # whoever speaks gRPC takes it later
    listening = listen(settings.host, settings.port)
    config = HttpConfig(
        partial(Application, settings),
        factory=True,
        workers=settings.workers,
        lifespan="on",
        loop="uvloop",
        http=cast("type[Connection]", partial(Connection, head_seconds=settings.timeout_seconds)),
        ws="none",
        log_config=log_config(),
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.drain_seconds,
        timeout_worker_healthcheck=HANGS_SECONDS,
    )
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with listening, tempfile.TemporaryDirectory(prefix="salamander-serving-") as counts:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = counts
        announce()
        supervisor = Supervisor(config, [listening], settings)
        supervisor.run()
    if supervisor.failed():
        raise SalamanderError("A process could not start, so all were stopped; the log above says why.")


def listen(host: str, port: int, option: str = "--port") -> socket.socket:
    """Give a socket that listens.

    Raises
    ------
    ProblemError
        Another program has that address, or it is none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise ProblemError(
            f"{host}:{port} cannot be listened on: {error.strerror or error}. Name another address with --host and "
            f"{option}, or stop what listens there."
        ) from error


class Application:
    """What one HTTP process answers with: the repository follows the pointers for as long as it lives."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._app: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or live from the server's start to its end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await self._app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        from serving.observing import Observed
        from serving.rest import create_app

        await receive()
        async with AsyncExitStack() as stack:
            repository = await follow(self._settings, stack)
            self._app = Observed(create_app(repository), repository)
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})
