"""How a problem is set up: strata with enough rows, candidates by size, a gate that small data can meet."""

import numpy as np
import pandas as pd

from tasks.drafting.plans import fewest_test_rows, guess_strata, portfolio, quantile_bins
from tasks.estimators import build
from tasks.records import FeatureSet


def test_strata_are_the_classes_while_each_has_enough_rows() -> None:
    frame = pd.DataFrame({"id": range(100), "y": ["a"] * 90 + ["b"] * 10})
    assert guess_strata(frame, "y", "classification", [], ["id"]).column == "y"
    few = guess_strata(frame.head(99), "y", "classification", [], ["id"])
    assert few.column is None
    assert "smallest class has 9 different rows" in few.why


def test_rows_equal_in_identity_count_once_for_strata() -> None:
    frame = pd.DataFrame({"id": [*range(90), *[90] * 10], "y": ["a"] * 90 + ["b"] * 10})
    assert guess_strata(frame, "y", "classification", [], ["id"]).column is None


def test_strata_of_a_numeric_target_are_bands_of_its_strongest_predictor() -> None:
    generator = np.random.default_rng(0)
    strong, weak = generator.normal(size=(2, 1000))
    frame = pd.DataFrame({"id": range(1000), "weak": weak, "strong": strong})
    frame["y"] = strong + 0.3 * weak + 0.1 * generator.normal(size=1000)
    found = guess_strata(frame, "y", "regression", ["weak", "strong"], ["id"])
    assert found.column == "strong"
    assert len(found.bins) == 4
    assert pd.cut(frame["strong"], [-np.inf, *found.bins, np.inf]).value_counts().min() > 150
    assert guess_strata(frame, "weak", "regression", ["strong"], ["id"]).column is None


def test_bands_have_enough_rows_or_are_none() -> None:
    assert len(quantile_bins(pd.Series(range(1000)))) == 4
    assert len(quantile_bins(pd.Series(range(50)))) == 1
    assert quantile_bins(pd.Series(range(30))) == ()
    assert quantile_bins(pd.Series([0] * 990 + list(range(10)))) == ()
    assert quantile_bins(pd.Series([*range(1000), None])) == (), "the missing one would be a stratum by itself"


def test_candidates_fit_their_task_and_size() -> None:
    columns = FeatureSet(target="y", roles={"x": "numeric"}, derived={})
    for task in ("classification", "regression"):
        for rows in (100, 1_000_000):
            found = portfolio(task, rows, 2)  # type: ignore[arg-type]
            assert next(candidate.name for candidate in found) == "dummy"
            assert all(build(candidate, task, columns, 1) for candidate in found)  # type: ignore[arg-type]
    assert "boosting" not in {candidate.name for candidate in portfolio("classification", 1000, 30)}


def test_the_gate_asks_for_no_more_test_rows_than_there_are() -> None:
    assert fewest_test_rows(1000) is None
    for rows in range(20, 200):
        assert (fewest_test_rows(rows) or 30) <= round(rows * 0.2) - rows // 100
