import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression

from tasks.log_target import LogTarget

X = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0]})


def test_what_grows_by_a_factor_is_a_line_of_logarithms():
    y = 5.0 * 3.0 ** X["x"].to_numpy()
    found = LogTarget(LinearRegression()).fit(X, y).predict(X)
    np.testing.assert_allclose(found, y, rtol=1e-12)


def test_a_constant_is_the_geometric_mean():
    found = LogTarget(DummyRegressor()).fit(X, np.array([1.0, 1.0, 100.0, 100.0])).predict(X)
    np.testing.assert_allclose(found, 10.0)


@pytest.mark.parametrize("least", [0.0, -3.0, np.nan])
def test_targets_that_have_no_logarithm_are_told(least):
    with pytest.raises(ValueError, match=f"target = 'log' needs targets above 0, but the smallest is {least:g}"):
        LogTarget(LinearRegression()).fit(X, np.array([1.0, least, 2.0, 3.0]))


def test_the_regressor_that_is_given_stays_unfitted():
    regressor = LinearRegression()
    LogTarget(regressor).fit(X, np.array([1.0, 2.0, 3.0, 4.0]))
    assert not hasattr(regressor, "coef_")
