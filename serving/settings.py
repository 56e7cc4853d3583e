"""What `salamander serve` was asked for: frozen, and given to every process as it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

TOKEN = "SALAMANDER_SERVE_TOKEN"  # noqa: S105 - the name of the variable

GRPC_PORT = 8500


@dataclass(frozen=True)
class Settings:
    """How models are served.

    Parameters
    ----------
    project : pathlib.Path
        The folder in which ``data/`` stands.
    store : str
        The store's address.
    problems : tuple of str
        Which problems are served; none named: all that have something in production.
    host, port, grpc_port : str, int, int or None
        Where HTTP and gRPC listen; None: no gRPC.
    workers : int
        Processes that answer HTTP.
    token : str, optional
        What a client must send as a bearer token; by default nothing is asked for.
    most_bytes, most_rows : int
        The largest body of a request, and the most rows in it.
    most_requests : str, optional
        Rate limit of one client in the notation of the library `limits`, such as ``"100/second"``.
    timeout_seconds : float
        After so long a request is given up, a body that has not arrived is refused, and a connection on which no head
        has come is closed.
    poll_seconds : float
        How often the pointer to the champion is looked at.
    """

    project: Path
    store: str
    problems: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8501
    grpc_port: int | None = GRPC_PORT
    workers: int = 1
    token: str | None = None
    most_bytes: int = 16_000_000
    most_rows: int = 100_000
    most_requests: str | None = None
    timeout_seconds: float = 30.0
    poll_seconds: float = 0.25

    @property
    def drain_seconds(self) -> int:
        """So long what is in flight may take at the end: a second more than a request may, whose own limit is told."""
        return math.ceil(self.timeout_seconds) + 1
