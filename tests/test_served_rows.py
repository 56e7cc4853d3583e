"""What was asked and predicted is read back, from parts and from journals, whatever happened to who wrote them."""

import fcntl
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from tasks.served_rows import new_journal, recover, served_rows, settle

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def batch(*requests: str) -> pa.RecordBatch:
    return pa.record_batch(
        {
            "at": pa.array([NOW + timedelta(days=place) for place in range(len(requests))], pa.timestamp("us", "UTC")),
            "request": pa.array(requests),
        }
    )


def requests(store, *wanted, **more) -> list[str]:
    return [name for each in served_rows(store, *wanted, **more) for name in each["request"].to_pylist()]


@pytest.fixture
def write(store):
    """Give a function that writes batches to a new journal of a version; it gives the path and the open file."""

    def written(*batches: pa.RecordBatch, version: int = 1):
        path, file = new_journal(store, version)
        stream = pa.ipc.new_stream(file, batches[0].schema)
        for each in batches:
            stream.write_batch(each)
        return path, file

    return written


def test_a_journal_is_read_while_it_is_written_and_as_a_part_after(store, write) -> None:
    path, file = write(batch("a", "b"), batch("c"))
    assert requests(store) == ["a", "b", "c"]
    settle(store, path)
    file.close()
    assert requests(store) == ["a", "b", "c"]
    assert [each.suffix for each in (store.folder / "served").iterdir()] == [".parquet"]


def test_rows_are_chosen_by_version_and_time(store, write) -> None:
    for version, names in ((1, "ab"), (12, "cd"), (2, "ef")):
        write(batch(*names), version=version)[1].close()
    assert requests(store, 2) == ["e", "f"]
    assert requests(store, since=NOW + timedelta(hours=1)) == ["b", "d", "f"]


def test_only_a_journal_that_nobody_writes_is_recovered(store, write) -> None:
    _, held = write(batch("a"))
    _, left = write(batch("b"))
    left.close()
    assert recover(store) == 1
    assert len([*(store.folder / "served").glob("*.arrows")]) == 1
    held.close()
    assert (recover(store), recover(store)) == (1, 0)
    assert requests(store) == ["a", "b"]


def test_what_was_cut_off_is_left_out_and_the_rest_is_kept(store, write) -> None:
    path, file = write(batch("a", "b"), batch("c"))
    file.close()
    path.write_bytes(path.read_bytes()[:-9])
    assert recover(store) == 1
    assert requests(store) == ["a", "b"]


@pytest.mark.parametrize("content", [b"", b"\xff\xff\xff\xff\x10"])
def test_a_journal_without_a_whole_batch_makes_no_part(store, content) -> None:
    path, file = new_journal(store, 1)
    file.write(content)
    file.close()
    assert requests(store) == []
    recover(store)
    assert not path.exists()
    assert not [*(store.folder / "served").iterdir()]


def test_a_part_whose_journal_was_not_removed_yet_is_read_once(store, write) -> None:
    path, file = write(batch("a"))
    content = path.read_bytes()
    settle(store, path)
    file.close()
    path.write_bytes(content)
    assert requests(store) == ["a"]
    recover(store)
    assert requests(store) == ["a"]
    assert not path.exists()


def test_a_journal_is_locked_before_others_see_it(store) -> None:
    path, file = new_journal(store, 1)
    with path.open("rb") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    file.close()
