"""Columns and types that are held."""

from datetime import date, datetime

import pyarrow as pa
import pytest

from tasks.errors import DataRefused
from tasks.held_columns import accepted_schema, cast_to, column_changes, held_schema, in_schema
from tasks.records import Table
from tasks.store import Store


def kept(store: Store, rows: dict) -> Table:
    return Table(parts=(store.keep_table(pa.table(rows), "raw"),))


def table(numbers, prices=None):
    return {"house": list(numbers), "price": list(prices or [float(number) for number in numbers])}


def conform(store, held, rows):
    batch = store.keep_table(pa.table(rows), "raw")
    return in_schema(store, batch, held_schema(store, held, batch))


def test_equal_columns_are_the_same_file(store):
    held = kept(store, table([1, 2]))
    batch = conform(store, held, table([3, 4]))
    assert store.table(batch).to_pydict() == table([3, 4])


def test_columns_come_in_the_held_order_and_in_the_held_types(store):
    held = kept(store, table([1, 2]))
    rows = {"price": pa.array([3, 4], "int32"), "house": pa.array([3.0, 4.0])}
    batch = conform(store, held, rows)
    assert batch.columns == held.columns
    assert store.table(batch).to_pydict() == table([3, 4])


def test_a_new_column_is_left_out_and_named(store):
    held = kept(store, table([1, 2]))
    batch = conform(store, held, {**table([3]), "roof": ["red"]})
    assert batch.columns == held.columns


def test_missing_columns_and_other_types_are_all_named(store):
    held = kept(store, {"house": [1], "price": [1.5], "place": ["hill"], "rooms": [3], "roof": ["red"]})
    rows = {"house": [1], "price": ["dear"], "place": [7], "rooms": [3.5]}
    with pytest.raises(DataRefused) as refused:
        conform(store, held, rows)
    for part in (
        "'price' held double and now holds string",
        "'place' held string and now holds int64",
        "'rooms' held int64 and now holds double",
        "'roof' is missing",
        "--accept-columns",
    ):
        assert part in str(refused.value)


def test_a_column_without_any_value_is_of_every_type(store):
    held = kept(store, {"house": [1], "place": ["hill"]})
    batch = conform(store, held, {"house": [2], "place": pa.nulls(1)})
    assert store.table(batch).to_pydict() == {"house": [2], "place": [None]}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([5], pa.bool_()),
        ([True], pa.int64()),
        ([5], pa.date32()),
        ([date(2020, 1, 1)], pa.int32()),
        ([5], pa.timestamp("us")),
        ([datetime(2020, 1, 1)], pa.date32()),
        ([datetime(2020, 1, 1)], pa.timestamp("us", "UTC")),
        (["5"], pa.int64()),
        ([5], pa.string()),
        ([1.5], pa.int64()),
        ([2**60 + 1], pa.float64()),
    ],
)  # fmt: skip
def test_another_kind_of_value_is_never_made(values, kind):
    with pytest.raises(pa.ArrowInvalid):
        cast_to(pa.array(values), kind)


@pytest.mark.parametrize(
    ("array", "kind", "expected"),
    [
        (pa.array([5]), pa.float64(), [5.0]),
        (pa.array([date(2020, 1, 1)]), pa.timestamp("us"), [datetime(2020, 1, 1)]),
        (pa.nulls(1), pa.bool_(), [None]),
        (pa.nulls(1, pa.string()), pa.int64(), [None]),
        (pa.array(["a"], pa.large_string()), pa.string(), ["a"]),
    ],
)
def test_a_value_stays_what_it_is(array, kind, expected):
    found = cast_to(array, kind)
    assert (found.type, found.to_pylist()) == (kind, expected)


def test_what_is_accepted_anew_keeps_the_types_that_fit(store):
    held = kept(store, {"code": ["007"], "rooms": [1.5], "floors": [2], "gone": [1]})
    batch = store.keep_table(pa.table({"floors": [2.5], "code": [8], "rooms": [3], "new": ["x"]}), "raw")
    schema = accepted_schema(store, held, batch)
    assert [(field.name, str(field.type)) for field in schema] == [
        ("floors", "double"), ("code", "string"), ("rooms", "double"), ("new", "string")
    ]  # fmt: skip


def test_what_fits_neither_way_is_refused_by_name(store):
    held = kept(store, {"house": [1], "sold": [True]})
    batch = store.keep_table(pa.table({"house": [1], "sold": [date(2020, 1, 1)]}), "raw")
    with pytest.raises(DataRefused, match=r"types: 'sold' held bool and now holds date32\[day\]; begin with"):
        accepted_schema(store, held, batch)


def test_dropped_and_retyped_columns_are_named(store):
    before, after = kept(store, {"house": [1], "old": [1], "rooms": [1]}), kept(store, {"house": [1], "rooms": [1.5]})
    assert column_changes(before, after) == [
        "The column 'old' is dropped, in the rows before too: these rows have none of that name.",
        "The column 'rooms' held int64 and now holds double.",
    ]
