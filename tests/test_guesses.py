"""What a column is taken for, and why."""

import numpy as np
import pandas as pd
import pytest

from tasks.drafting.guesses import guess_codes, guess_identity, guess_part, guess_task
from tasks.drafting.profile import profile, profiled
from tasks.errors import ProblemError

ROWS = 200


def column(values: object, name: str = "x"):
    return profile(pd.Series(values), name)


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["a", "b"] * 50, "classification"),
        ([True, False] * 50, "classification"),
        ([0, 1, 2, 3] * 50, "classification"),
        ([0.0, 1.0, None] * 50, "classification"),
        ([0.5, 1.5] * 50, "regression"),
        (range(100), "regression"),
        (list(range(9)) * 2, "regression"),
    ],
)
def test_the_task_goes_by_the_values_of_the_target(values: object, task: str) -> None:
    assert guess_task(column(values))[0] == task


def test_a_task_that_was_asked_for_is_taken() -> None:
    assert guess_task(column([0, 1, 2, 3] * 50), "regression")[0] == "regression"
    assert guess_task(column(list(range(30)) * 10), "classification")[0] == "classification"


@pytest.mark.parametrize(
    ("values", "asked", "sentence"),
    [
        (["2024-01-01", "2024-01-02"], None, "holds dates"),
        ([[1], [2]], None, "holds nested values"),
        ([None, None], None, "holds nothing"),
        (["a", "a"], None, "has one value, 'a', in all rows"),
        ([1.5, np.inf], None, "is infinite in 1 rows"),
        ([f"name {n}" for n in range(60)], None, "60 different texts in 60 rows"),
        (["a", "b"] * 9, "regression", "--task regression does not fit"),
        (range(200), "classification", "200 different values: too many for classes"),
    ],
)
def test_a_target_that_is_none_is_a_sentence(values: object, asked: object, sentence: str) -> None:
    with pytest.raises(ProblemError, match=sentence):
        guess_task(column(values), asked)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("frame", "identity"),
    [
        ({"PassengerId": range(7, 7 + ROWS), "x": [1] * ROWS}, ("PassengerId",)),
        ({"customer_id": [f"c{n}" for n in range(ROWS)]}, ("customer_id",)),
        ({"x": [1] * ROWS, "counted": range(1, ROWS + 1)}, ("counted",)),
        ({"reference": [f"R{n}" for n in range(ROWS)]}, ("reference",)),
        ({"day": pd.date_range("2024-01-01", periods=ROWS)}, ("day",)),
        ({"income": np.random.default_rng(0).permutation(10**6)[:ROWS]}, ()),
        ({"name": [f"Mr. John {n} Doe" for n in range(ROWS)]}, ()),
        ({"store_id": [1, 2] * (ROWS // 2)}, ()),
    ],
)
def test_a_unique_column_that_looks_like_an_identifier_is_the_identity(
    frame: dict[str, object], identity: tuple[str, ...]
) -> None:
    table = pd.DataFrame({**frame, "y": range(ROWS)})
    found, why = guess_identity(profiled(table), "y")
    assert found == identity
    assert f"{ROWS} rows" in why if identity else "all columns but the target" in why


@pytest.mark.parametrize(
    ("name", "values", "part", "why"),
    [
        ("y", [1, 2] * 100, "target", "as asked for"),
        ("key", range(ROWS), "identity", "makes a row the same row"),
        ("e", [None] * ROWS, "dropped", "no value"),
        ("c", [4] * ROWS, "dropped", "same value in all rows"),
        ("n", [[1]] * 99 + [[2]] * 101, "dropped", "lists"),
        ("when", ["2024-01-01", "2024-01-02"] * 100, "dropped", "dates"),
        ("colour", ["red", "blue", None, "red"] * 50, "categorical", "2 texts: blue, red; 50 missing"),
        ("comment", [f"it was number {n}" for n in range(ROWS)], "dropped", "free text with 200 different values"),
        ("ratio", [1.5, np.inf] * 100, "dropped", "infinite in 100 rows"),
        ("zip", [10115, 10117, 80331, 20095] * 50, "categorical", "a code"),
        ("store_id", [1, 2, 3, 4] * 50, "categorical", "a code"),
        ("StoreId", [1, 2, 3, 4] * 50, "categorical", "a code"),
        ("postcode", [*range(10_000, 10_100)] * 2, "dropped", "100 different numbers"),
        ("paid", [1, 2, 3, 4] * 50, "numeric", "1 to 4"),
        ("member", [True, False] * 100, "numeric", "true or false"),
        ("age", [1.5, None, 3.0, 80.0] * 50, "numeric", "1.5 to 80; 50 missing"),
    ],
)
def test_the_part_of_a_column_goes_by_its_looks(name: str, values: object, part: str, why: str) -> None:
    guess = guess_part(column(values, name), "y", ("key",))
    assert guess.part == part
    assert why in guess.why


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_numbers_whose_order_says_nothing_are_a_code(task: str) -> None:
    generator = np.random.default_rng(0)
    code = generator.integers(0, 6, 600)
    ordered = generator.integers(0, 6, 600)
    effect = np.array([5.0, -5, 5, -5, 5, -5])[code] + ordered
    y = (effect > 2).astype(int) if task == "classification" else effect + generator.normal(size=600)
    frame = pd.DataFrame({"code": code, "ordered": ordered})
    found = guess_codes(frame, y, task, list(profiled(frame).values()))  # type: ignore[arg-type]
    assert list(found) == ["code"]
    assert "6 whole numbers whose groups explain" in found["code"]
