import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tasks.columns import FOLD, ROW
from tasks.models import Prediction
from tasks.out_of_fold import PARTS, held_out, keep, outputs, read
from tasks.records import Features, FeatureSet


def test_outputs_are_numbers_probabilities_or_votes():
    classes = np.array(["frog", "newt", "toad"])
    number = Prediction(np.array([1.5, 2.5]), np.array([]))
    np.testing.assert_array_equal(outputs(number), [[1.5], [2.5]])
    shares = np.array([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])
    np.testing.assert_array_equal(outputs(Prediction(np.array(["frog", "toad"]), classes, shares)), shares)
    votes = outputs(Prediction(np.array(["toad", "frog"]), classes))
    np.testing.assert_array_equal(votes, [[0, 0, 1], [1, 0, 0]])


@pytest.mark.parametrize("width", [1, 3])
def test_what_is_kept_is_read_to_the_last_bit(store, width):
    values = np.random.default_rng(0).normal(size=(50, width))
    values[::7] = np.nan
    kept = keep(values, store)
    assert kept.rows == 50
    np.testing.assert_array_equal(read(kept, store), values)
    assert keep(values, store) == kept


def features(store, fold, folds, *, forward=False):
    rows = len(fold)
    frame = pd.DataFrame({"y": np.arange(rows) * 0.5, ROW: np.arange(rows, dtype="uint64") * np.uint64(7)})
    frame[FOLD] = np.asarray(fold, dtype="int16")
    table = store.keep_table(pa.Table.from_pandas(frame, preserve_index=False), "features")
    columns = FeatureSet(target="y", roles={}, derived={})
    return Features(train=table, columns=columns, folds=folds, forward=forward)


def test_parts_are_the_folds(store):
    given = held_out(features(store, [-1, 0, 1, 2, 0], 3, forward=True), store)
    assert given.part.tolist() == given.fold.tolist() == [-1, 0, 1, 2, 0]
    assert given.target.tolist() == [0, 0.5, 1, 1.5, 2]


def test_a_single_fold_is_parted_by_the_hash_of_each_row(store):
    given = held_out(features(store, [-1] * 10 + [0] * 50, 1), store)
    assert set(given.part[:10]) == {-1}
    assert np.bincount(given.part[10:]).tolist() == [10] * PARTS
    assert given.fold[10:].tolist() == [0] * 50
