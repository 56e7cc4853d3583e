import pytest

from tasks.gate import Behaviour, Gate, Slice


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"bins": [2.0, 1.0]}, "bins must rise"),
        ({"bins": [1.0], "newest": "3 days"}, "exclude each other"),
        ({"newest": "soon"}, "not a period"),
    ],
)
def test_a_slice_that_contradicts_itself_is_refused(declared: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Slice.model_validate({"name": "a", "by": "x", **declared})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"multiply": 1.5, "prediction": "not higher"}, "multiplying income by 1.5: the prediction is not higher"),
        (
            {"replace": "x", "prediction": "same", "of": "yes"},
            "replacing income by x: the probability of yes is same",
        ),
    ],
)
def test_a_behaviour_is_said_in_words(change: dict[str, object], words: str) -> None:
    assert Behaviour.model_validate({"column": "income", **change}).sentence == words


def test_a_behaviour_changes_one_thing_in_one_way() -> None:
    for change in ({}, {"add": 1, "multiply": 2}):
        with pytest.raises(ValueError, match="exactly one of add, multiply and replace"):
            Behaviour.model_validate({"column": "income", "prediction": "same", **change})


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"minimum_gain": 0.01}, "fits promote_when = 'better' only"),
        ({"slices": [{"name": "a", "by": "x"}, {"name": "a", "by": "y"}]}, "'a' stands twice"),
        ({"margin": 0}, "greater than 0"),
        ({"confidence": 0.4}, "greater than 0.5"),
    ],
)
def test_a_gate_that_contradicts_itself_is_refused(declared: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Gate.model_validate(declared)
