"""Batches become pieces of a size, whole and in order."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.arrow import compute, gathered, parquet_file


@pytest.mark.parametrize(
    ("sizes", "pieces"),
    [((), []), ((2,), [2]), ((3,), [3]), ((1, 1, 1, 1), [3, 1]), ((2, 5, 1, 2, 1), [7, 3, 1]), ((3, 3), [3, 3])],
)
def test_pieces_have_at_least_so_many_rows_and_batches_are_not_cut(sizes: tuple[int, ...], pieces: list[int]) -> None:
    numbers = iter(range(100))
    batches = [pa.record_batch({"number": [next(numbers) for _ in range(size)]}) for size in sizes]
    found = list(gathered(batches, 3))
    assert [piece.num_rows for piece in found] == pieces
    assert [row for piece in found for row in piece["number"].to_pylist()] == list(range(sum(sizes)))


def test_of_a_file_that_is_read_in_batches_nothing_is_kept(tmp_path: Path) -> None:
    table = pa.table({"number": np.random.default_rng(1).normal(size=2**20)})  # 8 MB, which no compression makes less
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=2**15)
    del table
    before = pa.total_allocated_bytes()
    held = [pa.total_allocated_bytes() - before for _ in parquet_file(tmp_path / "rows.parquet").iter_batches(2**15)]
    assert len(held) == 32
    assert max(held) < 2**22


def test_functions_are_those_of_pyarrow() -> None:
    assert compute().sum(pa.array([1, 2])).as_py() == 3
