import sys
from pathlib import Path

import great_expectations.expectations as gxe
import pytest
from great_expectations.expectations.row_conditions import Column

from tasks.errors import ProblemError
from tasks.suites import (
    columns_read,
    expectations_for_scoring,
    find_suite,
    is_critical,
    is_row_level,
    load_expectations,
    load_stages,
)

AGE = 'gxe.ExpectColumnValuesToBeBetween(column="age", min_value=0, severity="{}", notes="Nobody is unborn.")'
NAMES = ["age", "place", "price", "rooms"]


# The suite's file.


def test_a_problem_needs_a_suite(tmp_path):
    with pytest.raises(ProblemError, match=r"expectations/houses\.py is missing: a problem needs a suite"):
        find_suite("houses", tmp_path)


def test_the_digest_of_a_suite_ignores_comments(write_suite):
    first = write_suite(AGE.format("critical"))
    source = (
        f"import great_expectations.expectations as gxe\n# why\nEXPECTATIONS = [{AGE.format('critical')}]\nRAW = []\n"
    )
    assert write_suite(source=source).digest == first.digest
    assert write_suite(AGE.format("warning")).digest != first.digest


def test_a_suite_with_a_syntax_error_is_a_sentence(write_suite):
    with pytest.raises(ProblemError, match=r"houses\.py is not Python: .*line 1"):
        write_suite(source="EXPECTATIONS = [")


def test_a_suite_that_is_not_text_is_a_sentence(write_suite, tmp_path):
    write_suite()
    (tmp_path / "project" / "expectations" / "houses.py").write_bytes("# é\nEXPECTATIONS = []\n".encode("latin-1"))
    with pytest.raises(ProblemError, match="is not Python"):
        find_suite("houses", tmp_path / "project")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("X = 1\n", "AttributeError: module .* has no attribute 'EXPECTATIONS'"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("EXPECTATIONS = 3\n", "TypeError"),
        ("EXPECTATIONS = ['age is positive']\n", "houses"),
        (
            "import great_expectations.expectations as gxe\nEXPECTATIONS = [gxe.ExpectNothing(column='age')]\n",
            "no attribute 'ExpectNothing'",
        ),
        (
            "import great_expectations.expectations as gxe\n"
            "EXPECTATIONS = [gxe.ExpectColumnValuesToNotBeNull(colum='age', notes='x')]\n",
            "ValidationError",
        ),
    ],
)
def test_a_suite_that_fails_is_a_sentence(write_suite, source, expected):
    with pytest.raises(ProblemError, match=expected) as caught:
        load_expectations(write_suite(source=source))
    assert "houses.py" in str(caught.value)


@pytest.mark.parametrize("notes", ["", ', notes=""', ", notes=None"])
def test_an_expectation_without_a_reason_is_refused(write_suite, notes):
    with pytest.raises(ProblemError, match=r"age: values to not be null.* has no reason; write it as notes="):
        load_expectations(write_suite(f'gxe.ExpectColumnValuesToNotBeNull(column="age"{notes})'))


def test_a_suite_is_run_under_a_name_of_its_own(write_suite):
    before = set(sys.modules)
    load_expectations(write_suite(AGE.format("critical")))
    assert "houses" not in set(sys.modules) - before


def test_the_suites_of_this_project_load():
    project = Path(__file__).parent.parent
    for name in ("digits", "housing"):
        assert len(load_expectations(find_suite(name, project))) > 10


# Stages.


def test_a_suite_may_be_bound_to_stages(write_suite):
    age, mean = AGE.format("critical"), 'gxe.ExpectColumnMeanToBeBetween(column="age", min_value=1, notes="x")'
    source = f"import great_expectations.expectations as gxe\nEXPECTATIONS = [{age}]\nRAW = [{mean}, {age}]\n"
    stages = load_stages(write_suite(source=source))
    assert [len(stages[stage]) for stage in ("training", "raw", "scoring")] == [1, 2, 0]


def test_every_stage_needs_reasons(write_suite):
    source = "import great_expectations.expectations as gxe\nEXPECTATIONS = []\n"
    source += "SCORING = [gxe.ExpectColumnValuesToNotBeNull(column='age')]\n"
    with pytest.raises(ProblemError, match="age: values to not be null has no reason"):
        load_stages(write_suite(source=source))


