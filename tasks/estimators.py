"""From a declared candidate to an unfitted estimator: one pipeline from the features to the prediction.

Everything that is fitted (medians, categories, scales, the estimator) is inside the pipeline, hence inside
cross-validation.
"""

from __future__ import annotations

import importlib
import threading
from typing import Any

from tasks.columns import names_with_role
from tasks.errors import ProblemError
from tasks.problem import ESTIMATORS, Candidate, TaskKind
from tasks.records import FeatureSet
from tasks.sentences import listed, meant

SCALED = (
    "ElasticNet",
    "KNeighborsClassifier",
    "KNeighborsRegressor",
    "Lasso",
    "LinearDiscriminantAnalysis",
    "LinearRegression",
    "LinearSVC",
    "LinearSVR",
    "LogisticRegression",
    "MLPClassifier",
    "MLPRegressor",
    "Ridge",
    "RidgeClassifier",
    "SGDClassifier",
    "SGDRegressor",
    "SVC",
    "SVR",
)
FORESTS = ("ExtraTreesClassifier", "ExtraTreesRegressor", "RandomForestClassifier", "RandomForestRegressor")
MISSING_ALLOWED = ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")

_IMPORTING = threading.Lock()
"""Threads that import scikit-learn's modules at the same moment can meet one that is half imported."""


def build(candidate: Candidate, task: TaskKind, columns: FeatureSet, seed: int) -> Any:
    """Give the unfitted estimator of a candidate: a scikit-learn pipeline, or a network that prepares by itself.

    Raises
    ------
    ProblemError
        The estimator does not have a parameter of that name.
    """
    with _IMPORTING:
        module = importlib.import_module(ESTIMATORS[task][candidate.estimator])
        estimator = getattr(module, candidate.estimator)()
    known = estimator.get_params()
    for name in candidate.parameters:
        if name not in known:
            raise ProblemError(
                f"candidates.parameters of {candidate.name!r}: {candidate.estimator} has no parameter {name!r}"
                f"{meant(name, known)}; allowed: {listed(known)}."
            )
    settings: dict[str, Any] = {"random_state": seed} if "random_state" in known else {}
    estimator.set_params(**settings | candidate.parameters)
    if not is_network(estimator):
        return _pipeline(candidate, estimator, columns)
    numeric, categorical = names_with_role(columns, "numeric"), names_with_role(columns, "categorical")
    return estimator.set_params(numeric=numeric, categorical=categorical)


def is_network(estimator: Any) -> bool:
    """Tell whether an estimator is a Keras network, which prepares its inputs itself."""
    return hasattr(estimator, "predict_features")


def _pipeline(candidate: Candidate, estimator: Any, columns: FeatureSet) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

    steps: list[tuple[str, Any]] = []
    if candidate.estimator not in MISSING_ALLOWED:
        steps.append(("impute", SimpleImputer(strategy="median", keep_empty_features=True)))
    scale = candidate.scale or ("standard" if candidate.estimator in SCALED else "none")
    if scale != "none":
        steps.append(("scale", StandardScaler() if scale == "standard" else MinMaxScaler()))
    numeric = Pipeline(steps) if steps else "passthrough"
    categorical = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    prepare = ColumnTransformer(
        [
            ("numeric", numeric, names_with_role(columns, "numeric")),
            ("categorical", categorical, names_with_role(columns, "categorical")),
        ]
    )
    return Pipeline([("prepare", prepare), ("estimate", estimator)])


def use_cores(estimator: Any, cores: int | None) -> None:
    """Let a forest fit with so many jobs; None is one, the way it is stored and served.

    (A forest adds its trees up in the order in which threads finish, so only one thread repeats a prediction exactly.)
    """
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    if type(last).__name__ in FORESTS:
        last.set_params(n_jobs=cores)
