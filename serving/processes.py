"""The processes that serve, and the one that watches over them.

uvicorn's supervisor starts those for HTTP, starts anew whichever dies or hangs, and on SIGTERM lets each answer what it
has. The one that speaks gRPC is started, asked after its health and ended in the same way.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from contextlib import AsyncExitStack
from types import FrameType
from typing import Any

from uvicorn import Config
from uvicorn.config import STARTUP_FAILURE
from uvicorn.lifespan.on import LifespanOn
from uvicorn.server import HANDLED_SIGNALS, Server
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from serving.living import follow
from serving.settings import Settings
from tasks.errors import ProblemError

LOG = logging.getLogger("salamander.processes")
HANGS_SECONDS = 60


class Starting(LifespanOn):
    """The start and the end of a process that speaks HTTP, which ends at once where that was asked for meanwhile.

    uvicorn would listen first: at a socket that the supervisor has shut, so that who came then would get no answer.
    """

    async def startup(self) -> None:
        """Start, and end where a signal has asked for that."""
        asked: list[int] = []

        def note(number: int, frame: FrameType | None) -> None:
            asked.append(number)
            handlers[number](number, frame)

        handlers: dict[int, Any] = {each: signal.signal(each, note) for each in HANDLED_SIGNALS}
        try:
            await super().startup()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        if asked and not self.should_exit:
            await self.shutdown()
            raise SystemExit(0)


class HttpConfig(Config):
    """How uvicorn serves, with a start of our own."""

    def load(self) -> None:
        """Load what the configuration names."""
        super().load()
        self.lifespan_class = Starting


class Supervisor(Multiprocess):
    """uvicorn's supervisor, which watches over the process that speaks gRPC too."""

    def __init__(self, config: Config, sockets: list[socket.socket], settings: Settings) -> None:
        super().__init__(config, sockets)
        self._settings = settings
        self._grpc: Process | None = None

    def init_processes(self) -> None:
        """Start all processes."""
        super().init_processes()
        if self._settings.grpc_port is not None:
            self._grpc = GrpcProcess(self.config, self._settings)
            self._grpc.start()

    def keep_subprocess_alive(self) -> None:
        """Start anew whichever process died or hangs."""
        super().keep_subprocess_alive()
        if self._grpc is None or self.should_exit.is_set() or self._grpc.is_alive(HANGS_SECONDS):
            return
        self._grpc.kill()
        self._grpc.join()
        if self.failed():
            self.should_exit.set()
            return
        self._grpc = GrpcProcess(self.config, self._settings)
        self._grpc.start()

    def failed(self) -> bool:
        """Tell whether a process ended since it cannot start, which it could not the next time either."""
        every = [*self.processes, self._grpc] if self._grpc else self.processes
        return any(process.exitcode == STARTUP_FAILURE for process in every)

    def terminate_all(self) -> None:
        """Ask all processes to answer what they have and to end; who comes now is refused."""
        for each in self.sockets:
            each.shutdown(socket.SHUT_RDWR)  # for all that share it: else who comes now would wait for nobody
        super().terminate_all()
        if self._grpc:
            self._grpc.terminate()

    def join_all(self) -> None:
        """Wait until all processes have ended."""
        super().join_all()
        if self._grpc:
            self._grpc.join()


class GrpcProcess(Process):
    """The process that speaks gRPC, started and asked after its health as uvicorn's own are."""

    def __init__(self, config: Config, settings: Settings) -> None:
        self._settings = settings
        super().__init__(config, [])

    @property
    def server(self) -> Server:
        """What runs in the process."""
        if self._server is None:
            self._server = GrpcServer(self.config, self._settings)
        return self._server


class GrpcServer(Server):
    """Speaks gRPC in place of HTTP."""

    def __init__(self, config: Config, settings: Settings) -> None:
        super().__init__(config)
        self._settings = settings

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - none of its own
        """Answer until a signal comes, then what is in flight."""
        from tasks.networking.engine import tensorflow

        tensorflow()  # which what follows imports; here it is quiet
        from serving.grpc_server import start

        with self.capture_signals():
            async with AsyncExitStack() as stack:
                repository = await follow(self._settings, stack)
                try:
                    server = await start(repository, self._settings)
                except ProblemError as error:
                    LOG.error(str(error))  # noqa: TRY400 - a sentence says it all
                    raise SystemExit(STARTUP_FAILURE) from error
                stack.push_async_callback(server.stop, self._settings.drain_seconds)
                self.started = True
                while not self.should_exit:
                    await asyncio.sleep(0.1)
