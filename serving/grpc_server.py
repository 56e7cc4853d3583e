"""The server that speaks gRPC as TensorFlow Serving does.

It runs in a process of its own, since what it imports takes seconds and hundreds of megabytes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
from tensorflow_serving.apis.model_service_pb2_grpc import add_ModelServiceServicer_to_server
from tensorflow_serving.apis.prediction_service_pb2_grpc import add_PredictionServiceServicer_to_server

from serving.grpc_guard import Guard
from serving.grpc_services import ModelService, PredictionService
from tasks.errors import ProblemError

if TYPE_CHECKING:
    from serving.repository import Repository
    from serving.settings import Settings


QUIET_SECONDS, MOST_WAITS = 0.1, 20


class Listening:
    """A server that is started."""

    def __init__(self, server: grpc.aio.Server, guard: Guard) -> None:
        self._server, self._guard = server, guard

    async def stop(self, grace_seconds: float) -> None:
        """Answer the calls that there are, each within so many seconds, and end.

        gRPC cancels calls that have arrived but that it has not handed over yet. So the end is put off until no call
        comes for a moment; under constant load, for two seconds.
        """
        for _ in range(MOST_WAITS):
            before = self._guard.begun
            await asyncio.sleep(QUIET_SECONDS)
            if self._guard.begun == before:
                break
        await self._server.stop(grace_seconds)


async def start(repository: Repository, settings: Settings) -> Listening:
    """Give a server that answers; whoever runs it keeps the repository up to date and stops it.

    Raises
    ------
    ProblemError
        The address cannot be listened on.
    """
    guard = Guard(repository)
    server = grpc.aio.server(
        interceptors=[guard],
        options=[
            ("grpc.max_receive_message_length", settings.most_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),  # or two servers would share an address without a word
        ],
    )
    add_PredictionServiceServicer_to_server(PredictionService(repository), server)
    add_ModelServiceServicer_to_server(ModelService(repository), server)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    try:
        server.add_insecure_port(f"{host}:{settings.grpc_port}")
    except RuntimeError as error:
        raise ProblemError(
            f"{host}:{settings.grpc_port} cannot be listened on for gRPC. Name another with --grpc-port, leave gRPC "
            "out with --no-grpc, or stop what listens there."
        ) from error
    await server.start()
    return Listening(server, guard)
