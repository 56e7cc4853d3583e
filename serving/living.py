"""What each serving process does beside answering: it follows the pointers, counts, and notes what is predicted."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from contextlib import AsyncExitStack
from multiprocessing import parent_process
from typing import TYPE_CHECKING

from serving.settings import Settings

if TYPE_CHECKING:
    from serving.repository import Repository

SWITCH_SECONDS = 0.0005
"""So soon the thread that answers gets its turn while another one loads a version (Python's default: 0.005)."""


async def follow(settings: Settings, stack: AsyncExitStack) -> Repository:
    """Give the repository of a process, which follows the pointers and notes what is predicted until the stack ends."""
    logging.captureWarnings(True)  # or they would stand between the lines of the log
    from serving.journal import Journal
    from serving.metrics import Metrics
    from serving.repository import Repository

    sys.setswitchinterval(SWITCH_SECONDS)
    if parent := parent_process():
        asyncio.get_running_loop().add_reader(parent.sentinel, _orphaned, parent.sentinel)
    metrics = Metrics()
    journal = Journal(metrics)
    stack.push_async_callback(asyncio.to_thread, journal.close)
    repository = Repository(settings, journal, metrics)
    await stack.enter_async_context(repository.following())
    return repository


def _orphaned(sentinel: int) -> None:
    """End as if asked to: the supervisor is gone, so nobody else will ask."""
    asyncio.get_running_loop().remove_reader(sentinel)
    signal.raise_signal(signal.SIGTERM)
