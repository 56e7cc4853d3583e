import pytest

from tasks.candidates import Candidate, PreparationSpace, Range, Search, SearchRule
from tasks.searching.plan import TRIALS, planned
from tasks.searching.ranges import usual

FOREST = Candidate(name="forest", estimator="RandomForestRegressor")
RIDGE = Candidate(name="ridge", estimator="Ridge")
OWN = Search(parameters={"alpha": Range(low=0.1, high=10.0, log=True)})


def only(candidate, rule=None):
    (found,) = planned([candidate], rule)
    return found.search


def test_without_a_search_there_is_one_trial():
    assert planned([FOREST, RIDGE], None) == (FOREST, RIDGE)


def test_a_rule_searches_every_candidate_that_leaves_anything_open():
    naive = Candidate(name="dummy", estimator="DummyRegressor")
    fixed = RIDGE.model_copy(update={"parameters": {"alpha": 1.0}, "scale": "standard"})
    found = planned([FOREST, naive, fixed], SearchRule(trials=12))
    assert found[0].search.parameters == usual("RandomForestRegressor").parameters
    assert (found[0].search.strategy, found[0].search.trials, found[0].search.minutes) == ("bayesian", 12, None)
    assert found[1:] == (naive, fixed)


def test_what_a_candidate_fixes_is_not_searched():
    found = only(FOREST.model_copy(update={"parameters": {"max_features": 8}}), SearchRule())
    assert "max_features" not in found.parameters
    assert found.parameters
    assert only(RIDGE.model_copy(update={"scale": "robust"}), SearchRule()).prepare == PreparationSpace()


def test_an_empty_search_takes_the_usual_ranges_without_a_rule_too():
    found = only(FOREST.model_copy(update={"search": Search(trials=5)}))
    assert found.parameters == usual("RandomForestRegressor").parameters
    assert (found.strategy, found.trials) == ("bayesian", 5)


def test_what_is_declared_stays_as_it_is():
    found = only(RIDGE.model_copy(update={"search": OWN}))
    assert found == OWN.model_copy(update={"strategy": "bayesian", "trials": TRIALS})


@pytest.mark.parametrize(
    ("own", "rule", "expected"),
    [
        ({}, {"strategy": "random", "trials": 7}, ("random", 7, None)),
        ({"strategy": "bayesian", "trials": 9}, {"strategy": "random", "trials": 7}, ("bayesian", 9, None)),
        ({"minutes": 3.0}, {"trials": 7, "minutes": 50.0}, ("bayesian", None, 3.0)),
        ({"trials": 9}, {"minutes": 50.0}, ("bayesian", 9, None)),
        ({}, {"minutes": 50.0}, ("bayesian", None, 50.0)),
        ({}, {"minutes": 50.0, "trials": 8}, ("bayesian", 8, 50.0)),
        ({"strategy": "grid"}, {}, ("grid", None, None)),
    ],
)
def test_what_a_candidate_does_not_say_the_rule_says(own, rule, expected):
    found = only(RIDGE.model_copy(update={"search": OWN.model_copy(update=own)}), SearchRule(**rule))
    assert (found.strategy, found.trials, found.minutes) == expected


def test_minutes_are_shared_among_the_candidates_that_are_searched():
    naive = Candidate(name="dummy", estimator="DummyRegressor")
    found = planned([FOREST, naive, RIDGE.model_copy(update={"search": OWN})], SearchRule(minutes=10))
    assert [each.search and each.search.minutes for each in found] == [5.0, None, 5.0]
