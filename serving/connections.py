"""HTTP connections that end without losing what is on its way.

uvicorn closes a connection that is kept open as soon as the server is to end; a request that the client has sent at
that moment would be lost. Here such a connection waits a little longer: what arrives is answered, with the word that
the connection is closed after it.
"""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

LINGER_SECONDS = 0.3


class Connection(HttpToolsProtocol):
    """One connection."""

    _ends = False

    def shutdown(self) -> None:
        """End after the request that is answered now, or that comes within a moment."""
        self._ends = True
        cycle: RequestResponseCycle | None = vars(self)["cycle"]  # None before the first request
        if cycle is None or cycle.response_complete:
            self.loop.call_later(LINGER_SECONDS, super().shutdown)
        else:
            super().shutdown()

    def on_headers_complete(self) -> None:
        """Begin to answer a request."""
        super().on_headers_complete()
        if self._ends:
            self.cycle.keep_alive = False
