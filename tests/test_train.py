import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tasks.candidates import Aim, Candidate, Member
from tasks.columns import FOLD, ROW
from tasks.errors import ProblemError
from tasks.featurize import features
from tasks.models import load
from tasks.out_of_fold import keep
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
    assert [(each.name, each.low, each.high) for each in model.inputs] == [("x", 0.0, 39.0)]
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


LOGISTIC = Candidate(name="logistic", estimator="LogisticRegression")


def with_shares(store, candidate=LOGISTIC):
    """Give a leaderboard of one trial, whose probability of a newt is above a quarter for every newt."""
    share = np.where(ROWS["kind"] == "newt", 0.3, 0.1) + 0.001 * np.arange(40)
    outside = keep(np.column_stack([1 - share, share]), store)
    return (Trial(candidate=candidate, metric="accuracy", fold_scores=(0.5,), out_of_fold=outside),)


def test_a_threshold_is_chosen_on_the_held_out_rows_and_decides(given, store):
    trials = with_shares(store)
    aim = Aim(positive="newt", best="f1")
    model = train.fn(given, given.train, trials, "classification", 7, store, aim)
    assert model.cutoff.positive == "newt"
    assert 0.139 < model.cutoff.threshold < 0.3
    assert "F1 1.0000; a half gives precision 0.0000" in model.cutoff.sentence
    found = load(model, store).predict(ROWS)
    expected = np.where(found.probabilities[:, 1] >= model.cutoff.threshold, "newt", "frog")
    assert found.values.tolist() == expected.tolist()
    plain = train.fn(given, given.train, trials, "classification", 7, store)
    assert plain.cutoff is None
    assert load(plain, store).predict(ROWS).values.tolist() != expected.tolist()


def test_an_ensemble_has_a_threshold_too(given, store):
    members = tuple(
        Member(candidate=each, weight=0.5) for each in (LOGISTIC, Candidate(name="b", estimator="GaussianNB"))
    )
    candidate = Candidate(name="together", estimator="EnsembleClassifier", members=members)
    trials = with_shares(store, candidate)
    model = train.fn(given, given.train, trials, "classification", 7, store, Aim(positive="newt", recall_at_least=0.9))
    found = load(model, store).predict(ROWS)
    assert (
        found.values.tolist() == np.where(found.probabilities[:, 1] >= model.cutoff.threshold, "newt", "frog").tolist()
    )


@pytest.mark.parametrize(
    ("aim", "estimator", "expected"),
    [
        (
            Aim(positive="toad", best="f1"),
            "LogisticRegression",
            "threshold.positive = 'toad' is no class; the target 'kind' has 2: 'frog', 'newt'.",
        ),
        (
            Aim(positive="newt", best="f1"),
            "LinearSVC",
            "threshold needs probabilities, which 'tried' (LinearSVC) does not give; declare calibrate = 'sigmoid' for "
            "this candidate, or leave it out.",
        ),
    ],
)
def test_a_threshold_that_cannot_be_chosen_is_a_sentence(given, store, aim, estimator, expected):
    trials = with_shares(store, Candidate(name="tried", estimator=estimator))
    with pytest.raises(ProblemError) as caught:
        train.fn(given, given.train, trials, "classification", 7, store, aim)
    assert str(caught.value) == expected


def test_a_calibrated_estimator_has_a_threshold(given, store):
    candidate = Candidate(name="svm", estimator="LinearSVC", calibrate="sigmoid")
    model = train.fn(
        given, given.train, with_shares(store, candidate), "classification", 7, store, Aim(positive="newt", best="f1")
    )
    assert model.cutoff.threshold == pytest.approx(0.22, abs=0.1)
