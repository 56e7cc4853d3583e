"""Values that can be declared for candidates; what is wrong with a whole problem file is told in test_problem."""

import pytest
from pydantic import ValidationError

from tasks.candidates import (
    ESTIMATORS,
    TRANSFORMERS,
    Aim,
    Candidate,
    Ensemble,
    Range,
    Search,
    check_candidates,
    check_ensembles,
)

RIDGE = Candidate(name="ridge", estimator="Ridge")


@pytest.mark.parametrize(("low", "high", "whole"), [(1, 9, True), (1.0, 9, False), (1, 9.0, False), (0.5, 0.75, False)])
def test_a_range_is_of_whole_numbers_where_both_ends_are(low, high, whole):
    assert Range(low=low, high=high).whole is whole


@pytest.mark.parametrize("table", [ESTIMATORS["classification"], ESTIMATORS["regression"], TRANSFORMERS])
def test_everything_that_can_be_named_is_there(table):
    import importlib

    for name, module in table.items():
        assert hasattr(importlib.import_module(module), name)


def test_a_list_of_lists_are_values_and_a_table_is_a_range():
    search = Search.model_validate({"parameters": {"hidden": [[64], [128, 64]], "alpha": {"low": 0.1, "high": 1.0}}})
    assert search.parameters["hidden"] == ((64,), (128, 64))
    assert isinstance(search.parameters["alpha"], Range)


def test_a_search_survives_being_written_down():
    search = Search.model_validate({"trials": 3, "parameters": {"alpha": {"low": 1, "high": 9}, "solver": ["svd"]}})
    candidate = RIDGE.model_copy(update={"search": search})
    assert Candidate.model_validate_json(candidate.model_dump_json()) == candidate


@pytest.mark.parametrize(
    "aim", [{"positive": "yes", "best": "f1"}, {"positive": 1, "recall_at_least": 0.9}, {"costs": [[0, 1], [5, 0]]}]
)
def test_an_aim_is_one_thing(aim):
    assert Aim.model_validate(aim).model_dump(exclude_defaults=True).keys() == aim.keys()


@pytest.mark.parametrize(
    "aim", [{}, {"positive": "yes"}, {"costs": [[0, 1]]}, {"costs": [[0, 1], [1, 0]], "best": "f1"}]
)
def test_an_aim_that_is_none_or_two_is_refused(aim):
    with pytest.raises(ValidationError):
        Aim.model_validate(aim)


def test_candidates_that_fit_pass():
    check_candidates("regression", [RIDGE], [], None)
    check_ensembles([RIDGE], [Ensemble(name="mean", kind="average", of=("ridge",))])


def test_an_ensemble_of_a_portfolio_is_checked_once_that_is_known():
    ensemble = Ensemble(name="mean", kind="average", of=("linear",))
    check_ensembles([], [ensemble])
    with pytest.raises(ValueError, match=r"ensembles\.of = 'linear' is no candidate; the candidates: ridge"):
        check_ensembles([RIDGE], [ensemble])
