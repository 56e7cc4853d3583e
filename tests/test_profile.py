"""What a column looks like, by its values rather than by the type in which they arrived."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest

from tasks.drafting.profile import date_formats, plain, profile, profiled


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2, 3], "whole"),
        ([1.0, 2.0, None], "whole"),
        ([1.5, 2.0], "number"),
        ([decimal.Decimal("1.5"), decimal.Decimal(2)], "number"),
        ([True, False], "truth"),
        ([True, None, False], "truth"),
        (["a", "b"], "text"),
        (["2024-01-31", "2024-02-01"], "date"),
        (["31.01.2024", "01.02.2024"], "date"),
        ([datetime.date(2024, 1, 31), None], "date"),
        (pd.to_datetime(["2024-01-31"]), "date"),
        ([[1, 2], [3]], "nested"),
        ([{"a": 1}, None], "nested"),
        ([None, None], "empty"),
        ([np.nan, np.nan], "empty"),
        ([1.0, np.inf], "number"),
    ],
)
def test_a_kind_goes_by_the_values(values: object, kind: str) -> None:
    assert profile(pd.Series(values), "x").kind == kind


def test_a_profile_counts_what_is_there() -> None:
    found = profile(pd.Series([3.0, 1.0, np.nan, 3.0, np.inf, -np.inf]), "x")
    assert (found.rows, found.missing, found.infinite, found.distinct) == (6, 1, 2, 4)
    assert (found.low, found.high) == (1.0, 3.0)
    assert found.mean == pytest.approx(7 / 3)
    assert found.missing_share == pytest.approx(1 / 6)
    assert not found.unique
    assert profile(pd.Series(["b", "a"]), "x").unique


def test_values_are_listed_in_order_while_they_are_few() -> None:
    assert profile(pd.Series(["b", "a", "b"]), "x").values == ("a", "b")
    assert profile(pd.Series([2.0, 1.0, None]), "x").values == (1, 2)
    assert profile(pd.Series([True, False, None]), "x").values == (False, True)
    assert profile(pd.Series(range(51)), "x").values == ()


def test_formats_of_dates_are_all_that_fit() -> None:
    assert date_formats(pd.Series(["13.01.2024", "01.02.2024"])) == ("%d.%m.%Y",)
    assert date_formats(pd.Series(["01/02/2024", "03/04/2024"])) == ("%d/%m/%Y", "%m/%d/%Y")
    assert date_formats(pd.Series(["01/13/2024"])) == ("%m/%d/%Y",)
    assert date_formats(pd.Series(["2024-01-01 10:00:00"])) == ("%Y-%m-%d %H:%M:%S",)
    assert date_formats(pd.Series(["12", "tomorrow"])) == ()


def test_nested_values_become_their_text_so_that_rows_can_be_compared() -> None:
    frame = pd.DataFrame({"a": [[1], [1], None], "b": [1, 1, 2]})
    assert plain(frame).duplicated().tolist() == [False, True, False]
    assert profiled(frame)["a"].distinct == 1
