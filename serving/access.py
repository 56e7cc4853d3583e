"""What is counted of every request, over HTTP and gRPC alike, and its line in the log."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serving.metrics import Metrics

ACCESS = logging.getLogger("salamander.access")
OPERATING = "operating"


@dataclass(frozen=True)
class Access:
    """A request that was answered, or given up by its client.

    Attributes
    ----------
    request : str
        Its name, see `serving.request_id`.
    client : str or None
        Its address, without the port.
    method, path : str
        What was asked.
    status : int or str
        The code of HTTP, or the name of that of gRPC.
    milliseconds : float
        From the request to its answer.
    problem, version : str
        Which model answered; empty where none did.
    """

    request: str
    client: str | None
    method: str
    path: str
    status: int | str
    milliseconds: float
    problem: str
    version: str

    def note(self, metrics: Metrics, action: str) -> None:
        """Count, measure and log it, as an action of a few that there are."""
        metrics.requests.labels(self.problem, action, str(self.status)).inc()
        metrics.seconds.labels(self.problem, action).observe(self.milliseconds / 1000)
        level = logging.DEBUG if action == OPERATING else logging.INFO  # a probe every second is no news
        if ACCESS.isEnabledFor(level):
            ACCESS.log(level, "request", extra={"fields": asdict(self)})
