import gzip
import io
import re
import tarfile
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import DataRefused, ProblemError, SalamanderError
from tasks.reading.readers import FORMATS, format_of
from tasks.sources import UrlSource


def test_the_rows_of_all_files_in_order(read_files):
    files = {"a.csv": b"x,y\n1,a\n", "b.csv.gz": gzip.compress(b"y,x\nb,2.5\n"), "c.csv": b"x,y\n,c\n"}
    assert read_files(files).to_pydict() == {"x": [1.0, 2.5, None], "y": ["a", "b", "c"]}


def test_files_of_several_formats(read_files):
    buffer = io.BytesIO()
    pq.write_table(pa.table({"x": [2.5]}), buffer)
    files = {"a.csv": b"x\n1\n", "b.parquet": buffer.getvalue(), "c.jsonl": b'{"x": 3}'}
    assert read_files(files).to_pydict() == {"x": [1.0, 2.5, 3.0]}


def test_a_file_without_rows_does_no_harm_beside_others(read_files):
    files = {"a.csv": b"x,y\n", "b.csv": b"x,y\n1,a\n"}
    assert read_files(files).to_pydict() == {"x": [1], "y": ["a"]}
    with pytest.raises(DataRefused, match="None of 2 files has rows"):
        read_files({"a.csv": b"x\n", "b.csv": b"x\n"})


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        (b"x\n1\n", r"b\.csv lacks the column 'y', which a\.csv has; all files of a source have the same columns"),
        (b"x,y,z\n1,2,3\n", r"b\.csv has the column 'z', which not a\.csv has"),
    ],
)
def test_files_have_the_same_columns(read_files, second, sentence):
    with pytest.raises(DataRefused, match=sentence):
        read_files({"a.csv": b"x,y\n1,a\n", "b.csv": second})


def test_the_format_is_declared_or_told_by_the_name():
    source = UrlSource(kind="url", url="https://example.org/x")
    assert format_of("A.CSV", source) == "csv"
    assert {format_of(f"x{suffix}", source) for suffix in FORMATS} == set(FORMATS.values())
    assert format_of("x.xlsx", source.model_copy(update={"format": "csv"})) == "csv"
    with pytest.raises(ProblemError, match=r"export is of a kind that is not read; allowed: .csv, .*source.format"):
        format_of("export", source)


# Whatever the bytes, what comes out is a table or a sentence.


def seeds():
    """Give one good file of every kind."""
    table = pa.table({"a": [1, 2, None], "b": ["x", "y", None], "c": [0.5, 1.5, 2.5]})
    csv = b'a,b,c\n1,"x",0.5\n2,y,\n,z,2020-01-01\n'
    found = {"x.csv": csv, "x.tsv": csv.replace(b",", b"\t"), "x.jsonl": b'{"a": 1, "b": "x"}\n{"a": 2.5}\n'}
    buffers = {name: io.BytesIO() for name in ("x.parquet", "x.arrow", "x.feather", "x.npz", "x.zip", "x.tar", "x.tgz")}
    pq.write_table(table, buffers["x.parquet"])
    for name, writer in (("x.arrow", pa.ipc.new_file), ("x.feather", pa.ipc.new_stream)):
        with writer(buffers[name], table.schema) as opened:
            opened.write_table(table)
    np.savez(buffers["x.npz"], images=np.zeros((2, 2, 2)), labels=np.array([0, 1]))
    with zipfile.ZipFile(buffers["x.zip"], "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.csv", csv)
    for name, mode in (("x.tar", "w"), ("x.tgz", "w:gz")):
        with tarfile.open(fileobj=buffers[name], mode=mode) as tar:
            member = tarfile.TarInfo("x.csv")
            member.size = len(csv)
            tar.addfile(member, io.BytesIO(csv))
    return found | {name: buffer.getvalue() for name, buffer in buffers.items()} | {"x.csv.gz": gzip.compress(csv)}


SEEDS = seeds()
EDITS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=4), st.integers(0, 8)), max_size=4)
DIALECTS = st.fixed_dictionaries(
    {},
    optional={
        "separator": st.sampled_from(",;\t| a"),
        "decimal": st.just(","),
        "thousands": st.sampled_from([".", " ", "'"]),
        "encoding": st.sampled_from(["latin-1", "utf-16", "ascii"]),
        "strip": st.booleans(),
        "skip_rows": st.integers(0, 3),
        "names": st.just(["a", "b", "c"]),
        "dates": st.just({"a": "%d.%m.%Y"}),
    },
)


def edited(content, edits):
    """Give content with bytes put in at some places and others taken away."""
    for place, put, taken in edits:
        at = int(place * len(content))
        content = content[:at] + put + content[at + taken :]
    return content


def read_or_refuse(read_files, files, **declared):
    try:
        table = read_files(files, **declared)
    except SalamanderError as error:
        assert re.fullmatch("[^\n]+", str(error))  # noqa: PT017 - either is right
    else:
        table.validate(full=True)
        assert table.num_rows > 0


@pytest.mark.parametrize("name", SEEDS)
def test_a_good_file_of_every_kind_is_read(read_files, name):
    assert read_files({name: SEEDS[name]}).num_rows in {2, 3}


@pytest.mark.parametrize("name", SEEDS)
@settings(max_examples=150)
@given(edits=EDITS)
def test_a_changed_file_is_read_or_refused(read_files, name, edits):
    read_or_refuse(read_files, {name: edited(SEEDS[name], edits)})


@pytest.mark.parametrize("name", SEEDS)
@settings(max_examples=50)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(read_files, name, content):
    read_or_refuse(read_files, {name: content})


TEXTS = st.text(alphabet="ab01.,;\t\n\" '-é?", max_size=80)


@settings(max_examples=300)
@given(text=TEXTS, dialect=DIALECTS)
def test_any_text_in_any_dialect_is_read_or_refused(read_files, text, dialect):
    read_or_refuse(read_files, {"x.csv": text.encode()}, dialect=dialect)
