"""Tables that grow."""

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tasks.growth import grown, hashed
from tasks.store import Store


def table(numbers, prices=None):
    return {"house": list(numbers), "price": list(prices or [float(number) for number in numbers])}


def grow(store, base, rows):
    return grown(store, base, store.keep_table(pa.table(rows), "raw"), ("house",), "price")


def frame(store, data):
    return store.table(data).to_pandas()


def test_rows_equal_in_identity_replace_the_older_ones(store):
    first = grow(store, None, table([1, 2, 3]))
    second = grow(store, first, table([3, 4], [30.0, 4.0]))
    assert second.rows == 4
    assert frame(store, second).sort_values("house").to_numpy().tolist() == [[1, 1], [2, 2], [3, 30], [4, 4]]
    assert second.parts[0] == first.parts[0], "the old rows are not stored again"


def test_of_rows_equal_in_identity_in_one_batch_the_last_stays(store):
    assert frame(store, grow(store, None, table([1, 1, 2], [1.0, 5.0, 2.0])))["price"].tolist() == [5.0, 2.0]


def test_the_same_batch_twice_changes_nothing(store):
    first = grow(store, None, table([1, 2, 3]))
    second = grow(store, first, table([4]))
    assert grow(store, second, table([4])) == second
    assert grow(store, second, table([1, 2, 3])) == second
    assert grow(store, second, {"house": pa.array([], "int64"), "price": pa.array([], "double")}) == second


@given(st.lists(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99)), max_size=8), min_size=1, max_size=5))
def test_a_grown_table_is_what_a_dictionary_would_hold(tmp_path_factory, fetches):
    store = Store(tmp_path_factory.mktemp("s"), "houses")
    data, expected = None, {}
    for rows in fetches:
        expected |= dict(rows)
        arrays = [pa.array([row[at] for row in rows], "int64") for at in (0, 1)]
        data = grow(store, data, dict(zip(["house", "price"], arrays, strict=True)))
    found = frame(store, data)
    assert dict(zip(found["house"], found["price"], strict=True)) == expected
    assert data.rows == len(found) == len(expected)


def test_position_arithmetic_holds_over_parts_that_leave_rows_out(store):
    data = grow(store, None, table(range(10)))
    for number in range(5):
        data = grow(store, data, table([number, 100 + number], [-1.0, 0.0]))
    found = frame(store, data)
    assert len(found) == data.rows == 15
    assert np.array_equal(np.sort(found["house"]), [*range(10), *range(100, 105)])
    assert isinstance(found, pd.DataFrame)


def test_a_hash_does_not_depend_on_the_rows_beside_it(store):
    """Pandas would read whole numbers beside a missing one as floats, and truths without any value as objects."""
    big, flags = 2**60 + 1, pa.nulls(2, pa.bool_())
    alone = store.keep_table(pa.table({"house": [big], "flag": flags.slice(0, 1), "price": [1.0]}), "raw")
    beside = store.keep_table(pa.table({"house": [big, None], "flag": flags, "price": [1.0, 2.0]}), "raw")
    true = pa.table({"house": [big, 1], "flag": [None, True], "price": [1.0, 2.0]})
    names = ["house", "flag", "price"]
    first = hashed(store, alone, names, names).pairs[0]
    assert hashed(store, beside, names, names).pairs[0] == first
    assert hashed(store, store.keep_table(true, "raw"), names, names).pairs[0] == first
    near = store.keep_table(pa.table({"house": [big - 1, None], "flag": flags, "price": [1.0, 2.0]}), "raw")
    assert hashed(store, near, names, names).pairs[0] != first
