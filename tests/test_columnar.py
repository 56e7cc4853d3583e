import io
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.errors import DataRefused, ProblemError

TABLE = pa.table({"rooms": [1, 2, None], "place": ["shore", "hill", None]})


def parquet(table):
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def ipc(table, writer=pa.ipc.new_file):
    buffer = io.BytesIO()
    with writer(buffer, table.schema) as opened:
        opened.write_table(table)
    return buffer.getvalue()


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


WRITERS = {"x.parquet": parquet, "x.arrow": ipc, "x.feather": lambda table: ipc(table, pa.ipc.new_stream)}


@pytest.mark.parametrize("name", WRITERS)
def test_a_table_comes_with_its_types(read_files, name):
    assert read_files({name: WRITERS[name](TABLE)}).equals(TABLE)


def test_few_types_are_kept(read_files):
    table = pa.table(
        {
            "small": pa.array([1], pa.int8()),
            "half": pa.array([0.5], pa.float32()),
            "word": pa.array(["a"]).dictionary_encode(),
            "long": pa.array(["b"], pa.large_string()),
            "moment": pa.array([0], pa.timestamp("ns")),
            "nothing": pa.nulls(1),
        }
    )
    kinds = ["int64", "double", "string", "string", "timestamp[us]", "null"]
    assert [str(kind) for kind in read_files({"x.parquet": parquet(table)}).schema.types] == kinds


def test_nested_values_are_refused(read_files):
    with pytest.raises(DataRefused, match=r"list<.*> in the column 'a', which is not read"):
        read_files({"x.parquet": parquet(pa.table({"a": [[1]]}))})


def test_held_types(read_files):
    held = pa.schema([("rooms", pa.float64()), ("place", pa.string())])
    assert read_files({"x.parquet": parquet(TABLE)}, held=held).schema == held
    held = pa.schema([("place", pa.int64())])
    with pytest.raises(DataRefused, match="column 'place' held int64 until now; 'string' is not"):
        read_files({"x.parquet": parquet(TABLE)}, held=held)
    halves = parquet(pa.table({"rooms": [1.0, 2.5]}))
    with pytest.raises(DataRefused, match=r"column 'rooms' does not fit int64, held until now: .*2\.5"):
        read_files({"x.parquet": halves}, held=pa.schema([("rooms", pa.int64())]))
    assert read_files({"x.parquet": halves}, types={"rooms": "text"}).to_pydict() == {"rooms": ["1", "2.5"]}


def test_images_are_rows_of_pixels(read_files):
    pictures = np.arange(12, dtype="uint8").reshape(3, 2, 2)
    table = read_files({"x.npz": npz(images=pictures, labels=np.array([0, 1, 0]))})
    assert table.column_names == ["pixel_0", "pixel_1", "pixel_2", "pixel_3", "target"]
    assert table["pixel_3"].to_pylist() == [3, 7, 11]
    assert table["target"].to_pylist() == [0, 1, 0]
    named = npz(x=pictures.astype("float32"), y=np.array(["a", "b", "a"]))
    table = read_files({"x.npz": named}, arrays={"images": "x", "labels": "y"})
    assert table["target"].to_pylist() == ["a", "b", "a"]


class Runs:
    def __reduce__(self):
        return (pytest.fail, ("a program in the file was run",))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (npz(pictures=np.zeros((1, 2))), "has no array 'images'; it has: pictures; declare source.arrays"),
        (npz(images=np.zeros((2, 2)), labels=np.zeros(3)), r"shape \(2, 2\) and the labels \(3,\)"),
        (npz(images=np.zeros(2), labels=np.zeros(2)), "one label an image"),
        (npz(images=np.array([[Runs()]], dtype=object), labels=np.zeros(1)), "cannot be read as npz: Object arrays"),
        (npz(images=np.zeros((1, 2)), labels=np.zeros(1))[:-30], "cannot be read as npz"),
        (b"", "cannot be read as npz"),
        (npz(images=np.zeros((0, 2)), labels=np.zeros(0)), "has no rows"),
        (npz(images=np.zeros((1, 2**20)), labels=np.zeros(1)), "unpacks to more than source.largest_bytes = 1,000,000"),
    ],
)
def test_an_npz_that_is_not_right_is_a_sentence(read_files, content, sentence):
    with pytest.raises(DataRefused, match=sentence):
        read_files({"x.npz": content}, largest_bytes=10**6)


def texts(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


REVIEWS = {"README": b"read me", "all/neg/1.txt": b"bad", "all/pos/2.txt": b"g\xe9nial", "all/.hidden": b""}


def test_texts_have_their_folder_as_target(read_files):
    declared = {"format": "texts", "member": "all", "dialect": {"encoding": "latin-1"}}
    table = read_files({"reviews.zip": texts(REVIEWS)}, **declared)
    assert table.to_pydict() == {"text": ["bad", "génial"], "target": ["neg", "pos"], "file": ["1.txt", "2.txt"]}
    files = {"neg/1.txt": b"bad", "pos/2.txt": b"good"}
    assert read_files(files, format="texts")["target"].to_pylist() == ["neg", "pos"]


def test_texts_that_are_not_right(read_files):
    with pytest.raises(DataRefused, match="'README' stands in no sub-folder that names its class"):
        read_files({"reviews.zip": texts(REVIEWS)}, format="texts")
    with pytest.raises(DataRefused, match=r"'all/pos/2\.txt' is not utf-8: .*; declare source.dialect.encoding"):
        read_files({"reviews.zip": texts(REVIEWS)}, format="texts", member="all")
    with pytest.raises(DataRefused, match="has no rows"):
        read_files({"reviews.zip": texts(REVIEWS)}, format="texts", member="none")
    with pytest.raises(ProblemError, match=r"source.dialect.encoding = 'nonsense' is not an encoding"):
        read_files({"x.zip": texts(REVIEWS)}, format="texts", member="all", dialect={"encoding": "nonsense"})
