"""Columns without any value, as where a fold happens to lack the only rows that have one.

Histogram gradient boosting takes missing numbers as they are, but cannot cut a column without numbers into bins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

if TYPE_CHECKING:
    from numpy.typing import NDArray


class EmptyColumns(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Makes columns 0 that had no value in training; all others stay as they are, missing values included.

    Attributes
    ----------
    empty_ : array of shape (columns,)
        Which columns had no value.
    """

    def fit(self, X: Any, y: object = None) -> Self:  # noqa: ARG002 - scikit-learn's contract
        """Find the columns without a value; ``X`` are numbers of shape (rows, columns)."""
        self.n_features_in_ = X.shape[1]
        if hasattr(X, "columns"):
            self.feature_names_in_ = np.asarray(X.columns, dtype="object")
        self.empty_ = np.isnan(np.asarray(X, dtype="float64")).all(axis=0)
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Give the numbers, of shape (rows, columns)."""
        check_is_fitted(self, "empty_")
        values = np.asarray(X, dtype="float64")
        return np.where(self.empty_, 0.0, values) if self.empty_.any() else values
