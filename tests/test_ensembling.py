import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tasks.candidates import Candidate, Ensemble
from tasks.columns import FOLD, ROW
from tasks.ensembling import NO_GAIN, combined
from tasks.out_of_fold import keep, read
from tasks.records import Cost, Features, FeatureSet, Trial

ROWS = 300
RANDOM = np.random.default_rng(1000)
NUMBER = RANDOM.normal(50, 10, ROWS)
LABEL = np.array(["frog", "newt", "toad"])[RANDOM.integers(0, 3, ROWS)]
AVERAGE, GREEDY, STACK = (Ensemble(name=kind, kind=kind) for kind in ("average", "greedy", "stack"))


@pytest.fixture
def given(store):
    def features(target=NUMBER, fold=None, folds=3, *, forward=False):
        frame = pd.DataFrame({"y": target, ROW: np.arange(ROWS, dtype="uint64")})
        frame[FOLD] = (np.arange(ROWS) % folds if fold is None else fold).astype("int16")
        table = store.keep_table(pa.Table.from_pandas(frame, preserve_index=False), "features")
        columns = FeatureSet(target="y", roles={}, derived={})
        return Features(train=table, columns=columns, folds=folds, forward=forward)

    return features


def rmse(values, features, store):
    fold = store.table(features.train)[FOLD].to_numpy()
    errors = (np.asarray(values).ravel() - NUMBER) ** 2
    return tuple(float(np.sqrt(errors[fold == number].mean())) for number in range(features.folds))


def trial(name, values, features, store, *, number=1, estimator="Ridge", seconds=1.0):
    """Give the trial of a regressor that predicted these values for the training rows."""
    return Trial(
        candidate=Candidate(name=name, estimator=estimator, parameters={"alpha": float(number)}),
        number=number,
        metric="rmse",
        fold_scores=rmse(values, features, store),
        cost=Cost(fit_seconds=seconds, predict_milliseconds=2.0, megabytes=0.5),
        out_of_fold=keep(np.asarray(values).reshape(len(NUMBER), -1), store),
    )


def noisy(scale, seed):
    return NUMBER + np.random.default_rng(seed).normal(0, scale, ROWS)


@pytest.fixture
def three(given, store):
    features = given()
    trials = [trial(name, noisy(5, seed), features, store) for seed, name in enumerate("abc")]
    return features, trials


@pytest.mark.parametrize("ensemble", [AVERAGE, GREEDY, STACK], ids=lambda each: each.kind)
def test_three_different_models_are_better_together(three, store, ensemble):
    features, trials = three
    found = combined(ensemble, trials, features, "rmse", store)
    assert found.problem is None
    assert (found.candidate.name, found.candidate.estimator) == (ensemble.name, "EnsembleRegressor")
    assert {member.candidate.name for member in found.candidate.members} == set("abc")
    assert found.mean < 0.7 * min(each.mean for each in trials)
    values = read(found.out_of_fold, store)
    assert found.fold_scores == pytest.approx(rmse(values, features, store))
    assert found.cost == Cost(fit_seconds=3.0, predict_milliseconds=6.0, megabytes=1.5)


def test_the_same_trials_give_the_same_ensemble(three, store):
    features, trials = three
    for ensemble in (AVERAGE, GREEDY, STACK):
        first, second = (combined(ensemble, trials, features, "rmse", store) for _ in range(2))
        assert first == second


def test_the_score_of_a_fold_rests_on_weights_of_the_others(given, store):
    """In the first fold one model is perfect, elsewhere the other is: weights of other folds say the opposite."""
    features = given(folds=2)
    fold = np.arange(ROWS) % 2
    first, second = np.where(fold == 0, NUMBER, noisy(5, 1)), np.where(fold == 1, NUMBER, noisy(5, 2))
    trials = [trial("a", first, features, store), trial("b", second, features, store)]
    found = combined(GREEDY, trials, features, "rmse", store)
    # On the second fold alone "b" is perfect, so the first fold gets "b" alone, where it is worst.
    expected = rmse(np.where(fold == 0, second, first), features, store)
    assert found.fold_scores == pytest.approx(expected)


def test_only_named_candidates_take_part(three, store):
    features, trials = three
    chosen = Ensemble(name="some", kind="average", of=("a", "c"))
    found = combined(chosen, trials, features, "rmse", store)
    assert {member.candidate.name for member in found.candidate.members} == {"a", "c"}


def test_of_one_candidate_the_two_best_trials_take_part_at_most(given, store):
    features = given()
    many = [trial("a", noisy(3 + seed / 10, seed), features, store, number=seed + 1) for seed in range(6)]
    other = trial("b", noisy(5, 99), features, store)
    best = sorted(many, key=lambda each: each.mean)[:2]
    found = combined(Ensemble(name="all", kind="stack", members=10), [*many, other], features, "rmse", store)
    chosen = [member.candidate for member in found.candidate.members if member.candidate.name == "a"]
    assert len(chosen) == 2
    assert all(each in [one.candidate for one in best] for each in chosen)


