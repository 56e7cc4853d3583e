from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from tasks.errors import DataRefused, ProblemError
from tasks.reading.conversion import conformed, kept_type, stream_of


def streamed(*tables, held=None):
    stream = stream_of(iter(tables), "source", held)
    return pa.Table.from_batches(list(stream.batches), schema=stream.schema)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (pa.int8(), "int64"),
        (pa.uint64(), "int64"),
        (pa.float32(), "double"),
        (pa.decimal128(10, 2), "double"),
        (pa.large_string(), "string"),
        (pa.string_view(), "string"),
        (pa.dictionary(pa.int8(), pa.large_string()), "string"),
        (pa.null(), "string"),
        (pa.bool_(), "bool"),
        (pa.date64(), "date32[day]"),
        (pa.timestamp("ns"), "timestamp[us]"),
        (pa.timestamp("s", tz="Europe/Berlin"), "timestamp[us, tz=UTC]"),
    ],
)
def test_the_types_that_are_kept(given, kept):
    field = pa.field("x", given)
    assert str(kept_type(field, "source")) == kept
    assert str(streamed(pa.schema([field]).empty_table()).schema.field("x").type) == kept


@pytest.mark.parametrize("given", [pa.binary(), pa.list_(pa.int64()), pa.struct([("a", pa.int64())]), pa.time64("us")])
def test_other_types_are_refused(given):
    with pytest.raises(DataRefused, match="in the column 'x', which is not read"):
        kept_type(pa.field("x", given), "source")


def test_values_are_the_same_in_their_kept_type():
    table = pa.table(
        {
            "price": [Decimal("1.25"), None],
            "place": pa.array(["a", None]).dictionary_encode(),
            "at": pa.array([datetime(2024, 1, 1, 12, tzinfo=UTC)] * 2, pa.timestamp("ns", tz="Asia/Tokyo")),
        }
    )
    at = datetime(2024, 1, 1, 12, tzinfo=UTC)
    assert streamed(table).to_pydict() == {"price": [1.25, None], "place": ["a", None], "at": [at, at]}


def test_the_order_of_columns_may_change():
    assert streamed(pa.table({"a": [1], "b": ["x"]}), pa.table({"b": ["y"], "a": [2]})).to_pydict() == {
        "a": [1, 2],
        "b": ["x", "y"],
    }


def test_nothing_at_all_is_an_empty_stream():
    held = pa.schema([("a", pa.int64())])
    assert streamed(held=held).schema == held
    assert streamed().num_columns == 0


def test_whole_numbers_fit_numbers_and_nothing_fits_all():
    schema = pa.schema([("a", pa.float64()), ("b", pa.date32())])
    piece = pa.table({"a": [1, 2], "b": [None, None]})
    assert conformed(piece, schema, "source").to_pydict() == {"a": [1.0, 2.0], "b": [None, None]}


@pytest.mark.parametrize(
    ("given", "kept"),
    [([1.5], "int64"), (["1"], "int64"), ([1], "string"), ([True], "int64"), ([1], "bool"), ([2**60 + 1], "float64")],
)
def test_a_type_that_changes_is_refused(given, kept):
    schema = pa.schema([("a", pa.type_for_alias(kept))])
    with pytest.raises(DataRefused, match="the column 'a'"):
        conformed(pa.table({"a": given}), schema, "source")


def test_columns_that_change_are_refused():
    for later in ({"a": [1]}, {"a": [1], "b": [2], "c": [3]}, {"a": [1], "c": [2]}):
        with pytest.raises(DataRefused, match="gives other columns in a later batch"):
            streamed(pa.table({"a": [1], "b": [2]}), pa.table(later))


def test_a_name_that_stands_twice_is_a_problem():
    with pytest.raises(ProblemError, match="gives the column 'a' twice"):
        streamed(pa.table([[1], [2]], names=["a", "a"]))
