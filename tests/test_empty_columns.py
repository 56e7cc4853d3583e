import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline

from tasks.preparing.empty_columns import EmptyColumns

ROWS = pd.DataFrame({"empty": [np.nan] * 4, "gap": [1.0, np.nan, 3.0, 4.0]})


def test_only_columns_without_any_value_become_0():
    found = EmptyColumns().fit(ROWS).transform(ROWS.assign(empty=7.0))
    np.testing.assert_array_equal(found, [[0, 1], [0, np.nan], [0, 3], [0, 4]])


def test_where_every_column_has_a_value_nothing_changes():
    numbers = ROWS[["gap"]].to_numpy()
    np.testing.assert_array_equal(EmptyColumns().fit(numbers).transform(numbers), numbers)


def test_names_stay():
    assert EmptyColumns().fit(ROWS).get_feature_names_out().tolist() == ["empty", "gap"]


def test_boosting_learns_beside_an_empty_column():
    pipeline = make_pipeline(EmptyColumns(), HistGradientBoostingRegressor(min_samples_leaf=1))
    y = np.array([1.0, 2.0, 3.0, 4.0])
    assert np.corrcoef(pipeline.fit(ROWS, y).predict(ROWS), y)[0, 1] > 0.99
