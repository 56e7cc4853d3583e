"""Ranges that are worth trying, for each estimator: what is searched where a problem does not say it.

They follow what studies of many data sets found to matter: Probst, Boulesteix and Bischl, Tunability: Importance of
Hyperparameters of Machine Learning Algorithms (JMLR 20, 2019), table 3; van Rijn and Hutter, Hyperparameter Importance
Across Datasets (KDD 2018). The estimator's own defaults lie inside, or are tried beside them.
"""

from __future__ import annotations

from typing import Any

from tasks.candidates import PreparationSpace, Range, Search

SCALES = PreparationSpace(scale=("standard", "quantile", "minmax"))
PENALTY = Range(low=1e-3, high=1e3, log=True)
STRENGTH = Range(low=1e-2, high=1e3, log=True)
LEAF = Range(low=1, high=20, log=True)

FOREST: dict[str, Any] = {
    "max_features": Range(low=0.1, high=1.0),
    "min_samples_leaf": LEAF,
    "n_estimators": (100, 200),
}
FOREST_OF_CLASSES: dict[str, Any] = FOREST | {"criterion": ("gini", "entropy")}
TREE: dict[str, Any] = {
    "min_samples_leaf": Range(low=1, high=60, log=True),
    "ccp_alpha": (0.0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2),
    "max_features": Range(low=0.3, high=1.0),
}
BOOSTING: dict[str, Any] = {
    "learning_rate": Range(low=0.02, high=0.3, log=True),
    "n_estimators": Range(low=50, high=400, log=True),
    "max_depth": Range(low=2, high=6),
    "subsample": Range(low=0.5, high=1.0),
    "max_features": Range(low=0.2, high=1.0),
}
HISTOGRAMS: dict[str, Any] = {
    "learning_rate": Range(low=0.02, high=0.3, log=True),
    "max_iter": Range(low=50, high=800, log=True),
    "max_leaf_nodes": Range(low=7, high=127, log=True),
    "min_samples_leaf": Range(low=3, high=60, log=True),
    "l2_regularization": (0.0, 0.01, 0.1, 1.0, 10.0),
    "max_features": Range(low=0.2, high=1.0),
    "early_stopping": (False, "auto"),
}
NEIGHBOURS: dict[str, Any] = {
    "n_neighbors": Range(low=1, high=50, log=True),
    "weights": ("uniform", "distance"),
    "p": (1, 2),
}
KERNEL: dict[str, Any] = {"C": STRENGTH, "gamma": ("scale", 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)}
PERCEPTRON: dict[str, Any] = {
    "hidden_layer_sizes": ((50,), (100,), (200,), (50, 50), (100, 100)),
    "alpha": Range(low=1e-5, high=10.0, log=True),
    "learning_rate_init": Range(low=3e-4, high=1e-2, log=True),
    "max_iter": (200, 500),
    "early_stopping": (False, True),
}
DESCENT: dict[str, Any] = {"alpha": Range(low=1e-6, high=1e-1, log=True), "penalty": ("l2", "l1", "elasticnet")}
NETWORK: dict[str, Any] = {
    "learning_rate": Range(low=3e-4, high=1e-2, log=True),
    "hidden": ((64,), (128, 64), (256, 128), (256, 128, 64)),
    "batch_size": (32, 64, 128, 256),
    "pieces": (0, 8, 16, 32),
    "dropout": Range(low=0.0, high=0.5),
    "weight_decay": (0.0, 0.003, 0.01, 0.03, 0.1),
}

PARAMETERS: dict[str, dict[str, Any]] = {
    "LogisticRegression": {"C": PENALTY},
    "RidgeClassifier": {"alpha": PENALTY},
    "SGDClassifier": DESCENT | {"loss": ("hinge", "log_loss", "modified_huber")},
    "GaussianNB": {"var_smoothing": Range(low=1e-10, high=1.0, log=True)},
    "KNeighborsClassifier": NEIGHBOURS,
    "SVC": KERNEL,
    "LinearSVC": {"C": PENALTY},
    "DecisionTreeClassifier": TREE | {"criterion": ("gini", "entropy")},
    "RandomForestClassifier": FOREST_OF_CLASSES,
    "ExtraTreesClassifier": FOREST_OF_CLASSES,
    "GradientBoostingClassifier": BOOSTING,
    "HistGradientBoostingClassifier": HISTOGRAMS,
    "MLPClassifier": PERCEPTRON,
    "ConvolutionalNetworkClassifier": {
        "learning_rate": Range(low=3e-4, high=5e-3, log=True),
        "filters": (16, 32, 48),
        "dropout": Range(low=0.2, high=0.6),
    },
    "WideAndDeepClassifier": NETWORK,
    "TextNetworkClassifier": {
        "learning_rate": Range(low=3e-4, high=5e-3, log=True),
        "dropout": Range(low=0.3, high=0.7),
        "hidden": ((16,), (32,), (64,)),
    },
    "Ridge": {"alpha": PENALTY},
    "Lasso": {"alpha": PENALTY},
    "ElasticNet": {"alpha": PENALTY, "l1_ratio": Range(low=0.05, high=1.0)},
    "HuberRegressor": {"alpha": Range(low=1e-6, high=10.0, log=True), "epsilon": Range(low=1.05, high=3.0)},
    "SGDRegressor": DESCENT,
    "KNeighborsRegressor": NEIGHBOURS,
    "SVR": KERNEL | {"epsilon": Range(low=1e-3, high=1.0, log=True)},
    "LinearSVR": {"C": PENALTY},
    "DecisionTreeRegressor": {name: TREE[name] for name in ("min_samples_leaf", "max_features")},
    "RandomForestRegressor": FOREST,
    "ExtraTreesRegressor": FOREST,
    "GradientBoostingRegressor": BOOSTING,
    "HistGradientBoostingRegressor": HISTOGRAMS,
    "MLPRegressor": PERCEPTRON,
    "WideAndDeepRegressor": NETWORK,
}
"""What is tried of an estimator's parameters; of those that do not stand here there is nothing to try."""

PREPARED: dict[str, PreparationSpace] = dict.fromkeys(
    (
        "KNeighborsClassifier",
        "KNeighborsRegressor",
        "LogisticRegression",
        "MLPClassifier",
        "MLPRegressor",
        "Ridge",
        "RidgeClassifier",
        "SVC",
        "SVR",
    ),
    SCALES,
) | {"LinearDiscriminantAnalysis": SCALES, "LinearRegression": SCALES}
"""What is tried of how the inputs are prepared."""


def usual(estimator: str) -> Search | None:
    """Give what is worth trying of an estimator, or None where that is nothing."""
    parameters, prepared = PARAMETERS.get(estimator, {}), PREPARED.get(estimator, PreparationSpace())
    if not parameters and prepared == PreparationSpace():
        return None
    return Search(parameters=parameters, prepare=prepared)