def test_near_duplicates_count_once(given, store):
    features = given()
    first = noisy(5, 1)
    trials = [trial("a", first, features, store), trial("b", first + 0.01, features, store)]
    found = combined(AVERAGE, trials, features, "rmse", store)
    assert found.problem == "an ensemble needs two scored models whose errors differ, and there are 1"
    assert found.fold_scores == ()
    assert not found.scored


def test_failed_and_pruned_trials_and_those_without_predictions_do_not_count(three, store):
    features, (one, *rest) = three
    useless = [
        rest[0].model_copy(update={"pruned": True}),
        rest[0].model_copy(update={"problem": "it diverged"}),
        rest[1].model_copy(update={"out_of_fold": None}),
    ]
    chosen = Ensemble(name="some", kind="stack", of=("a", "b"))
    found = combined(chosen, [one, *useless], features, "rmse", store)
    assert found.problem == "an ensemble needs two scored models whose errors differ, and there are 1 among a, b"


def test_an_ensemble_of_one_is_none(given, store):
    features = given()
    trials = [trial("a", NUMBER, features, store), trial("b", noisy(9, 1), features, store)]
    assert combined(GREEDY, trials, features, "rmse", store).problem == NO_GAIN


def test_rows_that_were_never_held_out_are_left_out(given, store):
    fold = np.arange(ROWS) // 75 - 1
    features = given(fold=fold, forward=True)
    values = [np.where(fold < 0, np.nan, noisy(5, seed)) for seed in range(3)]
    trials = [trial(name, each, features, store) for name, each in zip("abc", values, strict=True)]
    for ensemble in (AVERAGE, GREEDY, STACK):
        found = combined(ensemble, trials, features, "rmse", store)
        assert found.mean < min(each.mean for each in trials)
        assert len(found.fold_scores) == 3
        outside = read(found.out_of_fold, store)
        assert np.isnan(outside[fold < 0]).all()
        assert np.isfinite(outside[fold >= 0]).all()


def test_a_validation_part_is_scored_once_and_cross_fitted_within(given, store):
    """Of noise weights that saw their own rows would make something."""
    fold = np.where(np.arange(ROWS) < 200, 0, -1)
    features = given(fold=fold, folds=1)
    guesses = [50 + np.random.default_rng(seed).normal(0, 10, ROWS) for seed in range(8)]
    trials = [trial(f"g{seed}", each, features, store) for seed, each in enumerate(guesses)]
    found = combined(Ensemble(name="all", kind="stack", members=8), trials, features, "rmse", store)
    assert found.problem is None
    assert len(found.fold_scores) == 1
    assert found.mean > 0.98 * NUMBER[:200].std()


def shares(sharpness, seed):
    scores = np.random.default_rng(seed).normal(size=(ROWS, 3))
    scores += sharpness * (LABEL[:, None] == np.array(["frog", "newt", "toad"]))
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


def of_classes(name, outputs, store, metric="accuracy"):
    guessed = np.array(["frog", "newt", "toad"])[outputs.argmax(axis=1)] == LABEL
    scores = tuple(float(guessed[np.arange(ROWS) % 3 == number].mean()) for number in range(3))
    candidate = Candidate(name=name, estimator="SVC")
    return Trial(candidate=candidate, metric=metric, fold_scores=scores, out_of_fold=keep(outputs, store))


@pytest.mark.parametrize("ensemble", [AVERAGE, GREEDY, STACK], ids=lambda each: each.kind)
def test_probabilities_and_votes_are_combined(given, store, ensemble):
    features = given(LABEL)
    votes = (shares(1.4, 5).argmax(axis=1)[:, None] == np.arange(3)).astype("float64")
    outputs = {"a": shares(1.2, 1), "b": shares(1.3, 2), "c": shares(1.1, 3), "votes": votes}
    trials = [of_classes(name, each, store) for name, each in outputs.items()]
    found = combined(ensemble, trials, features, "accuracy", store)
    assert found.candidate.estimator == "EnsembleClassifier"
    assert found.mean > max(each.mean for each in trials)
    assert sum(member.weight for member in found.candidate.members) == pytest.approx(1)
    assert found.cost is None
    np.testing.assert_allclose(read(found.out_of_fold, store).sum(axis=1), 1)


def test_outputs_of_another_shape_or_with_gaps_do_not_count(given, store):
    features = given(LABEL)
    gaps = shares(1.2, 1)
    gaps[3] = np.nan
    trials = [of_classes("a", gaps, store), of_classes("b", shares(1.3, 2), store)]
    two = of_classes("c", shares(1.3, 2), store).model_copy(update={"out_of_fold": keep(shares(1, 4)[:, :2], store)})
    found = combined(AVERAGE, [*trials, two], features, "accuracy", store)
    assert "there are 1" in found.problem
