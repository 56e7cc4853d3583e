import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from tasks.candidates import Candidate
from tasks.columns import derive
from tasks.errors import ProblemError
from tasks.estimators import build
from tasks.forecasts import ColumnForecast
from tasks.models import load, save
from tasks.records import FeatureSet, Model

COLUMNS = FeatureSet(
    target="cold",
    roles={"station": "categorical", "cold_lag_1": "numeric", "cold_lag_365": "numeric"},
    derived={},
)
ROWS = pd.DataFrame(
    {
        "station": ["hill", "shore", None, "hill"],
        "cold_lag_1": [3.0, 4.0, np.nan, 1e9],
        "cold_lag_365": [np.nan, 8.0, np.nan, 0.1],
    },
    index=[5, 6, 7, 8],
)
TARGET = np.array([1.0, 2.0, 3.0, 10.0])
YESTERDAY = {"column": "cold_lag_1"}
LAST_YEAR = {"column": "cold_lag_365", "otherwise": "cold_lag_1"}


def candidate(parameters):
    return Candidate(name="naive", estimator="ColumnForecast", parameters=parameters)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [(YESTERDAY, [3.0, 4.0, 2.5, 1e9]), (LAST_YEAR, [3.0, 8.0, 2.5, 0.1])],
    ids=["same as yesterday", "seasonal-naive"],
)
def test_the_column_is_the_prediction_and_survives_the_store_exactly(store, parameters, expected):
    """Where a value is missing, the other column is taken; where both are, the median of the training rows."""
    estimator = build(candidate(parameters), "regression", COLUMNS, 7)
    estimator.fit(derive(ROWS, COLUMNS), TARGET)
    np.testing.assert_array_equal(estimator.predict(derive(ROWS, COLUMNS)), expected)
    model = Model.model_validate(
        {
            "candidate": candidate(parameters),
            "task": "regression",
            "files": save(estimator, COLUMNS, store),
            "columns": COLUMNS,
            "leaderboard": (),
            "trained_on": {"file": {"path": "x", "sha256": "0" * 64, "size": 1}, "rows": 1, "columns": ()},
            "libraries": {},
            "seed": 7,
        }
    )
    np.testing.assert_array_equal(load(model, store).predict(ROWS).values, expected)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        (
            {"column": "cold_lag_36"},
            "candidates.parameters of 'naive': ColumnForecast predicts the column 'cold_lag_36', which is no numeric "
            "feature (did you mean 'cold_lag_365'?); allowed: cold_lag_1, cold_lag_365.",
        ),
        (
            {"column": "cold_lag_1", "otherwise": "station"},
            "the column 'station', which is no numeric feature; allowed: ",
        ),
        ({}, "the column '', which is no numeric feature; allowed: cold_lag_1, cold_lag_365."),
        ({"colum": "cold_lag_1"}, "ColumnForecast has no parameter 'colum' (did you mean 'column'?)"),
    ],
)
def test_a_column_that_it_does_not_have_is_one_sentence(parameters, said):
    with pytest.raises(ProblemError) as caught:
        build(candidate(parameters), "regression", COLUMNS, 7)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_it_keeps_the_contract_of_scikit_learn():
    forecast = ColumnForecast(column="cold_lag_1")
    assert clone(forecast).get_params() == {"column": "cold_lag_1", "otherwise": None}
    with pytest.raises(ValueError, match="not fitted yet"):
        forecast.predict(ROWS)
    assert forecast.fit(ROWS, TARGET) is forecast
    known = ROWS["cold_lag_1"].notna().to_numpy()
    assert forecast.score(ROWS[known], ROWS["cold_lag_1"][known]) == 1.0
    with pytest.raises(ValueError, match=r"predicts the column 'cold_lag_1', which the features do not have.*station"):
        forecast.predict(ROWS[["station"]])