def test_scoring_leaves_out_the_target_and_the_table_and_adds_its_own(write_suite):
    source = """
import great_expectations.expectations as gxe
from great_expectations.expectations.row_conditions import Column

EXPECTATIONS = [
    gxe.ExpectTableRowCountToBeBetween(min_value=1, notes="x"),
    gxe.ExpectColumnMeanToBeBetween(column="age", min_value=1, notes="x"),
    gxe.ExpectColumnValuesToNotBeNull(column="price", notes="x"),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A="age", column_B="price", notes="x"),
    gxe.ExpectCompoundColumnsToBeUnique(column_list=["age", "price"], notes="x"),
    gxe.ExpectColumnValuesToNotBeNull(column="age", row_condition=Column("price") > 3, notes="x"),
    gxe.ExpectColumnValuesToNotBeNull(column="age", row_condition='price > 3', condition_parser="pandas", notes="x"),
    gxe.ExpectColumnValuesToNotBeNull(column="price_of_land", notes="x"),
    gxe.ExpectColumnValuesToNotBeNull(column="age", notes="x"),
]
SCORING = [gxe.ExpectTableRowCountToBeBetween(max_value=9, notes="y")]
"""
    with pytest.warns(DeprecationWarning, match="string-based row conditions"):
        kept = expectations_for_scoring(write_suite(source=source), "price", ["age", "price_of_land"])
    with pytest.warns(DeprecationWarning, match="string-based row conditions"):
        fewer = expectations_for_scoring(write_suite(source=source), "price", ["age"])
    assert [getattr(each, "column", None) for each in kept] == ["price_of_land", "age", None]
    assert kept[-1].notes == "y"
    assert [getattr(each, "column", None) for each in fewer] == ["age", None]


# What an expectation asks, and of what.


def test_row_level_and_critical():
    assert is_row_level(gxe.ExpectColumnValuesToBeUnique(column="age"))
    assert is_row_level(gxe.ExpectColumnPairValuesToBeEqual(column_A="age", column_B="rooms"))
    assert is_row_level(gxe.ExpectMulticolumnSumToEqual(column_list=["age", "rooms"], sum_total=1))
    assert not is_row_level(gxe.ExpectColumnMaxToBeBetween(column="age", max_value=1))
    assert not is_row_level(gxe.ExpectTableRowCountToEqual(value=1))
    assert is_critical(gxe.ExpectTableRowCountToEqual(value=1, severity="critical"))
    assert is_critical(gxe.ExpectTableRowCountToEqual(value=1))  # as Great Expectations has it
    assert not is_critical(gxe.ExpectTableRowCountToEqual(value=1, severity="warning"))


class ExpectColumnValuesToBeMine(gxe.ExpectColumnValuesToNotBeNull):
    """May read whatever it likes."""


@pytest.mark.parametrize(
    ("expectation", "expected"),
    [
        (gxe.ExpectColumnValuesToNotBeNull(column="rooms"), ["rooms"]),
        (gxe.ExpectColumnMeanToBeBetween(column="price", min_value=1), ["price"]),
        (gxe.ExpectColumnPairValuesToBeEqual(column_A="rooms", column_B="age"), ["age", "rooms"]),
        (gxe.ExpectCompoundColumnsToBeUnique(column_list=["price", "age"]), ["age", "price"]),
        (gxe.ExpectColumnValuesToNotBeNull(column="rooms", row_condition=Column("age") > 3), ["age", "rooms"]),
        (
            gxe.ExpectColumnValuesToNotBeNull(
                column="rooms", row_condition=(Column("age") > 3) & (Column("price").is_not_null())
            ),
            ["age", "price", "rooms"],
        ),
        (gxe.ExpectTableRowCountToBeBetween(min_value=1), ["age"]),
        (gxe.ExpectColumnValuesToNotBeNull(column="no_such_column"), ["age"]),
        (gxe.ExpectTableColumnCountToEqual(value=4), NAMES),
        (gxe.ExpectTableColumnsToMatchSet(column_set=["age"]), NAMES),
        (gxe.ExpectColumnToExist(column="age"), NAMES),
        (ExpectColumnValuesToBeMine(column="age"), NAMES),
    ],
)
def test_only_the_columns_that_are_needed_are_read(expectation, expected):
    assert columns_read([expectation], NAMES) == expected


def test_a_condition_in_text_may_read_any_column():
    with pytest.warns(DeprecationWarning, match="string-based row conditions"):
        each = gxe.ExpectColumnValuesToNotBeNull(column="rooms", row_condition="age > 3", condition_parser="pandas")
    assert columns_read([each], NAMES) == NAMES
