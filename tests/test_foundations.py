import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.base import clone

from tasks.networks import WideAndDeepClassifier, WideAndDeepRegressor
from tasks.text_networks import TextNetworkClassifier

RNG = np.random.default_rng(6)
ROWS = pd.DataFrame(
    {
        "x": RNG.normal(size=200),
        "place": RNG.choice(["shore", "hill", None], 200),
        "note": RNG.choice(["very good", "not good", None], 200),
    }
)
ROWS.loc[5, "x"] = np.nan
PRICE = np.exp(ROWS["x"].fillna(0).to_numpy() + (ROWS["place"] == "shore"))
LABEL = np.where(ROWS["note"] == "very good", "yes", "no")
QUICK = {"numeric": ("x",), "categorical": ("place",), "epochs": 2, "batch_size": 32, "hidden": (8,)}


def stored(tmp_path, target, row_group_size=None):
    path = tmp_path / "rows.parquet"
    table = pa.Table.from_pandas(ROWS.assign(target=target), preserve_index=False)
    pq.write_table(table, path, row_group_size=row_group_size)
    return path


CASES = {
    "regressor": (WideAndDeepRegressor(**QUICK, target="log"), PRICE),
    "classifier": (WideAndDeepClassifier(**QUICK), LABEL),
    "text": (TextNetworkClassifier(**QUICK, text=("note",), length=5), LABEL),
}


@pytest.mark.parametrize(("name", "in_memory"), [*((name, 0) for name in CASES), ("regressor", 1000)])
def test_rows_of_a_file_give_the_network_of_the_same_rows_in_memory(tmp_path, name, in_memory):
    network, target = CASES[name]
    chosen = np.arange(200) % 4 != 0
    from_file = clone(network).fit_stored(stored(tmp_path, target), "target", chosen, in_memory=in_memory)
    from_frame = clone(network).fit(ROWS[chosen], target[chosen])
    np.testing.assert_array_equal(from_file.predict_features(ROWS), from_frame.predict_features(ROWS))


def test_a_file_of_many_row_groups_is_learnt_and_repeatable(tmp_path):
    network = WideAndDeepRegressor(**QUICK | {"epochs": 30}, learning_rate=0.01)
    path = stored(tmp_path, PRICE, row_group_size=30)
    first, second = (clone(network).fit_stored(path, "target", in_memory=0).predict(ROWS) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert np.sqrt(((first - PRICE) ** 2).mean()) < 0.5 * PRICE.std()


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_rows_are_a_sentence(count):
    with pytest.raises(ValueError, match=f"a network needs at least 2 rows.*there are {count}"):
        WideAndDeepRegressor(**QUICK).fit(ROWS.head(count), PRICE[:count])


def test_two_rows_are_enough_and_no_row_is_predicted():
    network = WideAndDeepRegressor(**QUICK).fit(ROWS.head(2), PRICE[:2])
    assert network.predict(ROWS.head(0)).shape == (0,)


def test_where_it_is_kept_is_no_parameter(tmp_path):
    network = WideAndDeepRegressor(**QUICK)
    assert network.keep_in(tmp_path) is network
    assert "folder" not in " ".join(network.get_params())
