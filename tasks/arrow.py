"""What PyArrow leaves to do: its functions under a type, Parquet that is let go, and batches gathered into pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq


def compute() -> Any:
    """Give PyArrow's functions on arrays, which its published types do not name."""
    import pyarrow.compute as pc

    return pc


def parquet_file(source: Any) -> pq.ParquetFile:
    """Open a Parquet file, a path or an open file, to be read in batches each of which is let go.

    By default PyArrow keeps the bytes of all row groups that it has read until the last one is.
    """
    import pyarrow.parquet as pq

    return pq.ParquetFile(source, pre_buffer=False)


def gathered(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Give batches as tables of at least so many rows each, but the last; a batch is never cut."""
    import pyarrow as pa

    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        waiting.append(batch)
        count += batch.num_rows
        if count >= rows:
            yield pa.Table.from_batches(waiting)
            waiting, count = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting)
