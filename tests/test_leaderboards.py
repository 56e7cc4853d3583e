import numpy as np
import pytest

from tasks.candidates import Candidate, Member
from tasks.errors import ProblemError
from tasks.leaderboards import ranked, standard_error
from tasks.records import Cost, Trial


def trial(name, scores, metric="rmse", problem=None):
    candidate = Candidate(name=name, estimator="Ridge")
    return Trial(candidate=candidate, metric=metric, fold_scores=tuple(scores), problem=problem)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("rmse", ["low", "middle", "high"]),
        ("log_loss", ["low", "middle", "high"]),
        ("accuracy", ["high", "middle", "low"]),
    ],
)
def test_best_first_and_failed_last(metric, expected):
    trials = [
        trial("broken", [], metric, "it diverged"),
        trial("middle", [0.5, 0.5], metric),
        trial("high", [0.2, 1.4], metric),
        trial("low", [0.4, 0.4], metric),
        trial("also-broken", [], metric, "no memory"),
    ]
    assert [t.candidate.name for t in ranked(trials)] == [*expected, "broken", "also-broken"]


def test_equal_scores_stay_in_the_order_of_the_declaration():
    trials = [trial(name, [0.5], "accuracy") for name in ("first", "second", "third")]
    assert ranked(trials) == tuple(trials)


def test_no_scored_candidate_is_a_sentence_with_the_reasons():
    with pytest.raises(ProblemError) as caught:
        ranked([trial("a", [], problem="it diverged"), trial("b", [], problem="no memory")])
    assert str(caught.value) == "No candidate could be trained (a: it diverged; b: no memory)."


def test_a_pruned_trial_has_no_score_and_is_no_reason():
    pruned = trial("early", [0.1]).model_copy(update={"pruned": True})
    assert [each.candidate.name for each in ranked([pruned, trial("late", [0.9])])] == ["late", "early"]
    with pytest.raises(ProblemError, match=r"^No candidate could be trained \(a: it diverged\)\.$"):
        ranked([pruned, trial("a", [], problem="it diverged")])


def test_a_standard_error_is_that_of_the_mean_of_the_folds():
    scores = [3.0, 4.0, 8.0]
    assert standard_error(trial("a", scores)) == pytest.approx(np.std(scores, ddof=1) / np.sqrt(3))
    assert standard_error(trial("a", [3.0])) == 0


def of(estimator, scores, megabytes=1.0, metric="rmse", members=0):
    cost = Cost(fit_seconds=1, predict_milliseconds=1, megabytes=megabytes)
    member = Member(candidate=Candidate(name="m", estimator="Ridge"), weight=0.5)
    candidate = Candidate(name=estimator.lower(), estimator=estimator, members=(member,) * members)
    return Trial(candidate=candidate, metric=metric, fold_scores=tuple(scores), cost=cost)


BEST = of("EnsembleRegressor", [9.0, 10.0, 11.0], members=3)  # 10 with a standard error of 0.577


def test_the_simplest_within_a_standard_error_is_taken_and_the_rest_stays_best_first():
    forest, linear = of("RandomForestRegressor", [10.2, 10.3, 10.4]), of("Ridge", [10.4, 10.5, 10.6])
    poor = of("DummyRegressor", [20, 21, 22])
    found = ranked([forest, poor, linear, BEST], "simplest")
    assert found == (linear, BEST, forest, poor)
    assert ranked([forest, poor, linear, BEST]) == (BEST, forest, linear, poor)


def test_what_is_worse_by_more_than_a_standard_error_is_not_taken():
    worse = of("Ridge", [10.6, 10.6, 10.6])
    assert ranked([worse, BEST], "simplest")[0] == BEST


def test_of_two_of_a_kind_the_smaller_is_taken_and_of_ensembles_that_of_fewer_members():
    large, small = of("RandomForestRegressor", [10.1] * 3, 90), of("ExtraTreesRegressor", [10.2] * 3, 30)
    assert ranked([large, small, BEST], "simplest")[0] == small
    fewer = of("EnsembleRegressor", [10.3] * 3, 90, members=2)
    assert ranked([fewer, BEST], "simplest")[0] == fewer


def test_greater_may_be_better():
    best = of("SVC", [0.97, 0.98, 0.99], metric="accuracy")
    linear, worse = (
        of("LogisticRegression", [0.975] * 3, metric="accuracy"),
        of("GaussianNB", [0.9] * 3, metric="accuracy"),
    )
    assert ranked([worse, best, linear], "simplest") == (linear, best, worse)


def test_a_single_fold_has_no_standard_error_so_the_best_is_taken():
    best, linear = of("SVR", [1.0]), of("Ridge", [1.0001])
    assert ranked([linear, best], "simplest")[0] == best
