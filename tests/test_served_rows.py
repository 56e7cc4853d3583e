"""What was asked and predicted is read back, from parts and from journals, whatever happened to who wrote them."""

import fcntl
import resource
import signal
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from tasks.served_rows import OpenJournal, recover, served_rows

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
    """Give a function that writes batches to a new journal of a version; it gives the journal, open."""

    def written(*batches: pa.RecordBatch, version: int = 1):
        journal = OpenJournal(store, version, batches[0].schema)
        for each in batches:
            journal.write(each)
        return journal

    return written


@pytest.fixture
def files(store):
    """Give a function that gives the files of the log, of a kind."""
    return lambda kind="": [*(store.folder / "served").glob(f"*{kind}")]


def test_a_journal_is_read_while_it_is_written_and_as_a_part_after(store, write, files) -> None:
    journal = write(batch("a", "b"), batch("c"))
    assert requests(store) == ["a", "b", "c"]
    journal.close()
    assert recover(store) == 1
    assert requests(store) == ["a", "b", "c"]
    assert [each.suffix for each in files()] == [".parquet"]


def test_rows_are_chosen_by_version_and_time(store, write) -> None:
    for version, names in ((1, "ab"), (12, "cd"), (2, "ef")):
        write(batch(*names), version=version).close()
    assert requests(store, 2) == ["e", "f"]
    assert requests(store, since=NOW + timedelta(hours=1)) == ["b", "d", "f"]


def test_only_a_journal_that_nobody_writes_is_recovered(store, write, files) -> None:
    held = write(batch("a"))
    write(batch("b")).close()
    assert recover(store) == 1
    assert len(files(".arrows")) == 1
    held.close()
    assert (recover(store), recover(store)) == (1, 0)
    assert requests(store) == ["a", "b"]


def test_what_was_cut_off_is_left_out_and_the_rest_is_kept(store, write, files) -> None:
    first = write(batch("a", "b"))
    whole = first.size
    first.write(batch("c"))
    first.close()
    (path,) = files(".arrows")
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length] + bytes(len(content) - length))  # as a loss of power may leave it
        requests(store)
        path.write_bytes(content[:length])
        assert requests(store) == (["a", "b"] if length >= whole else [])
    path.write_bytes(content[:-9])
    assert recover(store) == 1
    assert requests(store) == ["a", "b"]


def test_a_journal_without_a_whole_batch_makes_no_part(store, write, files) -> None:
    write(batch("a")).close()
    (path,) = files()
    for content in (b"", b"\xff\xff\xff\xff\x10"):
        path.write_bytes(content)
        assert requests(store) == []
        assert recover(store) == 1
        assert files() == []


def test_a_part_whose_journal_was_not_removed_yet_is_read_once(store, write, files) -> None:
    write(batch("a")).close()
    (path,) = files()
    content = path.read_bytes()
    recover(store)
    path.write_bytes(content)
    assert requests(store) == ["a"]
    recover(store)
    assert requests(store) == ["a"]
    assert not path.exists()


def test_a_journal_is_locked_before_others_see_it(write, files) -> None:
    journal = write(batch("a"))
    (path,) = files()
    with path.open("rb") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    journal.close()


def test_rows_for_which_there_is_no_room_leave_no_trace(store, write, files) -> None:
    """As where a disk is full for a while: the system takes a part of the bytes, and refuses the others."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    journal = write(batch("a", "b"))
    try:
        for room in (journal.size, journal.size + 9, journal.size + 100):
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
            with pytest.raises(OSError, match="too large"):
                journal.write(batch("lost"))
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
            with pytest.raises(OSError, match="too large"):
                write(batch("lost"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    assert len(files()) == 1
    journal.write(batch("c"))
    journal.close()
    recover(store)
    assert requests(store) == ["a", "b", "c"]
