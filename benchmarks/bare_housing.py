"""Bare housing: the script that a good practitioner would write instead; `overhead.py` runs it and times it.

The same rows, derived columns, pipelines, candidates and number of folds as the flow that it is compared with. All fits
of the cross-validation go through one joblib pool, one core a fit, so both cores are busy to the end; the last fit uses
all cores. What it does not do: expectations, digests, records, verdicts, anything after a crash.

Usage: python bare_housing.py ARCHIVE MODEL (reads housing.csv from the archive, writes the model, prints JSON).
"""

from __future__ import annotations

import json
import sys
import tarfile
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import sklearn.ensemble
from joblib import Parallel, delayed
from scipy.stats import bootstrap
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold, StratifiedShuffleSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

SEED, FOLDS, RESAMPLES = 42, 5, 2000
TARGET, PLACE = "median_house_value", "ocean_proximity"
BINS = [1.5, 3.0, 4.5, 6.0]
DERIVED = {
    "rooms_per_household": "total_rooms / households",
    "bedrooms_per_room": "total_bedrooms / total_rooms",
    "population_per_household": "population / households",
    "along_coast": "0.7071 * longitude + 0.7071 * latitude",
    "towards_inland": "0.7071 * longitude - 0.7071 * latitude",
    "to_los_angeles": "sqrt((longitude + 118.24) ** 2 + (latitude - 34.05) ** 2)",
    "to_san_francisco": "sqrt((longitude + 122.42) ** 2 + (latitude - 37.77) ** 2)",
    "to_san_jose": "sqrt((longitude + 121.89) ** 2 + (latitude - 37.34) ** 2)",
    "to_san_diego": "sqrt((longitude + 117.16) ** 2 + (latitude - 32.72) ** 2)",
}
CANDIDATES: dict[str, dict[str, Any]] = {
    "RandomForestRegressor": {"n_estimators": 400, "max_features": 8},
    "HistGradientBoostingRegressor": {
        "learning_rate": 0.02,
        "max_iter": 2000,
        "max_leaf_nodes": 63,
        "max_features": 0.4,
        "l2_regularization": 5.0,
        "early_stopping": False,
    },
}


def read(archive: Path) -> pd.DataFrame:
    """Give the districts with their derived columns."""
    with tarfile.open(archive) as opened:
        rows = pd.read_csv(opened.extractfile("housing.csv"))
    return rows.assign(**{name: rows.eval(expression) for name, expression in DERIVED.items()})


def split(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give training and test rows, stratified by five bands of income."""
    bands = np.digitize(rows["median_income"], BINS, right=True)
    shuffle = StratifiedShuffleSplit(n_splits=1, test_size=0.2, random_state=SEED)
    train, test = next(shuffle.split(rows, bands))
    return rows.iloc[train], rows.iloc[test]


def pipeline(name: str, columns: list[str]) -> Pipeline:
    """Give a candidate: numbers filled with their medians where the estimator needs it, the place one-hot encoded."""
    numeric = "passthrough" if name.startswith("Hist") else SimpleImputer(strategy="median")
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    numbers = [column for column in columns if column != PLACE]
    prepare = ColumnTransformer([("numeric", numeric, numbers), ("categorical", encoder, [PLACE])])
    estimator = getattr(sklearn.ensemble, name)(random_state=SEED, **CANDIDATES[name])
    return Pipeline([("prepare", prepare), ("estimate", estimator)])


def root_mean_square(errors: np.ndarray, axis: int = -1) -> Any:
    """Give the RMSE of prediction errors along an axis."""
    return np.sqrt((errors**2).mean(axis=axis))


def fold_score(model: Pipeline, X: pd.DataFrame, y: np.ndarray, train: np.ndarray, held_out: np.ndarray) -> float:
    """Give the RMSE on the held-out rows of a model fitted on the others."""
    model.fit(X.iloc[train], y[train])
    return float(root_mean_square(model.predict(X.iloc[held_out]) - y[held_out]))


def compare(X: pd.DataFrame, y: np.ndarray) -> dict[str, float]:
    """Give the mean RMSE of the folds for each candidate."""
    places = list(KFold(FOLDS, shuffle=True, random_state=SEED).split(X))
    models = {name: pipeline(name, list(X)) for name in CANDIDATES}
    scores = Parallel(n_jobs=-1)(
        delayed(fold_score)(clone(m), X, y, *place) for m in models.values() for place in places
    )
    return dict(zip(models, np.reshape(scores, (len(models), FOLDS)).mean(axis=1).tolist(), strict=True))


def refit(name: str, X: pd.DataFrame, y: np.ndarray) -> Pipeline:
    """Give the best candidate fitted on all training rows with all cores."""
    model = pipeline(name, list(X))
    if "n_jobs" in model[-1].get_params():
        model.set_params(estimate__n_jobs=-1)
    return model.fit(X, y)


def main() -> None:
    """Compare, refit, score, save; print the best candidate and its test RMSE with a 95 % bootstrap interval."""
    archive, target = map(Path, sys.argv[1:])
    train, test = split(read(archive))
    X, y = train.drop(columns=TARGET), train[TARGET].to_numpy()
    means = compare(X, y)
    best = min(means, key=lambda name: means[name])
    model = refit(best, X, y)
    errors = model.predict(test.drop(columns=TARGET)) - test[TARGET].to_numpy()
    settings = {"n_resamples": RESAMPLES, "method": "percentile", "vectorized": True, "batch": 500}
    interval = bootstrap((errors,), root_mean_square, rng=np.random.default_rng(SEED), **settings).confidence_interval
    joblib.dump(model, target)
    found = {"best": best, "cv": means, "test_rmse": float(root_mean_square(errors))}
    print(json.dumps(found | {"test_rmse_interval": [float(interval.low), float(interval.high)]}))


if __name__ == "__main__":
    main()
