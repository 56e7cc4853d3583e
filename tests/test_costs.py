import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin

from tasks.costs import ROWS_AT_ONCE, megabytes, milliseconds


class Remembers(RegressorMixin, BaseEstimator):
    """Remembers how many rows it was asked for."""

    def predict(self, X):
        self.asked = X["x"].tolist()
        return np.zeros(len(X))


@pytest.mark.parametrize("rows", [1, 300, 2500])
def test_a_thousand_rows_are_predicted_at_once(rows):
    estimator = Remembers()
    assert milliseconds(estimator, pd.DataFrame({"x": np.arange(rows)})) > 0
    assert estimator.asked == [place % rows for place in range(ROWS_AT_ONCE)]


def test_the_size_is_that_of_all_that_it_holds():
    estimator = Remembers()
    estimator.weights = np.ones(1_000_000)
    assert megabytes(estimator) == pytest.approx(8.0, rel=1e-3)
    assert megabytes(estimator) == pytest.approx(len(pickle.dumps(estimator, protocol=5)) / 1e6, rel=1e-4)
