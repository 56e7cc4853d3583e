"""From a declared candidate to an unfitted estimator: one pipeline from the features to the prediction.

Everything that is fitted (medians, categories, scales, the estimator) is inside the pipeline, hence inside
cross-validation.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Mapping
from typing import Any

from tasks.candidates import ESTIMATORS, TRANSFORMERS, Candidate, Feature, TaskKind
from tasks.columns import matching, names_with_role
from tasks.errors import ProblemError
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
MISSING_ALLOWED = ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")
DENSE_ONLY = (*MISSING_ALLOWED, "GaussianNB", "LinearDiscriminantAnalysis")
MOST_DENSE_WORDS = 5_000
"""An estimator that takes dense numbers only may have so many columns made of words; 10,000 rows are then 400 MB."""

QUANTILES = 100
"""By which numbers are scaled to a normal distribution; scikit-learn warns where rows are fewer."""

NOT_DECLARED = ("dtype", "input", "preprocessor", "tokenizer", "vocabulary")
"""What `TfidfVectorizer` could be told but a problem file cannot: code, and reading files that the data names."""

NOTHING: dict[str, Any] = {"leave_out": ("*",), "features": ()}
"""What a candidate reads that only counts: to prepare millions of words for it takes as long as for any other."""

BASELINES: dict[TaskKind, tuple[Candidate, ...]] = {
    "classification": (
        Candidate(name="dummy", estimator="DummyClassifier", **NOTHING),
        Candidate(name="linear", estimator="LogisticRegression", parameters={"max_iter": 1000}),
    ),
    "regression": (
        Candidate(name="dummy", estimator="DummyRegressor", **NOTHING),
        Candidate(name="linear", estimator="Ridge"),
    ),
}
"""Whoever is beaten by one of these should not be in production; they are always scored too."""

_IMPORTING = threading.Lock()
"""Threads that import scikit-learn's modules at the same moment can meet one that is half imported."""


def build(candidate: Candidate, task: TaskKind, columns: FeatureSet, seed: int) -> Any:
    """Give the unfitted estimator of a candidate: a scikit-learn pipeline, a network, or an ensemble of such.

    Raises
    ------
    ProblemError
        The estimator does not have a parameter of that name, or a column or a feature does not fit it.
    """
    if candidate.members:
        from tasks.ensembles import ensemble

        return ensemble(candidate, task, [build(each.candidate, task, columns, seed) for each in candidate.members])
    estimator = _estimator(candidate, task, seed)
    columns = _read_by(candidate, columns)
    if is_network(estimator) and (candidate.calibrate or candidate.target == "log"):
        raise ProblemError(
            f"candidates of {candidate.name!r}: {candidate.estimator} is a network, which is neither calibrated nor "
            "fitted to the logarithm of its target; leave out calibrate and target."
        )
    if candidate.estimator == "ColumnForecast":
        return _forecast(candidate, estimator, columns)
    prepared = (
        _with_columns(candidate, estimator, columns)
        if is_network(estimator)
        else _pipeline(candidate, estimator, columns, seed)
    )
    if candidate.calibrate:
        from sklearn.calibration import CalibratedClassifierCV

        return CalibratedClassifierCV(prepared).set_params(method=candidate.calibrate, ensemble=False)
    if candidate.target == "log":
        from tasks.log_target import LogTarget

        return LogTarget(prepared)
    return prepared


def _estimator(candidate: Candidate, task: TaskKind, seed: int) -> Any:
    """Give the estimator itself, with its parameters and, where it has one, its seed."""
    with _IMPORTING:
        module = importlib.import_module(ESTIMATORS[task][candidate.estimator])
        estimator = getattr(module, candidate.estimator)()
    return _with_parameters(estimator, candidate.parameters, f"candidates.parameters of {candidate.name!r}", seed)


def _with_parameters(estimator: Any, parameters: Mapping[str, Any], where: str, seed: int) -> Any:
    known = estimator.get_params()
    for name in parameters:
        if name not in known:
            raise ProblemError(
                f"{where}: {type(estimator).__name__} has no parameter {name!r}{meant(name, known)}; "
                f"allowed: {listed(known)}."
            )
    settings: dict[str, Any] = {"random_state": seed} if "random_state" in known else {}
    return estimator.set_params(**settings | dict(parameters))


