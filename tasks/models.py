"""Fitted models in and out of files that hold no pickle, and the one prediction from raw columns.

What is evaluated, checked before deployment and served is one object: `Predictor`. It derives the columns, runs the
pipeline and gives a `Prediction`. TensorFlow Serving begins a step later where columns are derived from texts or dates:
the exported network takes those features as they are derived, see `columns.served_columns`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.candidates import ESTIMATORS, Candidate, TaskKind
from tasks.columns import arithmetic_inside, derive, names_with_role, served_columns
from tasks.cutoffs import decided
from tasks.errors import StoreError
from tasks.estimators import build, is_network
from tasks.expressions import evaluate
from tasks.records import Cutoff, FeatureSet, File, Model
from tasks.store import Store

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

TRUSTED = (
    "numpy.dtype",
    "scipy._lib.array_api_compat.numpy._aliases.asarray",
    "scipy.interpolate._bsplines.BSpline",
    "scipy.sparse._csr.csr_matrix",
    "sklearn._loss.loss.HalfTweedieLoss",
    "sklearn._loss.loss.HalfTweedieLossIdentity",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.feature_selection._univariate_selection.chi2",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.feature_selection._univariate_selection.f_regression",
    "sklearn.metrics._dist_metrics.BrayCurtisDistance64",
    "sklearn.metrics._dist_metrics.CanberraDistance64",
    "sklearn.metrics._dist_metrics.ChebyshevDistance64",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.metrics._dist_metrics.HammingDistance64",
    "sklearn.metrics._dist_metrics.ManhattanDistance64",
    "sklearn.metrics._dist_metrics.MinkowskiDistance64",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.multiclass._ConstantPredictor",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
    "tasks.adopting.adopted_estimators.Unnamed",
    "tasks.forecasts.ColumnForecast",
    "tasks.log_target.LogTarget",
    "tasks.preparing.clusters.ClusterSimilarity",
    "tasks.preparing.empty_columns.EmptyColumns",
    "tasks.preparing.gradients.ImageGradients",
    "tasks.preparing.neighbours.NeighboursMean",
    "tasks.preparing.neighbours.NeighboursTarget",
    "tasks.preparing.ratios.NaiveBayesRatios",
)
"""The types that a model file may hold beyond what skops trusts by itself. Fixed here; a file never adds to it."""

NETWORK, PIPELINE = "network.keras", "model.skops"


@dataclass(frozen=True)
class Prediction:
    """Predictions for rows.

    Attributes
    ----------
    values : array of shape (rows,)
        Numbers, or classes.
    classes : array of shape (classes,)
        Sorted; empty for regression.
    probabilities : array of shape (rows, classes) or None
        For classifiers that give them.
    """

    values: NDArray[Any]
    classes: NDArray[Any]
    probabilities: NDArray[np.float64] | None = None

    def of(self, rows: NDArray[np.bool_]) -> Prediction:
        """Give the prediction for some of the rows, those of a mask of shape (rows,)."""
        chosen = None if self.probabilities is None else self.probabilities[rows]
        return Prediction(self.values[rows], self.classes, chosen)


@dataclass(frozen=True)
class Predictor:
    """A fitted estimator with the columns that it reads, and how it decides where that is not the likeliest class."""

    estimator: Any
    columns: FeatureSet
    cutoff: Cutoff | None = None

    def predict(self, rows: pd.DataFrame) -> Prediction:
        """Give the prediction for rows that have the source's columns."""
        return self.decided(predict(self.estimator, derive(rows, self.columns)))

    def decided(self, found: Prediction) -> Prediction:
        """Give a prediction with the classes that the cutoff decides for."""
        if self.cutoff is None or found.probabilities is None:
            return found
        return replace(found, values=decided(found.probabilities, found.classes, self.cutoff))


def predict(estimator: Any, features: Any) -> Prediction:
    """Give a fitted estimator's prediction for rows of features, in the form that the estimator takes them."""
    classes = np.asarray(getattr(estimator, "classes_", ()))
    if not len(classes):
        return Prediction(np.asarray(estimator.predict(features), dtype="float64"), classes)
    if hasattr(estimator, "members_"):  # each would be asked twice
        shares = estimator.predict_proba(features)
        return Prediction(classes[shares.argmax(axis=1)], classes, shares)
    probabilities = estimator.predict_proba(features) if hasattr(estimator, "predict_proba") else None
    return Prediction(np.asarray(estimator.predict(features)), classes, probabilities)


