"""Waiting for what happens elsewhere: in a thread, a process or a task."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
SECONDS = 600
"""After so long it will not happen any more, however busy the machine is."""


def until(condition: Callable[[], T], seconds: float = SECONDS) -> T:
    """Wait for a condition, and give what made it true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)
    return found


async def happened(condition: Callable[[], object], seconds: float = SECONDS) -> None:
    """Wait for a condition while the other tasks go on."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
