"""A load of HTTP requests from a process of its own, and what came of it.

Each connection is kept open and asks again as soon as it is answered (a closed loop). Run as a program it prints one
JSON object: ``python load.py URL BODY_FILE CONNECTIONS SECONDS``.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

WARM_SECONDS = 0.5


@dataclass(frozen=True)
class Load:
    """What clients saw: requests answered a second, milliseconds until the answer, and how many failed."""

    requests_per_second: float
    p50: float
    p99: float
    failed: int


def load(url: str, body: Path, connections: int, seconds: float) -> Load:
    """Give what so many clients see who ask with the same body for so many seconds.

    Raises
    ------
    RuntimeError
        The load could not be made at all.
    """
    command = [sys.executable, __file__, url, str(body), str(connections), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-1000:])
    return Load(**json.loads(done.stdout))


async def _ask(url: str, body: bytes, connections: int, seconds: float) -> Load:
    import aiohttp
    import numpy as np

    taken: list[float] = []
    failed = 0
    headers = {"Content-Type": "application/json"}
    start = time.perf_counter() + WARM_SECONDS
    end = start + seconds

    async def client(session: aiohttp.ClientSession) -> None:
        nonlocal failed
        while (begun := time.perf_counter()) < end:
            async with session.post(url, data=body, headers=headers) as answer:
                await answer.read()
            if begun >= start:
                taken.append(time.perf_counter() - begun)
                failed += answer.status != 200

    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*(client(session) for _ in range(connections)))
    p50, p99 = np.percentile(taken, [50, 99]) * 1e3
    return Load(len(taken) / seconds, float(p50), float(p99), failed)


if __name__ == "__main__":
    url, body, connections, seconds = sys.argv[1:]
    found = asyncio.run(_ask(url, Path(body).read_bytes(), int(connections), float(seconds)))
    print(json.dumps(vars(found)))
