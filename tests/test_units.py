import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.dividing.units import Units


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40))
def test_units_are_the_rows_that_are_equal(keys):
    units = Units.of(np.array(keys, dtype="uint64"))
    assert units.sizes.tolist() == [keys.count(key) for key in sorted(set(keys))]
    assert units.order.tolist() == sorted(range(len(keys)), key=keys.__getitem__)
    values = np.arange(len(keys))
    assert units.least(values).tolist() == [keys.index(key) for key in sorted(set(keys))]
    np.testing.assert_array_equal(units.to_rows(np.array(sorted(set(keys)))), keys)