def save(estimator: Any, columns: FeatureSet, store: Store, cutoff: Cutoff | None = None) -> dict[str, File]:
    """Write a fitted estimator's files into the store and give their records by name.

    A pipeline becomes ``model.skops``; a network becomes ``network.keras`` and ``saved_model/``, whose served signature
    takes raw columns, and in place of those from which features are derived by text or date functions, these features;
    the class that it answers follows ``cutoff``. Of an ensemble each member has a folder, such as ``members/0/``.
    """
    with store.scratch() as folder:
        if is_network(estimator):
            estimator.cutoff = cutoff
            estimator.save(folder, lambda raw: _derive_tensors(raw, columns), served_columns(columns))
        else:
            _write(estimator, folder)
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        names = [path.relative_to(folder).as_posix() for path in paths]
        return {name: store.keep(path, "models", path.suffix) for name, path in zip(names, paths, strict=True)}


def _write(estimator: Any, folder: Path) -> None:
    """Write an estimator's own file, or its members' files, without what serves it."""
    import skops.io

    folder.mkdir(parents=True, exist_ok=True)
    if is_network(estimator):
        estimator.network_.save(folder / NETWORK)
    elif hasattr(estimator, "members_"):
        for place, member in enumerate(estimator.members_):
            _write(member, folder / _place(place))
    else:
        skops.io.dump(estimator, folder / PIPELINE)


def _place(member: int) -> str:
    return f"members/{member}/"


def has_network(model: Model) -> bool:
    """Tell whether a model is a network, or an ensemble that one is a member of."""
    return any(PurePosixPath(name).name == NETWORK for name in model.files)


def load(model: Model, store: Store) -> Predictor:
    """Give the predictor of a stored model, after checking the digests of its files.

    Raises
    ------
    StoreError
        A file is missing or altered, holds a type that is not on the list, or cannot be read by these libraries.
    """
    if not model.candidate.members:
        return Predictor(_loaded(model.candidate, model, "", store), model.columns, model.cutoff)
    from tasks.ensembles import ensemble

    members = [
        _loaded(member.candidate, model, _place(place), store) for place, member in enumerate(model.candidate.members)
    ]
    whole = ensemble(model.candidate, model.task, ()).of_fitted(members)
    return Predictor(whole, model.columns, model.cutoff)


def _loaded(candidate: Candidate, model: Model, folder: str, store: Store) -> Any:
    """Give the estimator of a model, or of the member that has a folder of its files."""
    network = f"{folder}{NETWORK}" in model.files
    path = store.path(model.files[f"{folder}{NETWORK if network else PIPELINE}"])
    try:
        return _load_network(candidate, model, path) if network else _load_pipeline(path)
    except Exception as error:
        raise StoreError(f"{path} cannot be loaded as the model {candidate.name!r}: {error}") from error


def _load_pipeline(path: Path) -> Any:
    import skops.io

    return skops.io.load(path, trusted=list(TRUSTED))


def _load_network(candidate: Candidate, model: Model, path: Path) -> Any:
    if candidate.estimator in ESTIMATORS[model.task]:
        estimator = build(candidate, model.task, model.columns, model.seed)
    else:
        estimator = network_from_outside(model.task, model.columns)
    if model.classes:
        estimator.classes_ = np.asarray(model.classes)
    return estimator.load(path)


def network_from_outside(task: TaskKind, columns: FeatureSet) -> Any:
    """Give the estimator, without its network, of a Keras network that was adopted."""
    from tasks.adopting.adopted_estimators import AdoptedNetworkClassifier, AdoptedNetworkRegressor

    kind = AdoptedNetworkRegressor if task == "regression" else AdoptedNetworkClassifier
    return kind(
        numeric=names_with_role(columns, "numeric"),
        categorical=names_with_role(columns, "categorical"),
        text=names_with_role(columns, "text"),
    )


def _derive_tensors(raw: dict[str, Any], columns: FeatureSet) -> dict[str, Any]:
    """Give the same features as `columns.derive`, for tensors of what an exported network takes."""
    import tensorflow as tf

    features = dict(raw)
    for name, text in arithmetic_inside(columns).items():
        value = evaluate(text, features, tf.math)
        features[name] = tf.where(tf.math.is_finite(value), value, tf.constant(np.nan, value.dtype))
    return features
