import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tasks.columns import FOLD, ROW
from tasks.featurize import features
from tasks.models import load
from tasks.problem import Candidate
from tasks.records import Features, FeatureSet, Trial
from tasks.train import train

pytestmark = pytest.mark.usefixtures("without_run_logger")

COLUMNS = FeatureSet(target="kind", roles={"x": "numeric", "twice": "numeric"}, derived={"twice": "2 * x"})
ROWS = pd.DataFrame(
    {
        "x": np.arange(40.0),
        "kind": ["newt", "frog"] * 20,
        ROW: np.arange(40, dtype="uint64") * np.uint64(2**58),
        FOLD: np.zeros(40, dtype="int16"),
    }
)


@pytest.fixture
def given(store):
    table = features(pa.RecordBatch.from_pandas(ROWS, preserve_index=False), COLUMNS)
    return Features(train=store.keep_table(table, "features"), columns=COLUMNS, folds=1)


def leaderboard(*candidates):
    return tuple(Trial(candidate=candidate, metric="accuracy", fold_scores=(0.5,)) for candidate in candidates)


def test_the_first_of_the_leaderboard_is_fitted_on_all_training_rows(given, store):
    trials = leaderboard(
        Candidate(name="neighbour", estimator="KNeighborsClassifier", parameters={"n_neighbors": 1}),
        Candidate(name="dummy", estimator="DummyClassifier"),
    )
    model = train.fn(given, given.train, trials, "classification", 7, store)
    assert (model.candidate.name, model.leaderboard, model.seed) == ("neighbour", trials, 7)
    assert model.classes == ("frog", "newt")
    assert model.trained_on == given.train
    # The nearest neighbour of a training row is itself, so every row was learnt.
    assert load(model, store).predict(ROWS[["x"]]).values.tolist() == ROWS["kind"].tolist()
    assert set(model.files) == {"model.skops"}
    assert model.libraries["python"]


def test_the_same_work_predicts_the_same(given, store):
    trials = leaderboard(Candidate(name="forest", estimator="RandomForestClassifier", parameters={"n_estimators": 9}))
    first, second = (
        load(train.fn(given, given.train, trials, "classification", 7, store), store).predict(ROWS) for _ in range(2)
    )
    np.testing.assert_array_equal(first.probabilities, second.probabilities)


def test_a_stored_model_predicts_on_one_thread(given, store):
    trials = leaderboard(Candidate(name="forest", estimator="RandomForestClassifier", parameters={"n_estimators": 9}))
    loaded = load(train.fn(given, given.train, trials, "classification", 7, store), store)
    assert loaded.estimator.steps[-1][1].n_jobs is None
