"""What people overlook: each is planted, found, said with its figures, and not said where it is not."""

import numpy as np
import pandas as pd
import pytest

from tasks.drafting.pitfalls import Pitfall, caps, giveaways, pitfalls
from tasks.drafting.profile import profiled

GENERATOR = np.random.default_rng(0)
ROWS = 1000
HARMLESS = pd.DataFrame(
    {
        "id": range(ROWS),
        "a": GENERATOR.normal(size=ROWS),
        "b": GENERATOR.integers(0, 90, ROWS),
        "c": GENERATOR.choice(["x", "y", "z"], ROWS),
        "y": GENERATOR.choice([0, 1], ROWS),
        "z": GENERATOR.normal(100, 5, ROWS),
    }
)


def found(frame: pd.DataFrame, target: str = "y", task: str = "classification") -> dict[str, Pitfall]:
    return {each.kind: each for each in pitfalls(frame, profiled(frame), target, task, ("id",))}  # type: ignore[arg-type]


def test_nothing_is_said_of_harmless_data() -> None:
    assert found(HARMLESS) == {}
    assert found(HARMLESS, "z", "regression") == {}
    assert giveaways(HARMLESS, HARMLESS["y"].to_numpy(), "classification", ["a", "b", "c"]) == []
    assert giveaways(HARMLESS, HARMLESS["z"].to_numpy(), "regression", ["a", "b", "c"]) == []


@pytest.mark.parametrize(
    ("kind", "name", "values", "said"),
    [
        ("constant column", "k", ["same"] * ROWS, "the same value ('same') in all rows"),
        ("empty column", "k", [None] * ROWS, "no value in any row"),
        ("many missing values", "k", [1.5, 2.5, None, None] * 250, "missing in 500 of 1,000 rows (50%)"),
        ("infinite numbers", "k", [np.inf, *GENERATOR.normal(size=999)], "infinite in 1 rows"),
        ("dates as text", "k", ["31.01.2024", "01.02.2024"] * 500, "dates as text (%d.%m.%Y)"),
        ("dates as text", "k", ["05/06/2024", "01/02/2024"] * 500, "cannot be told apart (%d/%m/%Y or %m/%d/%Y)"),
        ("capped values", "k", np.minimum(GENERATOR.normal(size=ROWS), 1.0), "are exactly 1, at most 1 share"),
        ("capped values", "k", np.maximum(GENERATOR.normal(size=ROWS), -1.25), "below"),
        ("imbalanced target", "y", [0] * 980 + [1] * 20, "only 20 of 1,000 rows (2.0%) are 1; always saying 0"),
        ("missing target", "y", [None] * 5 + [0, 1, 1, 0, 1] * 199, "missing in 5 of 1,000 rows"),
    ],
)
def test_what_is_planted_in_a_column_is_found(kind: str, name: str, values: object, said: str) -> None:
    pitfall = found(HARMLESS.assign(**{name: values}))[kind]
    assert pitfall.column == name
    assert said in pitfall.sentence


def test_a_skewed_target_is_named_and_a_usual_zero_is_no_cap() -> None:
    generator = np.random.default_rng(1)
    skewed = found(HARMLESS.assign(z=np.exp(generator.normal(0, 1.5, ROWS))), "z", "regression")
    assert "its mean is" in skewed["skewed target"].sentence
    assert caps(pd.Series(np.maximum(generator.normal(size=ROWS), 0)), "rain") == []
    assert caps(pd.Series([1, 2, 3] * 100), "grade") == []


def test_rows_that_say_the_same_are_counted() -> None:
    twice = HARMLESS.head(30).assign(id=range(ROWS, ROWS + 30), c=lambda rows: " " + rows["c"].str.upper())
    both = found(pd.concat([HARMLESS, twice], ignore_index=True))
    assert both["equal rows"].rows == 30
    contrary = HARMLESS.head(7).assign(id=range(ROWS, ROWS + 7), y=lambda rows: 1 - rows["y"])
    assert found(pd.concat([HARMLESS, contrary], ignore_index=True))["contrary rows"].rows == 7
    near = HARMLESS.head(9).assign(id=range(ROWS, ROWS + 9), b=-1)
    many = HARMLESS.assign(d=np.random.default_rng(1).normal(size=ROWS))
    assert found(pd.concat([many, near.assign(d=many["d"])], ignore_index=True))["near-equal rows"].rows == 9


LEAKS = {
    "copy": HARMLESS["y"],
    "text": HARMLESS["y"].map({0: "no", 1: "yes"}),
    "shifted": HARMLESS["y"] * 7.5 + GENERATOR.normal(0, 0.1, ROWS),
    "known_afterwards": HARMLESS["a"].where(HARMLESS["y"] == 1),
}


@pytest.mark.parametrize("name", LEAKS)
def test_a_column_that_gives_a_class_away_is_found(name: str) -> None:
    frame = HARMLESS.assign(**{name: LEAKS[name]})
    told = giveaways(frame, frame["y"].to_numpy(), "classification", ["a", "b", "c", name])
    assert [each.column for each in told] == [name]
    assert "balanced accuracy" in told[0].sentence
    assert giveaways(frame, frame["y"].to_numpy(), "classification", [name]) == [], "the only feature there is"


@pytest.mark.parametrize(
    ("name", "leak"),
    [
        ("fahrenheit", HARMLESS["z"] * 1.8 + 32),
        ("logarithm", np.log(HARMLESS["z"])),
        ("negative", -HARMLESS["z"]),
        ("folded", (HARMLESS["z"] - 100) ** 2 * np.sign(HARMLESS["z"] - 100)),
    ],
)
def test_a_column_that_gives_a_number_away_is_found(name: str, leak: pd.Series) -> None:
    frame = HARMLESS.assign(**{name: leak})
    told = giveaways(frame, frame["z"].to_numpy(), "regression", ["a", "b", "c", name])
    assert [each.column for each in told] == [name]
