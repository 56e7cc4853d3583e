import io
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving.unpacking import Unpacker
from serving.values import BadRequest
from tests.waiting import until

BOUND = 2**28
TABLE = pa.table({"x": [1.0, 2.0], "place": ["hill", "shore"]})


@pytest.fixture(scope="module")
def unpacker():
    made = Unpacker(memory_bytes=BOUND)
    yield made
    made.close()


def parquet(table, **options):
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


@pytest.mark.parametrize("packed", ["none", "snappy", "gzip", "zstd", "lz4", "brotli"])
def test_whatever_it_is_packed_with_it_is_read(unpacker, packed):
    found = pa.ipc.open_stream(unpacker.stream(parquet(TABLE, compression=packed), 2)).read_all()
    assert found.to_pylist() == TABLE.to_pylist()


def test_what_is_refused_is_told_and_the_next_is_read(unpacker):
    with pytest.raises(BadRequest, match="at most 1 are answered at once") as caught:
        unpacker.stream(parquet(TABLE), 1)
    assert caught.value.status == 413
    with pytest.raises(BadRequest, match=r"^The body is no Parquet file that can be read: .*\.$"):
        unpacker.stream(b"junk", 9)
    with pytest.raises(BadRequest, match="The table is empty"):
        unpacker.stream(parquet(TABLE.slice(0, 0)), 9)
    assert unpacker.stream(parquet(TABLE), 9)


def test_a_process_that_dies_is_replaced(unpacker):
    unpacker.stream(parquet(TABLE), 9)
    unpacker._process.kill()
    unpacker._process.wait()
    assert unpacker.stream(parquet(TABLE), 9)


def test_what_takes_more_memory_than_is_given_is_refused(unpacker):
    zeros = pa.table({"x": np.zeros(BOUND // 6, "float64")})
    body = parquet(zeros, compression="zstd", use_dictionary=False, row_group_size=len(zeros))
    assert len(body) < BOUND / 100
    with pytest.raises(BadRequest, match="no Parquet file that can be read") as caught:
        unpacker.stream(body, len(zeros))
    assert "malloc" in str(caught.value)
    assert unpacker.stream(parquet(TABLE), 9)


def test_what_takes_too_long_is_ended():
    hasty = Unpacker(patience_seconds=0.01)  # the process is not even there by then
    with pytest.raises(BadRequest, match="takes too much to unpack"):
        hasty.stream(parquet(TABLE), 9)
    hasty.close()


def test_it_ends_with_the_process_that_it_unpacks_for():
    text = "from serving.unpacking import Unpacker; u = Unpacker(); "
    text += "\nwith u._bounded() as p: print(p.pid, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        number = int(parent.stdout.readline())
        parent.kill()
    until(lambda: not is_running(number))


def is_running(number):
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(number)], capture_output=True, text=True, check=False)
    return bool(found.stdout.strip()) and not found.stdout.startswith("Z")
