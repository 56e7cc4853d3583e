"""Who gets the cores: one place decides.

Candidates are compared in parallel as mapped task runs, and the folds of each in parallel too. Whatever the nesting, at
most one fit a core runs at a time: a fit takes a permit first, and inside it OpenMP keeps to one thread. The
final fit of the winner has the machine to itself and uses all of it. (Only OpenMP is limited: its limit belongs to a
thread. A BLAS library's belongs to the process, so fits that overlap would undo each other's.)
"""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager

CORES = len(os.sched_getaffinity(0))
_PERMITS = threading.BoundedSemaphore(CORES)


@contextmanager
def one_core() -> Generator[None]:
    """Wait for a core, then keep to it."""
    from threadpoolctl import threadpool_limits

    with _PERMITS, threadpool_limits(limits=1, user_api="openmp"):
        yield
