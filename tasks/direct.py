"""The same prediction with less handling, for those who ask for single rows.

Of the milliseconds that scikit-learn takes for one row, most go into frames: selecting columns, checking their names,
putting them together again. Here the fitted steps themselves are called in the same order on the same numbers as
arrays, so the result is the same to the last bit; whoever uses it compares both first, see `repeats`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.columns import derived
from tasks.models import Prediction, Predictor, predict

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

Columns = Mapping[str, "NDArray[Any]"]
"""Rows by column: arrays of shape (rows,), of one length. Missing numbers are NaN, missing texts None."""


class DirectPredictor:
    """A predictor that takes rows as arrays; its pipelines are called without frames, all else as ever."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = replace(predictor, estimator=_direct(predictor.estimator))

    def predict(self, columns: Columns) -> Prediction:
        """Give the prediction for rows."""
        features = derived(columns, self._predictor.columns)
        return self._predictor.decided(predict(self._predictor.estimator, features))

    def repeats(self, predictor: Predictor, rows: pd.DataFrame) -> bool:
        """Tell whether the prediction for rows, together and for the first of them alone, is that of a predictor."""
        return all(
            _same(self.predict({str(name): some[name].to_numpy() for name in some}), predictor.predict(some))
            for some in (rows, rows.iloc[:1])
        )


def _same(ours: Prediction, theirs: Prediction) -> bool:
    same = np.array_equal(ours.values, theirs.values)
    if ours.probabilities is None or theirs.probabilities is None:
        return same and ours.probabilities is theirs.probabilities
    return same and np.array_equal(ours.probabilities, theirs.probabilities)


def _direct(estimator: Any) -> Any:
    """Give an estimator that takes features by name as arrays, and predicts what a fitted one does."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    if hasattr(estimator, "members_"):
        return copy.copy(estimator).of_fitted([_direct(member) for member in estimator.members_])
    if isinstance(estimator, Pipeline) and isinstance(estimator.steps[0][1], ColumnTransformer):
        return _with_its_methods(_DirectPipeline(estimator), estimator)
    return _with_its_methods(_Framed(estimator), estimator)


def _with_its_methods(direct: Any, estimator: Any) -> Any:
    """Give a stand-in with the classes of an estimator, and with probabilities where that gives some."""
    if hasattr(estimator, "classes_"):
        direct.classes_ = estimator.classes_
    if hasattr(estimator, "predict_proba"):
        direct.predict_proba = direct.probabilities
    return direct


class _Framed:
    """Any estimator that reads a frame: a network, a forecast, a model from outside."""

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator

    def predict(self, features: Columns) -> Any:
        return self._estimator.predict(self._frame(features))

    def probabilities(self, features: Columns) -> Any:
        return self._estimator.predict_proba(self._frame(features))

    def _frame(self, features: Columns) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame(features)


class _DirectPipeline:
    """A pipeline that begins with a column transformer, which is replaced; the steps behind it take arrays anyway."""

    def __init__(self, pipeline: Any) -> None:
        from sklearn.pipeline import Pipeline

        prepare = pipeline.steps[0][1]
        self._sparse = prepare.sparse_output_
        self._parts = [
            (_nameless(transformer), columns) for _, transformer, columns in prepare.transformers_ if len(columns)
        ]
        self._rest = Pipeline(pipeline.steps[1:])

    def predict(self, features: Columns) -> Any:
        return self._rest.predict(self._prepared(features))

    def probabilities(self, features: Columns) -> Any:
        return self._rest.predict_proba(self._prepared(features))

    def _prepared(self, features: Columns) -> Any:
        from scipy import sparse

        parts = [transformer.transform(_block(features, columns)) for transformer, columns in self._parts]
        if self._sparse:
            return sparse.hstack(parts).tocsr()
        return np.hstack([part.toarray() if sparse.issparse(part) else part for part in parts])


def _block(features: Mapping[str, Any], columns: Any) -> Any:
    """Give the columns that a transformer reads: of shape (rows, columns), or (rows,) for one that is named alone."""
    if isinstance(columns, str):
        return features[columns].to_numpy(dtype="object")
    return np.column_stack([_plain(features[name]) for name in columns])


def _plain(values: Any) -> NDArray[Any]:
    return values if isinstance(values, np.ndarray) else values.to_numpy(dtype="object", na_value=np.nan)


def _nameless(step: Any) -> Any:
    """Give a fitted transformer that does not ask for the names of columns; the original stays as it is."""
    own = copy.copy(step)
    if hasattr(own, "steps"):
        own.steps = [(name, _nameless(inner)) for name, inner in own.steps]
    vars(own).pop("feature_names_in_", None)
    return own
