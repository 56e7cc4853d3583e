"""Whatever is fitted, and from wherever its rows come, is fitted to the chosen rows and to no others."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tasks.candidates import Candidate
from tasks.estimators import build
from tasks.fits import FOLDER, fit
from tasks.networking.fitting import CHECKPOINT
from tasks.records import Features, FeatureSet

COLUMNS = FeatureSet(target="y", roles={"x": "numeric", "place": "categorical"}, derived={})
CHOSEN = np.arange(120) % 3 != 0


@pytest.fixture
def features(store):
    number = np.arange(120)
    frame = pd.DataFrame({"x": number % 7.0, "place": np.where(number % 2, "shore", "hill"), "y": number % 7.0 + 1})
    frame.loc[~CHOSEN, "y"] = 1e6  # who looks at one of these learns something else
    return Features(
        train=store.keep_table(pa.Table.from_pandas(frame, preserve_index=False), "f"), columns=COLUMNS, folds=2
    )


def fitted(features, store, name, **parameters):
    frame = store.table(features.train).to_pandas()
    estimator = build(Candidate(name="tried", estimator=name, parameters=parameters), "regression", COLUMNS, 7)
    X = frame[["x", "place"]]
    fit(estimator, lambda: (X, frame["y"].to_numpy()), features, store, CHOSEN)
    return estimator.predict(X)


def test_an_estimator_sees_the_chosen_rows_alone(features, store):
    assert fitted(features, store, "DecisionTreeRegressor").max() == 7
    assert not (store.folder / FOLDER).exists()


def test_a_network_leaves_logs_and_no_checkpoint(features, store):
    assert fitted(features, store, "WideAndDeepRegressor", epochs=2, hidden=(4,)).max() < 100
    (folder,) = (store.folder / FOLDER).iterdir()
    assert folder.name.startswith("WideAndDeepRegressor-")
    assert not (folder / CHECKPOINT).exists()
    assert [path.name for path in folder.rglob("events.*")] != []


def test_fits_of_other_rows_or_parameters_keep_apart(features, store):
    for epochs in (1, 2, 2):
        fitted(features, store, "WideAndDeepRegressor", epochs=epochs, hidden=(4,))
    assert len(list((store.folder / FOLDER).iterdir())) == 2
