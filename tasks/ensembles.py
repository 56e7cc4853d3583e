"""Ensembles: several models that answer as one, each with a weight that was fixed before it was fitted.

The members prepare their inputs themselves, so an ensemble is no pipeline but a sum of pipelines and networks. It is
fitted on all training rows, so each of its members has seen more rows than when its weight was chosen.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted

from tasks.candidates import Candidate, TaskKind
from tasks.cores import CORES, MANY_ROWS, one_core_each
from tasks.estimators import is_network
from tasks.models import predict
from tasks.out_of_fold import outputs

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

Attempt = tuple[Any, str | None, tuple[str, ...]]
"""A fitted estimator, or the problem that kept it from being fitted, and what libraries warned of."""


class _Ensemble(BaseEstimator):
    def __init__(self, members: Sequence[Any] = (), weights: Sequence[float] = (), intercept: float = 0.0) -> None:
        self.members = members
        self.weights = weights
        self.intercept = intercept

    def fit(self, X: pd.DataFrame, y: NDArray[Any]) -> Self:
        """Fit every member on all rows.

        Raises
        ------
        ValueError
            A member cannot be fitted.
        """
        return self.of_fitted(fitted([clone(member) for member in self.members], X, y))

    def of_fitted(self, members: Sequence[Any]) -> Self:
        """Take members that are fitted already."""
        self.members_ = list(members)
        return self

    def combined(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Give the weighted sum of the members' outputs, of shape (rows, outputs)."""
        check_is_fitted(self, "members_")
        parts = (
            weight * outputs(predict(member, X)) for weight, member in zip(self.weights, self.members_, strict=True)
        )
        return np.asarray(sum(parts) + self.intercept)


class EnsembleRegressor(RegressorMixin, _Ensemble):
    """A weighted sum of regressors.

    Parameters
    ----------
    members : sequence of object
        The unfitted regressors.
    weights : sequence of float
        The weight of each.
    intercept : float
        What is added to their sum.

    Attributes
    ----------
    members_ : list of object
        The fitted ones.
    """

    def predict(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Give a number for each row, shape (rows,)."""
        return self.combined(X)[:, 0]


class EnsembleClassifier(ClassifierMixin, _Ensemble):
    """A weighted mean of the probabilities of classifiers; one that gives none votes.

    Parameters
    ----------
    members : sequence of object
        The unfitted classifiers.
    weights : sequence of float
        The weight of each; their sum is 1.
    intercept : float
        Always 0.

    Attributes
    ----------
    members_ : list of object
        The fitted ones.
    classes_ : array of shape (classes,)
        Sorted.
    """

    def of_fitted(self, members: Sequence[Any]) -> Self:  # noqa: D102
        self.classes_ = np.asarray(members[0].classes_)
        return super().of_fitted(members)

    def predict_proba(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Give the probability of each class, of shape (rows, classes)."""
        return self.combined(X)

    def predict(self, X: pd.DataFrame) -> NDArray[Any]:
        """Give the likeliest class of each row, shape (rows,)."""
        return self.classes_[self.combined(X).argmax(axis=1)]


def ensemble(candidate: Candidate, task: TaskKind, members: Sequence[Any]) -> Any:
    """Give the ensemble of a candidate's members, fitted or not."""
    kind = EnsembleRegressor if task == "regression" else EnsembleClassifier
    weights = [member.weight for member in candidate.members]
    return kind(members, weights).set_params(**candidate.parameters)


def fitted(members: Sequence[Any], X: pd.DataFrame, y: NDArray[Any]) -> list[Any]:
    """Give estimators fitted on the same rows: networks here, one after the other, the rest on one core each.

    Where rows are many an estimator takes all cores by itself, and is not sent its own copy of them.

    Raises
    ------
    ValueError
        One cannot be fitted: says which.
    """
    apart = [place for place, member in enumerate(members) if not is_network(member)]
    if min(len(apart), CORES) < 2 or len(X) >= MANY_ROWS:
        apart = []
    found = dict(zip(apart, one_core_each((_attempt, (members[place], X, y)) for place in apart), strict=True))
    return [_fitted(each, found.get(place), X, y) for place, each in enumerate(members)]


def _fitted(member: Any, attempt: Attempt | None, X: pd.DataFrame, y: NDArray[Any]) -> Any:
    """Give an estimator as it came back from where it was fitted, or fit it here."""
    try:
        if attempt is None:
            return member.fit(X, y)
        estimator, problem, warned = attempt
        for message in warned:
            warnings.warn(f"{_kind(member)}: {message}", stacklevel=4)
        if problem is None:
            return estimator
    except ValueError as error:
        problem = _first_line(error)
    raise ValueError(f"the member {_kind(member)} cannot be fitted: {problem}")


def _attempt(estimator: Any, X: pd.DataFrame, y: NDArray[Any]) -> Attempt:
    """Fit an estimator; runs in a process of its own, and never raises."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        try:
            estimator.fit(X, y)
        except Exception as error:
            return None, _first_line(error), ()
    return estimator, None, tuple(dict.fromkeys(str(each.message).splitlines()[0] for each in caught))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _kind(member: Any) -> str:
    """Give the name of the class that predicts: of a pipeline the last step's."""
    return _kind(member.steps[-1][1]) if hasattr(member, "steps") else type(member).__name__
