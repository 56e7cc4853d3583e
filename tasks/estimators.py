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
    "HuberRegressor",
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
DENSE_ONLY = (*MISSING_ALLOWED, "GaussianNB", "LinearDiscriminantAnalysis")
MOST_DENSE_WORDS = 5_000
"""An estimator that takes dense numbers only may have so many columns made of words; 10,000 rows are then 400 MB."""

NOT_DECLARED = ("dtype", "input", "preprocessor", "tokenizer", "vocabulary")
"""What `TfidfVectorizer` could be told but a problem file cannot: code, and reading files that the data names."""

BASELINES: dict[TaskKind, tuple[Candidate, ...]] = {
    "classification": (
        Candidate(name="dummy", estimator="DummyClassifier"),
        Candidate(name="linear", estimator="LogisticRegression", parameters={"max_iter": 1000}),
    ),
    "regression": (
        Candidate(name="dummy", estimator="DummyRegressor"),
        Candidate(name="linear", estimator="Ridge"),
    ),
}
"""Whoever is beaten by one of these should not be in production; they are always scored too."""

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
    if candidate.estimator == "ColumnForecast":
        return _forecast(candidate, estimator, columns)
    if not is_network(estimator):
        return _pipeline(candidate, estimator, columns)
    return _with_columns(candidate, estimator, columns)


def _with_columns(candidate: Candidate, network: Any, columns: FeatureSet) -> Any:
    texts = names_with_role(columns, "text")
    reads_texts = hasattr(network, "tokens")
    if candidate.text:
        raise ProblemError(
            f"candidates.text of {candidate.name!r} is for scikit-learn's estimators; {candidate.estimator} prepares "
            "its inputs itself, so its settings belong in parameters."
        )
    if bool(texts) != reads_texts:
        found = f"the columns of the role text ({listed(texts)})" if texts else "no column of the role text"
        raise ProblemError(
            f"candidates.estimator of {candidate.name!r}: {candidate.estimator} reads "
            f"{'texts' if reads_texts else 'no texts'}, but there {'are' if texts else 'is'} {found}; "
            f"{'use TextNetworkClassifier' if texts else 'declare one in columns.text'}, or another estimator."
        )
    roles = {"numeric": names_with_role(columns, "numeric"), "categorical": names_with_role(columns, "categorical")}
    return network.set_params(**roles, text=texts)


def is_network(estimator: Any) -> bool:
    """Tell whether an estimator is a Keras network, which prepares its inputs itself."""
    return hasattr(estimator, "predict_features")


def _forecast(candidate: Candidate, estimator: Any, columns: FeatureSet) -> Any:
    """Give a forecast that reads its columns as they are, without a pipeline."""
    known = names_with_role(columns, "numeric")
    for name in estimator.columns:
        if name not in known:
            raise ProblemError(
                f"candidates.parameters of {candidate.name!r}: ColumnForecast predicts the column {name!r}, which is "
                f"no numeric feature{meant(name, known)}; allowed: {listed(known)}."
            )
    return estimator


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
            *_words(candidate, columns),
        ],
        sparse_threshold=0.0 if candidate.estimator in DENSE_ONLY else 0.3,
    )
    return Pipeline([("prepare", prepare), ("estimate", estimator)])


def _words(candidate: Candidate, columns: FeatureSet) -> list[tuple[str, Any, str]]:
    """Give a vectorizer for each column of the role text, with the candidate's settings.

    Raises
    ------
    ProblemError
        There is no such column, no such setting, or more words than the estimator can take.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    names = names_with_role(columns, "text")
    known = sorted(set(TfidfVectorizer().get_params()) - set(NOT_DECLARED))
    where = f"candidates.text of {candidate.name!r}"
    if candidate.text and not names:
        raise ProblemError(f"{where} needs a column of the role text; declare columns.text = ['...'].")
    for name in candidate.text:
        if name not in known:
            raise ProblemError(
                f"{where}: TfidfVectorizer has no setting {name!r}{meant(name, known)}; allowed: {listed(known)}."
            )
    most = candidate.text.get("max_features")
    if names and candidate.estimator in DENSE_ONLY and not (isinstance(most, int) and 0 < most <= MOST_DENSE_WORDS):
        raise ProblemError(
            f"{where}: {candidate.estimator} takes dense numbers only, so the number of words must be limited: "
            f"text = {{ max_features = 1000 }}, at most {MOST_DENSE_WORDS:,}."
        )
    settings: dict[str, Any] = dict(candidate.text)
    if isinstance(settings.get("stop_words"), tuple):
        settings["stop_words"] = list(settings["stop_words"])
    return [(f"words of {name}", TfidfVectorizer(**settings), name) for name in names]


def use_cores(estimator: Any, cores: int | None) -> None:
    """Let a forest fit with so many jobs; None is one, the way it is stored and served.

    (A forest adds its trees up in the order in which threads finish, so only one thread repeats a prediction exactly.)
    """
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    if type(last).__name__ in FORESTS:
        last.set_params(n_jobs=cores)
