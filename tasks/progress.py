"""Progress: how far a step is, told at most once in a while; who shows it, a terminal or the Prefect UI, reads the log.

A record of the log carries the figures ``done`` and ``total`` beside its sentence, so that a bar can be drawn of them.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field

EVERY_SECONDS = 0.5


@dataclass
class Progress:
    """How many of ``total`` rows have come through a stage of a step, such as "Checked".

    >>> logger = logging.getLogger("a step")
    >>> Progress(logger, "Checked", total=2_000)(500)
    """

    logger: logging.Logger | logging.LoggerAdapter[logging.Logger]
    stage: str
    total: int
    _told: float = field(default=float("-inf"))

    def __call__(self, done: int) -> None:
        """Tell that so many rows are through, unless that was told just now of nearly as many."""
        now = time.monotonic()
        if now - self._told >= EVERY_SECONDS:
            self._told = now
            figures = {"done": done, "total": self.total}
            self.logger.info("%s %s of %s rows.", self.stage, f"{done:,}", f"{self.total:,}", extra=figures)
