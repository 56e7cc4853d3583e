"""HTTP connections: what is no request yet is limited, and one that ends does not lose what is on its way.

A request is guarded by `serving.guards` from when its head, its address and headers, is complete. Until then it is
limited here: in its bytes, and in the time from when somebody connects, or sends the first byte after an answer.

uvicorn closes a connection that is kept open as soon as the server is to end; a request that the client has sent at
that moment would be lost. Here such a connection waits a little longer: what arrives is answered, with the word that
the connection is closed after it.
"""

from __future__ import annotations

from asyncio import TimerHandle, Transport
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from serving.guards import HEADERS, refused

LINGER_SECONDS = 1.0
MOST_HEAD_BYTES = 65_536
TOO_LARGE = (
    f"The head of the request is too large: at most {MOST_HEAD_BYTES:,} bytes of address and headers are read; send "
    "what is longer in the body."
)


class Connection(HttpToolsProtocol):
    """One connection.

    Parameters
    ----------
    head_seconds : float
        So soon the head of a request must be complete, or the connection is closed.
    """

    def __init__(self, *arguments: Any, head_seconds: float, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head_seconds = head_seconds
        self._late: TimerHandle | None = None  # closes the connection, unless a head is complete before
        self._head_bytes = 0  # so many came since the last head, or the last part of a body
        self._ends = False

    def connection_made(self, transport: Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what came, in parts that are never larger than what a head may still have."""
        while data:
            room = MOST_HEAD_BYTES - self._head_bytes
            part, data = data[:room], data[room:]
            self._head_bytes += len(part)
            super().data_received(part)
            if self.transport.is_closing():  # what came is no HTTP, and that was said
                return
            if self._head_bytes >= MOST_HEAD_BYTES:
                self._refuse()
            elif self._late is None and not self._is_answering():
                self._wait_for_head()

    def on_headers_complete(self) -> None:
        """Begin to answer a request."""
        self._head_bytes = 0
        self._stop_waiting()
        super().on_headers_complete()
        if self._ends:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Take a part of a body, whose size is not limited here."""
        self._head_bytes = 0
        super().on_body(body)

    def shutdown(self) -> None:
        """End after the request that is answered now, or that comes within a moment."""
        self._ends = True
        if self._is_answering():
            super().shutdown()
        else:
            self.loop.call_later(LINGER_SECONDS, super().shutdown)

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = vars(self)["cycle"]  # None before the first request
        return cycle is not None and not cycle.response_complete

    def _wait_for_head(self) -> None:
        self._late = self.loop.call_later(self._head_seconds, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._late:
            self._late.cancel()
            self._late = None

    def _refuse(self) -> None:
        """Say that the head is too large, unless another answer is on its way, and close the connection."""
        fields = {"client": self.client[0] if self.client else None}
        self.logger.warning("The head of a request is too large.", extra={"fields": fields})
        if not self._is_answering():
            answer = refused(TOO_LARGE, 431, {"Connection": "close"})
            lines = [name + b": " + value + b"\r\n" for name, value in [*answer.raw_headers, *HEADERS.items()]]
            self.transport.write(b"".join([STATUS_LINE[431], *lines, b"\r\n", bytes(answer.body)]))
        self.transport.close()
