import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tasks import store as store_module
from tasks.columns import FOLD, ROW
from tasks.featurize import features, featurize
from tasks.records import FeatureSet, Split

COLUMNS = FeatureSet(
    target="price",
    roles={"place": "categorical", "ratio": "numeric"},
    derived={"ratio": "rooms / households"},
)
FRAME = pd.DataFrame(
    {
        "rooms": [6, 5, 4],
        "households": [2, 0, 1],
        "place": ["shore", "hill", None],
        "price": [1.0, 2.0, 3.0],
        "dropped": [7, 8, 9],
        ROW: np.array([2**64 - 1, 5, 7], dtype="uint64"),
        FOLD: np.array([1, -1, 0], dtype="int16"),
    }
)


ROWS = pa.RecordBatch.from_pandas(FRAME, preserve_index=False)


def test_features_target_identity_and_fold():
    frame = features(ROWS, COLUMNS).to_pandas()
    assert list(frame.columns) == ["place", "ratio", "price", ROW, FOLD]
    np.testing.assert_array_equal(frame["ratio"], [3.0, np.nan, 4.0])
    assert frame["price"].tolist() == [1.0, 2.0, 3.0]
    assert frame[ROW].tolist() == [2**64 - 1, 5, 7]
    assert frame[FOLD].tolist() == [1, -1, 0]


def given(store, table):
    side = store.keep_table(table, "train")
    return Split(train=side, test=side, strata=(), unit=("place",), folds=2, forward=True)


@pytest.mark.usefixtures("without_run_logger")
def test_the_task_keeps_the_features_of_the_training_rows(store):
    record = featurize.fn(given(store, pa.Table.from_batches([ROWS])), COLUMNS, store)
    assert (record.columns, record.folds, record.forward) == (COLUMNS, 2, True)
    assert store.table(record.train).equals(features(ROWS, COLUMNS))


@pytest.mark.usefixtures("without_run_logger")
def test_batches_do_not_change_a_byte(store, monkeypatch):
    """Not even where a batch has no category, or whole numbers of which only another batch lacks one."""
    rng = np.random.default_rng(0)
    rows = 200
    table = pa.table(
        {
            "rooms": pa.array(rng.integers(1, 9, rows), mask=np.arange(rows) == 150),
            "households": rng.integers(0, 4, rows),
            "place": pa.array([None if row < 40 else row % 7 for row in range(rows)], pa.int64()),
            "price": rng.normal(size=rows),
            ROW: np.arange(rows, dtype="uint64"),
            FOLD: np.zeros(rows, dtype="int16"),
        }
    )
    sides = given(store, table)
    whole = featurize.fn(sides, COLUMNS, store)
    monkeypatch.setattr(store_module, "BATCH", 9)
    assert featurize.fn(sides, COLUMNS, store) == whole
    assert set(store.table(whole.train)["place"].to_pylist()) == {None, *"0123456"}
