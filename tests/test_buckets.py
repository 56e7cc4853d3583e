import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.dividing import buckets
from tasks.dividing.buckets import NOWHERE, Buckets


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(buckets, "LEAST_ROWS", 4)


def laid_out(folder, table, places, rows_a_batch, low=0, high=None):
    placed = int((places != NOWHERE).sum())
    found = Buckets(folder, table.schema, placed)
    found.fill(table.to_batches(rows_a_batch), places)
    return pa.concat_tables([found.schema.empty_table(), *found.read(low, placed if high is None else high)])


@pytest.mark.usefixtures("small")
@given(data=st.data(), rows=st.integers(1, 30), rows_a_batch=st.integers(1, 30))
def test_rows_come_at_their_places(tmp_path_factory, data, rows, rows_a_batch):
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=rows, max_size=rows)))
    places = np.full(rows, NOWHERE)
    places[kept] = data.draw(st.permutations(range(kept.sum())))
    low, high = sorted(data.draw(st.tuples(st.integers(0, kept.sum()), st.integers(0, kept.sum()))))
    table = pa.table({"n": np.arange(rows), "text": [f"row {n}" if n % 5 else None for n in range(rows)]})
    found = laid_out(tmp_path_factory.mktemp("buckets"), table, places, rows_a_batch, low, high)
    expected = np.argsort(np.where(kept, places, rows), kind="stable")[: kept.sum()][low:high]
    assert found.equals(table.take(pa.array(expected)))


@pytest.mark.usefixtures("small")
def test_dictionaries_become_their_values(tmp_path):
    """They may differ from batch to batch, and then so would the bytes of equal rows."""
    batches = [pa.array(["b", "a", None]).dictionary_encode(), pa.array(["c", "b", "a"]).dictionary_encode()]
    table = pa.table({"place": pa.chunked_array(batches)})
    found = laid_out(tmp_path, table, np.arange(6)[::-1], 3)
    assert found["place"].type == pa.string()
    assert found["place"].to_pylist() == ["a", "b", "c", None, "a", "b"]


def test_files_do_not_grow_with_the_rows_beyond_what_may_be_open(tmp_path):
    assert 10**9 / Buckets(tmp_path, pa.schema([]), 10**9).rows <= buckets.MOST_FILES
