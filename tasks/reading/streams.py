"""A table on its way: its schema and its rows batch by batch, so that a large one never stands in memory whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Stream:
    """Rows as they arrive; ``batches`` can be gone through once and all have the ``schema``."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
