import io
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving.rows import Rows
from serving.tables import ARROW, PARQUET, read_table, write_table
from serving.values import BadRequest
from tasks.records import Input

HOUSES = Rows(
    (
        Input(name="age", kind="number", nullable=True, low=0.0, high=80.0),
        Input(name="rooms", kind="integer", nullable=False, low=1, high=9),
        Input(name="place", kind="category", nullable=False, values=("hill", "shore")),
        Input(name="day", kind="date", nullable=True),
        Input(name="sold", kind="truth", nullable=False),
    )
)
TABLE = pa.table(
    {
        "age": [3.5, None],
        "rooms": [2, 4],
        "place": ["hill", "shore"],
        "day": [date(2026, 3, 1), None],
        "sold": [True, False],
    }
)


def stream(table, **options):
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return sink.getvalue()


def parquet(table, **options):
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def read(body, media_type=ARROW, most_rows=1000, most_bytes=1000):
    return read_table(HOUSES, body, media_type, most_rows, most_bytes)


def refused(body, *given, status=400):
    with pytest.raises(BadRequest) as caught:
        read(body, *given)
    assert str(caught.value).endswith(".")
    assert caught.value.status == status, str(caught.value)
    return str(caught.value)


def with_column(name, values):
    return stream(TABLE.set_column(TABLE.column_names.index(name), name, pa.chunked_array([values])))


@pytest.mark.parametrize(("media_type", "body"), [(ARROW, stream(TABLE)), (PARQUET, parquet(TABLE))])
def test_a_table_is_read_as_the_rows_that_it_holds(media_type, body):
    found = read(body, media_type)
    rows = TABLE.to_pylist()
    expected = HOUSES.instances([row | {"day": row["day"] and row["day"].isoformat()} for row in rows])
    assert list(found) == list(expected)
    for name, values in expected.items():
        assert found[name].dtype == values.dtype
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("age", pa.array([1, 2], pa.int8()), [1.0, 2.0]),
        ("age", pa.array([1, 2], pa.float32()), [1.0, 2.0]),
        ("age", pa.array([Decimal("1.5"), Decimal(2)]), [1.5, 2.0]),
        ("age", pa.array([None, None], pa.null()), [np.nan, np.nan]),
        ("age", pa.array([1.0, np.nan]), [1.0, np.nan]),
        ("rooms", pa.array([1.0, 2.0]), [1, 2]),
        ("rooms", pa.array([1, 2], pa.uint64()), [1, 2]),
        ("place", pa.array(["hill", "hill"], pa.large_string()), ["hill", "hill"]),
        ("place", pa.array(["hill", "shore"]).dictionary_encode(), ["hill", "shore"]),
        ("day", pa.array(["2026-03-01", None]), [datetime(2026, 3, 1), None]),
        ("day", pa.array([datetime(2026, 3, 1, 9, 30), None]), [datetime(2026, 3, 1, 9, 30), None]),
        (
            "day",
            pa.array([datetime(2026, 3, 1, 9, tzinfo=UTC), None], pa.timestamp("ns", "Europe/Berlin")),
            [datetime(2026, 3, 1, 10), None],
        ),
    ],
    ids=str,
)
def test_every_type_that_holds_such_values_is_read(name, values, expected):
    found = read(with_column(name, values))[name].tolist()
    np.testing.assert_array_equal(np.array(found), np.array(expected))


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("age", pa.array(["1", "2"]), 'age[0] is "1", but'),
        ("age", pa.array([1.0, np.inf]), "age[1] is inf, but"),
        ("age", pa.array([True, False]), "age[0] is true, but"),
        ("age", pa.array([[1.0], [2.0]]), "The column 'age' holds list<item: double>, but takes a number"),
        ("rooms", pa.array([1, None]), "rooms[1] is null, but 'rooms' had no missing value in training"),
        ("rooms", pa.array([1.0, np.nan]), "rooms[1] is null, but"),
        ("rooms", pa.array([1.5, 2.0]), "rooms[0] is 1.5, but"),
        ("rooms", pa.array([2**64 - 1, 1], pa.uint64()), "rooms[0] is 18446744073709551615, but"),
        ("place", pa.array(["hill", "moon"]), 'place[1] is "moon"'),
        ("place", pa.array(["hill", "moon"]).dictionary_encode(), 'place[1] is "moon"'),
        ("place", pa.array([b"hill", b"\xff"]), "The column 'place' holds binary, but takes"),
        ("place", pa.array(["hill", "hill"], pa.string_view()), "The column 'place' holds string_view, but takes"),
        ("day", pa.array([3, 4]), "day[0] is 3, but 'day' takes a date as ISO 8601 text"),
        ("sold", pa.array([1, 0]), "sold[0] is 1, but 'sold' takes true or false."),
    ],
    ids=str,
)
def test_values_that_do_not_fit_are_refused_as_in_json(name, values, expected):
    assert expected in refused(with_column(name, values))


