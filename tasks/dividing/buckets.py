"""Buckets: rows brought into another order on the disk, in linear time and little memory.

Where each row is to stand is known beforehand. So the rows are dealt, batch by batch, to files of so many places each,
and every file is then put in order by itself: twenty million rows are read twice, and 256 thousand of them are in
memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

LEAST_ROWS, MOST_FILES = 2**18, 400
PLACE = "salamander_place"
NOWHERE = -1


class Buckets:
    """Files in a folder that together hold rows at the places 0, 1, ...; `fill` them once, then read them in order."""

    def __init__(self, folder: Path, schema: pa.Schema, places: int) -> None:
        self.folder, self.schema = folder, _plain(schema)
        self.rows = max(LEAST_ROWS, -(-places // MOST_FILES))

    def fill(self, batches: Iterable[pa.RecordBatch], places: NDArray[np.int64]) -> None:
        """Deal rows out.

        Parameters
        ----------
        batches : iterable of pyarrow.RecordBatch
        places : array of shape (rows,)
            The place of each row of the batches; `NOWHERE` leaves a row out.
        """
        import pyarrow as pa

        with ExitStack() as open_files:
            writers: dict[int, Any] = {}
            start = 0
            for batch in batches:
                here = places[start : start + batch.num_rows]
                start += batch.num_rows
                for bucket, rows in self._dealt(batch.cast(self.schema), here):
                    if bucket not in writers:
                        writer = pa.ipc.new_stream(self._path(bucket), rows.schema)
                        writers[bucket] = open_files.enter_context(writer)
                    writers[bucket].write_batch(rows)

    def read(self, low: int, high: int) -> Iterator[pa.Table]:
        """Give the rows of the places from ``low`` to just before ``high``, in order, at most a bucket at a time."""
        import pyarrow as pa

        for bucket in range(low // self.rows, -(-high // self.rows)):
            first = bucket * self.rows
            with pa.OSFile(str(self._path(bucket))) as file, pa.ipc.open_stream(file) as stream:
                table = stream.read_all()
            order = np.empty(table.num_rows, dtype="int64")
            order[table[PLACE].to_numpy() - first] = np.arange(table.num_rows)
            order = order[max(low - first, 0) : high - first]
            yield table.drop_columns([PLACE]).take(pa.array(order)).combine_chunks()

    def _dealt(self, batch: pa.RecordBatch, places: NDArray[np.int64]) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Give the rows of a batch for each bucket that has any."""
        import pyarrow as pa

        order = np.argsort(places)
        order = order[np.searchsorted(places[order], 0) :]
        ordered = places[order]
        taken = batch.take(pa.array(order)).append_column(PLACE, pa.array(ordered))
        buckets, starts = np.unique(ordered // self.rows, return_index=True)
        for bucket, low, high in zip(buckets, starts, np.append(starts, len(ordered))[1:], strict=True):
            yield int(bucket), taken.slice(low, high - low)

    def _path(self, bucket: int) -> Path:
        return self.folder / f"{bucket}.arrows"


def _plain(schema: pa.Schema) -> pa.Schema:
    """Give a schema without pandas' metadata and without dictionaries, which can differ from batch to batch."""
    import pyarrow as pa
    from pyarrow import types

    fields = [field.with_type(field.type.value_type) if types.is_dictionary(field.type) else field for field in schema]
    return pa.schema([field.remove_metadata() for field in fields])
