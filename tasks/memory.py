"""How much memory a fit may take: a candidate that needs more fails by itself, before the system kills whom it likes.

A limit of Linux on a process's own data (RLIMIT_DATA) turns a demand beyond it into Python's MemoryError. It counts
what is asked for, not what is used: TensorFlow asks for 1.5 GB and uses 0.7. So no share is below `LEAST`.
"""

from __future__ import annotations

import resource
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

LEAST = 2 * 2**30
SPARED = 0.1
"""The share of what is free that is left to everything else."""


def free_memory() -> int | None:
    """Give the bytes of memory that are free on this machine, or in its container; None where nobody says."""
    found = [_available(Path("/proc/meminfo")), _left(Path("/sys/fs/cgroup"))]
    return min((each for each in found if each is not None), default=None)


def share(of: int, free: int | None) -> int | None:
    """Give the bytes that each of so many processes may take; None where there is no limit."""
    return None if free is None else max(LEAST, round(free * (1 - SPARED) / of))


@contextmanager
def limited(most: int | None) -> Generator[None]:
    """Let this process take so many bytes at most, all that it has already included."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if most is None or (hard != resource.RLIM_INFINITY and hard <= most):
        yield
        return
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _available(path: Path) -> int | None:
    """Give what Linux takes for available without swapping (proc(5): MemAvailable, in KiB)."""
    if not path.is_file():
        return None
    lines = dict(line.split(":", 1) for line in path.read_text(encoding="ascii").splitlines())
    return int(lines["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in lines else None


def _left(folder: Path) -> int | None:
    """Give what a container may still take (cgroup v2)."""
    most, current = folder / "memory.max", folder / "memory.current"
    if not (most.is_file() and current.is_file()):
        return None
    limit = most.read_text(encoding="ascii").strip()
    return None if limit == "max" else max(0, int(limit) - int(current.read_text(encoding="ascii")))
