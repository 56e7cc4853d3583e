import numpy as np
import pandas as pd
import pyarrow as pa

from tasks.columns import FOLD
from tasks.folds import FoldResult
from tasks.out_of_fold import read
from tasks.records import Features, FeatureSet
from tasks.searching.attempts import cost_of, out_of_fold


def test_predictions_go_to_the_rows_that_were_held_out(store):
    table = pa.Table.from_pandas(pd.DataFrame({FOLD: np.array([1, 0, -1, 1], dtype="int16")}), preserve_index=False)
    columns = FeatureSet(target="y", roles={}, derived={})
    features = Features(train=store.keep_table(table, "features"), columns=columns, folds=2)
    results = [FoldResult(0.1, np.array([[5.0]])), FoldResult(0.2, np.array([[6.0], [7.0]]))]
    found = read(out_of_fold(results, features, store), store)
    np.testing.assert_array_equal(found, [[6.0], [5.0], [np.nan], [7.0]])


def test_a_cost_is_the_mean_of_the_fits_and_the_measurements_of_the_first():
    first = FoldResult(0.1, seconds=2.0, predict_milliseconds=3.0, megabytes=4.0)
    cost = cost_of([first, FoldResult(0.2, seconds=4.0)])
    assert (cost.fit_seconds, cost.predict_milliseconds, cost.megabytes) == (3.0, 3.0, 4.0)
