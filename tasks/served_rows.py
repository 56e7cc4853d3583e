"""What deployed models were asked and what they predicted: files below ``served/``, one after another.

A process that serves writes *journals*, Arrow streams of which each batch is whole as soon as it is written, so that a
process that is killed loses only what it had not written yet. A journal that is large or old is *settled*: it becomes a
Parquet part of the same name. Its writer holds a lock on it (`flock`, which ends with the process): so whoever starts
next finds what nobody writes any more, and settles it. Readers see parts and journals alike.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.arrow import compute, gathered, parquet_file
from tasks.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = "served"
JOURNAL, PART, UNLOCKED = ".arrows", ".parquet", ".new"
ROW_GROUP = 2**17


def served_rows(store: Store, version: int | None = None, since: datetime | None = None) -> Iterator[pa.RecordBatch]:
    """Give what was asked and predicted, file by file, oldest first: all, or of a version, or from a moment on.

    The columns are ``at``, ``request``, ``row`` (its place in the request), ``version``, ``asked`` (a struct of the
    columns of the request), ``prediction`` and ``probabilities``. Versions may differ in the types of the last three.
    """
    import pyarrow as pa

    for stem in _stems(store, version):
        for batch in _read(store.folder / FOLDER / stem):
            found = batch if since is None else batch.filter(compute().greater_equal(batch["at"], pa.scalar(since)))
            if found.num_rows:
                yield found


class OpenJournal:
    """A journal of a version that is being written, and locked until it is closed; it always ends with a whole batch.

    Attributes
    ----------
    size : int
        In bytes.

    Raises
    ------
    OSError
        There is no room for it.
    """

    def __init__(self, store: Store, version: int, schema: pa.Schema) -> None:
        stem = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-v{version}-{uuid.uuid4().hex[:12]}"
        self.size, path = 0, store.folder / FOLDER / f"{stem}{JOURNAL}"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.with_suffix(UNLOCKED).open("ab", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            self._append(schema.serialize())
            path.with_suffix(UNLOCKED).rename(path)  # seen by others only now that it is locked
        except OSError:
            path.with_suffix(UNLOCKED).unlink()
            self.close()
            raise

    def write(self, batch: pa.RecordBatch) -> None:
        """Write rows: once this has ended they outlive this process.

        Raises
        ------
        OSError
            There is no room for them; the journal is as it was before.
        """
        self._append(batch.serialize())

    def close(self) -> None:
        """Unlock it, for `recover` to settle."""
        self._file.close()

    def _append(self, content: pa.Buffer) -> None:
        rest = memoryview(content)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]  # where there is room for a part only, that is written
        except OSError:
            self._file.truncate(self.size)
            raise
        self.size += len(content)


def recover(store: Store) -> int:
    """Settle the journals that nobody writes any more: those that were closed, and those of a process that was killed.

    Returns
    -------
    int
        How many.
    """
    found = 0
    for path in sorted((store.folder / FOLDER).glob(f"*{JOURNAL}")):
        with suppress(FileNotFoundError, BlockingIOError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(file.fileno()).st_nlink:  # else another process has settled it just now
                _settle(store, path)
                found += 1
    return found


def _settle(store: Store, journal: Path) -> None:
    """Turn a journal into a part of the same name; a kill at any moment leaves the one, or both, which is as good."""
    import pyarrow.parquet as pq

    part = journal.with_suffix(PART)
    with store.scratch() as folder:
        draft, writer = folder / part.name, None
        for piece in gathered(_stream(journal), ROW_GROUP):
            writer = writer or pq.ParquetWriter(draft, piece.schema, compression="zstd")
            writer.write_table(piece.combine_chunks())
        if writer:
            writer.close()
            draft.replace(part)
    journal.unlink()


def _stems(store: Store, version: int | None) -> list[str]:
    names = {path.stem for path in (store.folder / FOLDER).glob("*") if path.suffix in {JOURNAL, PART}}
    return sorted(name for name in names if version is None or f"-v{version}-" in name)


def _read(stem: Path) -> Iterator[pa.RecordBatch]:
    """Read a part, or the journal where it is none yet; it may become one at this moment."""
    part, journal = stem.with_name(f"{stem.name}{PART}"), stem.with_name(f"{stem.name}{JOURNAL}")
    if not part.exists():
        with suppress(FileNotFoundError):
            yield from _stream(journal)
            return
    yield from parquet_file(part).iter_batches()


def _stream(journal: Path) -> Iterator[pa.RecordBatch]:
    """Read the batches of a journal up to the last that is whole.

    What follows is of a process that was killed in the middle of a batch, or of a machine that lost its power.
    """
    import pyarrow as pa

    with journal.open("rb") as file:
        try:
            stream = pa.ipc.open_stream(file)
        except (pa.ArrowException, OSError):
            return
        while True:
            try:
                batch = stream.read_next_batch()
                batch.validate(full=True)
            except (StopIteration, pa.ArrowException, OSError):
                return
            yield batch
