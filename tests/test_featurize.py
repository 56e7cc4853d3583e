import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tasks.columns import ROW
from tasks.errors import DataRefused
from tasks.featurize import check_target, features, featurize
from tasks.records import FeatureSet, Split

COLUMNS = FeatureSet(
    target="price",
    roles={"place": "categorical", "ratio": "numeric"},
    derived={"ratio": "rooms / households"},
)
ROWS = pd.DataFrame(
    {
        "rooms": [6, 5, 4],
        "households": [2, 0, 1],
        "place": ["shore", "hill", None],
        "price": [1.0, 2.0, 3.0],
        "dropped": [7, 8, 9],
        ROW: np.array([2**64 - 1, 5, 7], dtype="uint64"),
    }
)


def test_features_target_and_identity():
    frame = features(ROWS, COLUMNS)
    assert list(frame.columns) == ["place", "ratio", "price", ROW]
    np.testing.assert_array_equal(frame["ratio"], [3.0, np.nan, 4.0])
    assert frame["price"].tolist() == [1.0, 2.0, 3.0]
    assert frame[ROW].tolist() == [2**64 - 1, 5, 7]


def test_text_is_no_target_of_a_regression():
    with pytest.raises(DataRefused, match=r"The target 'price' holds .* needs numbers"):
        check_target(ROWS.assign(price=["a", "b", "c"]), "price", "regression")
    check_target(ROWS, "price", "regression")


def test_one_class_is_none():
    with pytest.raises(DataRefused, match=r"The target 'place' has one class only, 'hill'"):
        check_target(ROWS.assign(place="hill"), "place", "classification")
    check_target(ROWS, "place", "classification")


@pytest.mark.usefixtures("without_run_logger")
def test_the_task_keeps_the_features_of_the_training_rows(store):
    side = store.keep_table(pa.Table.from_pandas(ROWS, preserve_index=False), "train")
    record = featurize.fn(Split(train=side, test=side, strata=()), COLUMNS, "regression", store)
    assert record.columns == COLUMNS
    pd.testing.assert_frame_equal(store.table(record.train).to_pandas(), features(ROWS, COLUMNS))