def test_columns_must_be_those_of_the_model_each_once():
    assert "The table lacks 'sold'" in refused(stream(TABLE.drop(["sold"])))
    assert 'has "x", which is no column' in refused(stream(TABLE.append_column("x", pa.array([1, 2]))))
    assert "two columns of one name" in refused(stream(TABLE.append_column("age", TABLE["age"])))
    assert "is empty" in refused(stream(TABLE.slice(0, 0)))


def test_the_index_that_pandas_adds_is_left_out():
    frame = TABLE.to_pandas().set_index(np.array([7, 3]))
    assert len(read(parquet(pa.Table.from_pandas(frame)), PARQUET)["age"]) == 2


@pytest.mark.parametrize(("write", "media_type"), [(stream, ARROW), (parquet, PARQUET)])
def test_more_rows_than_are_allowed_are_refused_before_they_are_read(write, media_type):
    body = write(pa.concat_tables([TABLE] * 3))
    assert "at most 5 are answered at once" in refused(body, media_type, 5, status=413)


@pytest.mark.parametrize("packed", ["zstd", "lz4"])
def test_what_could_unpack_to_any_size_is_refused(packed):
    assert "write it without compression" in refused(stream(TABLE, compression=packed), status=415)
    encoded = TABLE.set_column(2, "place", TABLE["place"].dictionary_encode())
    assert "write it without compression" in refused(stream(encoded, compression=packed), status=415)
    assert len(read(parquet(TABLE, compression=packed), PARQUET)["age"]) == 2  # which is unpacked within bounds


@pytest.mark.parametrize(("write", "media_type"), [(stream, ARROW), (parquet, PARQUET)])
def test_a_text_that_is_sent_once_may_not_stand_in_every_row(write, media_type):
    places = pa.DictionaryArray.from_arrays(pa.array([0] * 900, pa.int32()), pa.array(["x" * 1000]))
    columns = {name: pa.array([1.0] * 900) for name in TABLE.column_names} | {"place": places}
    assert "The texts of the table have 900,000 bytes" in refused(write(pa.table(columns)), media_type, status=413)


@pytest.mark.parametrize(("write", "media_type", "tries"), [(stream, ARROW, 2000), (parquet, PARQUET, 100)])
def test_a_damaged_table_is_refused_wherever_the_damage_is(write, media_type, tries):
    whole, draw = write(TABLE), np.random.default_rng(7)
    outcomes = set()
    for _ in range(tries):
        body = bytearray(whole)
        for place in draw.integers(len(body), size=draw.integers(1, 6)):
            body[place] = draw.choice([0, 1, 128, 255])
        try:
            outcomes.add(tuple(read(bytes(body), media_type)))
        except BadRequest as error:
            outcomes.add(error.status)
            problem = str(error)
    assert outcomes == {tuple(HOUSES.inputs), 400}
    assert problem.endswith(".")


@pytest.mark.parametrize("media_type", [ARROW, PARQUET])
def test_an_answer_is_a_table_of_the_same_form(media_type):
    body = write_table(pa.table({"prediction": [1.5]}), media_type)
    found = pq.read_table(io.BytesIO(body)) if media_type == PARQUET else pa.ipc.open_stream(body).read_all()
    assert found.to_pylist() == [{"prediction": 1.5}]
