"""Parquet from strangers, read in a process of its own that may neither take much memory nor hurt anybody by dying.

A damaged file ends a process that reads it with PyArrow (one of some hundred with a few bytes changed did), and a small
one can unpack to any size. So a process that has bounds reads it, started at the first such request; it gives back the
rows as an Arrow stream, whose reader held on 15,000 damaged ones. When the serving process ends, so does this one.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import resource
import subprocess
import sys
import threading
from functools import cache
from importlib import import_module
from struct import Struct
from typing import IO, TYPE_CHECKING, cast

from serving.values import BadRequest
from tasks.fresh_process import same_imports

if TYPE_CHECKING:
    from collections.abc import Generator

HEADER = Struct("!QQ")
"""Before a file stand its length and how many rows it may have; before an answer its length and its HTTP status."""

MEMORY_BYTES = 2**30
START_SECONDS, PATIENCE_SECONDS = 60.0, 10.0
FINE, READY = 200, b"\n"


@cache
def unpacker() -> Unpacker:
    """Give the one process that unpacks for this one."""
    made = Unpacker()
    atexit.register(made.close)
    return made


class Unpacker:
    """Reads Parquet elsewhere; a process that died is started anew when it is needed."""

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS, memory_bytes: int = MEMORY_BYTES) -> None:
        self._patience_seconds, self._memory_bytes = patience_seconds, memory_bytes
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def stream(self, body: bytes, most_rows: int) -> bytes:
        """Give the rows of a Parquet file as an Arrow stream; blocks.

        Raises
        ------
        BadRequest
            It cannot be read, or has too many rows.
        """
        with self._lock:
            length, status = 0, 0
            with contextlib.suppress(BrokenPipeError), self._bounded() as process:
                to, back = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
                to.write(HEADER.pack(len(body), most_rows) + body)
                to.flush()
                header = back.read(HEADER.size)
                length, status = HEADER.unpack(header) if len(header) == HEADER.size else (0, 0)
                answer = back.read(length)
                if status and len(answer) == length:
                    if status == FINE:
                        return answer
                    raise BadRequest(answer.decode(), status)
            self._end()
        raise BadRequest("The body is no Parquet file that can be read: it is damaged, or takes too much to unpack.")

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    @contextlib.contextmanager
    def _bounded(self) -> Generator[subprocess.Popen[bytes]]:
        """Give the process, which is ended if it takes too long."""
        process = self._ready()
        with _ended_after(self._patience_seconds, process):
            yield process

    def _ready(self) -> subprocess.Popen[bytes]:
        """Give the process, started if need be, once it has imported what it needs."""
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "serving.unpacking", str(self._memory_bytes)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=same_imports() | {"ARROW_DEFAULT_MEMORY_POOL": "system"},
            )
            with _ended_after(START_SECONDS, self._process):
                cast("IO[bytes]", self._process.stdout).read(len(READY))
        return self._process

    def _end(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                cast("IO[bytes]", pipe).close()
        self._process = None


@contextlib.contextmanager
def _ended_after(seconds: float, process: subprocess.Popen[bytes]) -> Generator[None]:
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


# What follows runs in the process.


def unpacked(body: bytes, most_rows: int) -> bytes:
    """Give the rows of a Parquet file as an Arrow stream; a text that many rows share stands there once.

    Raises
    ------
    BadRequest
        It has no rows, or too many.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from serving.rows import check_count

    file = pq.ParquetFile(pa.BufferReader(body))
    check_count(file.metadata.num_rows, "The table", most_rows)
    texts = [field.name for field in file.schema_arrow if pa.types.is_string(field.type)]
    sink, rows = io.BytesIO(), 0
    shared = pq.ParquetFile(pa.BufferReader(body), metadata=file.metadata, read_dictionary=texts)
    batches = shared.iter_batches(use_threads=False)
    first = next(batches)
    with pa.ipc.new_stream(sink, first.schema) as writer:
        for batch in (first, *batches):
            rows += batch.num_rows
            check_count(rows, "The table", most_rows)
            writer.write_batch(batch)
    return sink.getvalue()


def answered(body: bytes, most_rows: int) -> tuple[bytes, int]:
    """Give the answer for a file, or a sentence, and its HTTP status."""
    try:
        return unpacked(body, most_rows), FINE
    except BadRequest as error:
        return str(error).encode(), error.status
    except Exception as error:
        first = (str(error).strip().splitlines() or ["no message"])[0][:200].rstrip(".")
        return f"The body is no Parquet file that can be read: {first}.".encode(), 400


def converse(memory_bytes: int) -> None:
    """Answer one file after the other until there are no more."""
    import_module("pyarrow.parquet")  # before there are bounds
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()
    while header := sys.stdin.buffer.read(HEADER.size):
        length, most_rows = HEADER.unpack(header)
        answer, status = answered(sys.stdin.buffer.read(length), most_rows)
        sys.stdout.buffer.write(HEADER.pack(len(answer), status) + answer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    converse(int(sys.argv[1]))
