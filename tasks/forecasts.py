"""Naive forecasts: a column is the prediction as it is. What a model must beat before it is worth anything.

With the columns of ``[history]`` these are the forecasts that every series is measured by (Hyndman and Athanasopoulos,
*Forecasting: Principles and Practice*, 3rd ed., section 5.2): "same as yesterday" reads the value of one row before,
the seasonal-naive forecast that of one season before. They stand on the leaderboard like any other candidate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from tasks.sentences import listed, meant

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(kw_only=True, repr=False, eq=False)
class ColumnForecast(RegressorMixin, BaseEstimator):
    """Predicts a column of the features.

    Parameters
    ----------
    column : str
        The feature that is the prediction: ``temperature_lag_1`` is "same as yesterday".
    otherwise : str, optional
        The feature that is taken where the first one is missing, as ``temperature_lag_365`` is in the first year.

    Attributes
    ----------
    median_ : float
        Of the target in training; the prediction where both are missing.
    """

    column: str = ""
    otherwise: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The features that it reads."""
        return (self.column,) if self.otherwise is None else (self.column, self.otherwise)

    def fit(self, X: pd.DataFrame, y: NDArray[Any]) -> Self:
        """Learn the median of the target, shape (rows,).

        Raises
        ------
        ValueError
            The features do not have the columns.
        """
        self._check(X)
        self.n_features_in_ = X.shape[1]
        self.feature_names_in_ = np.asarray(X.columns, dtype="object")
        self.median_ = float(np.median(np.asarray(y, dtype="float64")))
        return self

    def predict(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Give the column, an array of shape (rows,)."""
        check_is_fitted(self, "median_")
        self._check(X)
        found = np.full(len(X), np.nan)
        for name in self.columns:
            found = np.where(np.isnan(found), X[name].to_numpy(dtype="float64", na_value=np.nan), found)
        return np.where(np.isnan(found), self.median_, found)

    def _check(self, X: pd.DataFrame) -> None:
        for name in self.columns:
            if name not in X.columns:
                raise ValueError(
                    f"ColumnForecast predicts the column {name!r}, which the features do not have"
                    f"{meant(name, X.columns)}; allowed: {listed(X.columns)}"
                )
