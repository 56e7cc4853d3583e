import optuna
import pytest

from tasks.candidates import Candidate, PreparationSpace, Range, Search
from tasks.searching.points import Dimension, candidate_at, dimensions, grid, size, start


def opened(estimator="RandomForestRegressor", **search):
    return Candidate(name="a", estimator=estimator, parameters={"bootstrap": False}, search=Search(**search))


def test_a_candidate_at_a_point_has_its_values_and_nothing_open():
    candidate = opened(
        parameters={"max_features": Range(low=0.1, high=1.0), "hidden": ((64,), (128, 64))},
        text={"min_df": (1, 2)},
        prepare=PreparationSpace(components=(4, "all"), scale=("none", "standard"), leave_out=((), ("x",))),
    )
    point = {
        "parameters.max_features": 0.333333333,
        "parameters.hidden": 1,
        "text.min_df": 0,
        "prepare.components": 1,
        "prepare.scale": 0,
        "prepare.leave_out": 1,
    }
    found = candidate_at(candidate, point)
    assert found.parameters == {"bootstrap": False, "max_features": 0.3333, "hidden": (128, 64)}
    assert found.text == {"min_df": 1}
    assert (found.components, found.scale, found.leave_out, found.search) == (None, "none", ("x",), None)
    assert Candidate.model_validate(found.model_dump()) == found
    assert candidate_at(candidate, point | {"prepare.components": 0}).components == 4


def test_without_a_point_a_candidate_is_as_it_is():
    candidate = opened(parameters={"max_features": (0.5, 1.0)})
    assert candidate_at(candidate, {}) == candidate.model_copy(update={"search": None})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (Range(low=1, high=4), (1, 2, 3, 4)),
        (Range(low=1, high=6, step=2), (1, 3, 5)),
        (Range(low=0.0, high=0.3, step=0.1), (0.0, 0.1, 0.2, 0.3)),
        (Range(low=0.0, high=0.3), None),
        (Range(low=1, high=4, log=True), None),
        (("a", None), ("a", None)),
    ],
)
def test_what_can_be_listed(values, expected):
    assert Dimension("parameters", "x", values).listed == expected


def test_a_grid_has_every_point_once():
    candidate = opened(
        parameters={"max_depth": Range(low=1, high=3)}, prepare=PreparationSpace(encode=("one-hot", "target"))
    )
    found = [candidate_at(candidate, point) for point in grid(candidate)]
    assert size(candidate) == len(found) == 6
    assert {(each.parameters["max_depth"], each.encode) for each in found} == {
        (depth, encode) for depth in (1, 2, 3) for encode in ("one-hot", "target")
    }
    assert size(opened(parameters={"max_features": Range(low=0.1, high=1.0)})) is None


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ({"parameters": {"max_features": Range(low=0.1, high=1.0)}}, {"parameters.max_features": 1.0}),
        ({"parameters": {"min_samples_leaf": Range(low=1, high=9)}}, {"parameters.min_samples_leaf": 1}),
        ({"parameters": {"n_estimators": (50, 100)}}, {"parameters.n_estimators": 1}),
        ({"parameters": {"n_estimators": Range(low=200, high=300)}}, None),  # 100 is left out on purpose
        ({"parameters": {"n_estimators": (200, 300)}}, None),
        ({"parameters": {"max_depth": Range(low=2, high=9)}}, {}),  # None is no number: tried beside
        ({"parameters": {"no_such": Range(low=2, high=9)}}, None),
        (
            {"prepare": {"components": [2, "all"], "scale": ["standard", "none"]}},
            {"prepare.scale": 1, "prepare.components": 1},
        ),
    ],
)
def test_a_search_starts_where_nothing_is_changed(search, expected):
    assert start(opened(**search), "regression") == expected


def test_what_optuna_proposes_is_a_number_of_the_range_or_a_place_in_the_list():
    candidate = opened(
        parameters={
            "max_features": Range(low=0.1, high=1.0),
            "min_samples_leaf": Range(low=1, high=20, log=True),
            "max_samples": Range(low=0.2, high=0.8, step=0.2),
            "n_estimators": (50, 100, 200),
            "criterion": ("squared_error", "absolute_error"),
        }
    )
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(30):
        asked = study.ask()
        values = candidate_at(
            candidate, {each.name: each.suggested(asked) for each in dimensions(candidate)}
        ).parameters
        assert 0.1 <= values["max_features"] <= 1.0
        assert values["min_samples_leaf"] in range(1, 21)
        assert values["max_samples"] in {0.2, 0.4, 0.6, 0.8}
        assert values["n_estimators"] in {50, 100, 200}
        assert values["criterion"] in {"squared_error", "absolute_error"}
    kinds = {name: type(kind).__name__ for name, kind in asked.distributions.items()}
    assert kinds["parameters.n_estimators"] == "IntDistribution"
    assert kinds["parameters.criterion"] == "CategoricalDistribution"
