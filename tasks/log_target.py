"""A regression of the logarithm: for targets above 0 whose errors grow with them, such as prices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


class LogTarget(RegressorMixin, BaseEstimator):
    """Fits a regressor to the logarithm of the target and gives back the exponential of what it predicts.

    Parameters
    ----------
    regressor : object
        Any unfitted regressor.

    Attributes
    ----------
    regressor_ : object
        The fitted one.
    """

    def __init__(self, regressor: Any = None) -> None:
        self.regressor = regressor

    def fit(self, X: pd.DataFrame, y: NDArray[Any]) -> Self:
        """Fit the regressor to the logarithms of the targets, shape (rows,).

        Raises
        ------
        ValueError
            A target is not above 0.
        """
        least = float(np.min(y))
        if not least > 0:
            raise ValueError(f"target = 'log' needs targets above 0, but the smallest is {least:g}; use 'plain'")
        regressor: Any = clone(self.regressor)
        self.regressor_ = regressor.fit(X, np.log(np.asarray(y, dtype="float64")))
        return self

    def predict(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Give a number above 0 for each row, shape (rows,)."""
        check_is_fitted(self, "regressor_")
        return np.exp(self.regressor_.predict(X))