def _read_by(candidate: Candidate, columns: FeatureSet) -> FeatureSet:
    """Give what a candidate reads of all columns and features."""
    left_out = matching(candidate.leave_out, columns.roles)
    for name in left_out:
        if name not in columns.roles:
            raise ProblemError(
                f"candidates.leave_out of {candidate.name!r} names {name!r}, which is no feature"
                f"{meant(name, columns.roles)}; the features: {listed(columns.roles)}."
            )
    roles = {name: role for name, role in columns.roles.items() if name not in left_out}
    chosen = [each for each in columns.features if candidate.features is None or each.name in candidate.features]
    return columns.model_copy(update={"roles": roles, "features": tuple(chosen)})


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


def _pipeline(candidate: Candidate, estimator: Any, columns: FeatureSet, seed: int) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    prepare = ColumnTransformer(
        [
            ("numeric", _numbers(candidate, seed), names_with_role(columns, "numeric")),
            ("categorical", _categories(candidate, estimator, seed), names_with_role(columns, "categorical")),
            *_words(candidate, columns),
            *(_made(candidate, feature, seed) for feature in columns.features),
        ],
        sparse_threshold=0.0 if candidate.estimator in DENSE_ONLY else 0.3,
    )
    return Pipeline([("prepare", prepare), ("estimate", estimator)])


def _numbers(candidate: Candidate, seed: int) -> Any:
    """Give what numbers go through: imputed and scaled where the estimator needs it, or as declared."""
    from sklearn.decomposition import PCA
    from sklearn.pipeline import Pipeline

    steps = [*_imputed(candidate), *_scaled(candidate, seed)]
    if candidate.components:
        steps.append(("components", PCA(candidate.components).set_params(random_state=seed)))
    return Pipeline(steps)


def _imputed(candidate: Candidate) -> list[tuple[str, Any]]:
    from sklearn.impute import KNNImputer, SimpleImputer

    needed = candidate.estimator not in MISSING_ALLOWED or candidate.components
    strategy = candidate.impute or ("median" if needed else None)
    if strategy is None:
        from tasks.preparing.empty_columns import EmptyColumns

        return [("fill", EmptyColumns())]
    if strategy == "neighbours":
        return [("impute", KNNImputer(keep_empty_features=True))]
    return [("impute", SimpleImputer(strategy=strategy, keep_empty_features=True))]


def _scaled(candidate: Candidate, seed: int) -> list[tuple[str, Any]]:
    from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, RobustScaler, StandardScaler

    match candidate.scale or ("standard" if candidate.estimator in SCALED else "none"):
        case "standard":
            return [("scale", StandardScaler())]
        case "minmax":
            return [("scale", MinMaxScaler())]
        case "robust":
            return [("scale", RobustScaler())]
        case "quantile":
            return [
                (
                    "scale",
                    QuantileTransformer(n_quantiles=QUANTILES, output_distribution="normal").set_params(
                        random_state=seed
                    ),
                )
            ]
        case "none":
            return []


def _categories(candidate: Candidate, estimator: Any, seed: int) -> Any:
    """Give what categories go through; one that was not seen in training is no category, the last one or the mean."""
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

    match candidate.encode:
        case "one-hot":
            return OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        case "ordinal":
            return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
        case "target":
            return TargetEncoder(cv=_dealt(estimator, seed))


def _dealt(estimator: Any, seed: int) -> Any:
    """Give the folds within which an estimator's inputs are fitted to the target, one held out after the other."""
    from sklearn.base import is_classifier
    from sklearn.model_selection import KFold, StratifiedKFold

    kind: Any = StratifiedKFold if is_classifier(estimator) else KFold
    return kind(5, shuffle=True, random_state=seed)


def _made(candidate: Candidate, feature: Feature, seed: int) -> tuple[str, Any, list[str]]:
    """Give the transformer of a declared feature, between what it needs before and the estimator after it."""
    from sklearn.pipeline import Pipeline

    with _IMPORTING:
        transformer = getattr(importlib.import_module(TRANSFORMERS[feature.transformer]), feature.transformer)()
    _with_parameters(transformer, feature.parameters, f"features.parameters of {feature.name!r}", seed)
    if transformer.reads == "text":
        return (feature.name, transformer, list(feature.columns))
    before = _imputed(candidate.model_copy(update={"estimator": "", "impute": candidate.impute or "median"}))
    return (
        feature.name,
        Pipeline([*before, ("make", transformer), *_scaled(candidate, seed)]),
        list(feature.columns),
    )


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
