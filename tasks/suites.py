"""A problem's suite of expectations: a Python file, ``expectations/<problem>.py``, with lists of Great Expectations.

``EXPECTATIONS`` holds for the table that is trained on, ``RAW`` additionally for each batch as it was fetched, and
``SCORING`` additionally for rows to predict, for which what names the target or speaks of a whole table is left out.
Each expectation has a reason in ``notes`` and a severity. Great Expectations takes seconds to import, so it is imported
only where a suite is run.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from tasks.errors import ProblemError
from tasks.keys import source_digest
from tasks.sources import Declared

Stage = Literal["training", "raw", "scoring"]
LISTS: dict[Stage, str] = {"training": "EXPECTATIONS", "raw": "RAW", "scoring": "SCORING"}
OF_SEVERAL_ROWS = {
    "ExpectColumnValueZScoresToBeLessThan",
    "ExpectColumnValuesToBeDecreasing",
    "ExpectColumnValuesToBeInTypeList",
    "ExpectColumnValuesToBeIncreasing",
    "ExpectColumnValuesToBeOfType",
    "ExpectColumnValuesToBeUnique",
    "ExpectCompoundColumnsToBeUnique",
}
"""Expectations that compare a row with others, or look at the type of the column."""
COLUMN_KEYS = ("column", "column_A", "column_B", "column_list", "column_set")


class Suite(Declared):
    """Where a problem's expectations stand, and the digest of their source."""

    path: Annotated[str, Field(exclude=True)]  # a suite that moves is the same suite
    digest: str

    @property
    def name(self) -> str:
        """The problem's name."""
        return Path(self.path).stem


def find_suite(problem: str, project: Path) -> Suite:
    """Give the suite of a problem.

    Raises
    ------
    ProblemError
        The problem has none, or its file is not Python.
    """
    path = project / "expectations" / f"{problem}.py"
    if not path.is_file():
        raise ProblemError(
            f"{path} is missing: a problem needs a suite of expectations; begin with EXPECTATIONS = [...]."
        )
    try:
        return Suite(path=str(path.absolute()), digest=source_digest(path.read_text(encoding="utf-8")))
    except (SyntaxError, UnicodeDecodeError) as error:
        raise ProblemError(f"{path} is not Python: {error}.") from error


def load_expectations(suite: Suite) -> list[Any]:
    """Give the expectations of the table that is trained on; see `load_stages`."""
    return load_stages(suite)["training"]


def load_stages(suite: Suite) -> dict[Stage, list[Any]]:
    """Give the expectations of each stage of a suite's file, which is run under a name of its own.

    Raises
    ------
    ProblemError
        The file fails, has no ``EXPECTATIONS``, or an expectation has no reason.
    """
    specification = importlib.util.spec_from_file_location(f"salamander_suite_{suite.name}", suite.path)
    if specification is None or specification.loader is None:
        raise ProblemError(f"{suite.path} cannot be loaded as Python.")
    module = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
        stages: dict[Stage, list[Any]] = {stage: list(getattr(module, name, ())) for stage, name in LISTS.items()}
        stages["training"] = list(module.EXPECTATIONS)
        every = [each for expectations in stages.values() for each in expectations]
        without = [each.configuration.to_json_dict() for each in every if not each.notes]
    except Exception as error:
        raise ProblemError(f"{suite.path} gives no expectations: {type(error).__name__}: {error}") from error
    if without:
        raise ProblemError(f"{suite.path}: {words(without[0])} has no reason; write it as notes=...")
    return stages


def expectations_for_scoring(suite: Suite, target: str, columns: Iterable[str]) -> list[Any]:
    """Give the expectations of rows to predict that have these columns.

    They are ``SCORING``, and of the others those of single rows which do not name the target or a column that is not
    there: a model need not read all that was fetched once, and says itself what it misses.
    """
    stages, known = load_stages(suite), set(columns)
    kept = [each for each in stages["training"] if is_row_level(each) and not _names(each, target)]
    return [*(each for each in kept if known.issuperset(_named(each))), *stages["scoring"]]


def is_row_level(expectation: Any) -> bool:
    """Say whether an expectation asks something of each row (a map expectation), not of the table as a whole."""
    from great_expectations.expectations import expectation as kinds

    maps = (kinds.ColumnMapExpectation, kinds.ColumnPairMapExpectation, kinds.MulticolumnMapExpectation)
    return isinstance(expectation, maps)


def is_one_row_at_a_time(expectation: Any) -> bool:
    """Say whether what an expectation asks of a row can be told from that row alone, whatever the others are."""
    from great_expectations.expectations import expectation as kinds

    known = type(expectation).__module__.startswith("great_expectations.")
    if not (known and is_row_level(expectation)) or type(expectation).__name__ in OF_SEVERAL_ROWS:
        return False
    plain = isinstance(expectation, kinds.ColumnMapExpectation) and expectation.row_condition is None
    return plain or expectation.mostly == 1  # else nobody knows of how many rows it is asked


def asked_of_rows(expectations: Iterable[Any]) -> list[Any]:
    """Give those expectations that a row must meet in order not to go to quarantine."""
    return [each for each in expectations if is_row_level(each) and is_critical(each)]


def is_critical(expectation: Any) -> bool:
    """Say whether data that breaks an expectation is kept from training."""
    return str(getattr(expectation.severity, "value", expectation.severity)) == "critical"


def columns_read(expectations: Iterable[Any], columns: Iterable[str]) -> list[str]:
    """Give those of a table's columns that must be read to check expectations, in order; at least one.

    All of them, where an expectation may read more than it names: one of the user's own, one of the table's columns, or
    one with a condition that is written as text.
    """
    from great_expectations.expectations import expectation as kinds

    names, known = list(columns), set[str]()
    for each in expectations:
        one_column = is_row_level(each) or isinstance(each, kinds.ColumnAggregateExpectation)
        counts_rows = type(each).__name__.startswith("ExpectTableRowCountTo")
        own = not type(each).__module__.startswith("great_expectations.")
        if own or not (one_column or counts_rows) or _condition_text(each):
            return names
        known.update(_named(each))
    return [name for name in names if name in known] or names[:1]


def _names(expectation: Any, column: str) -> bool:
    """Say whether an expectation, or its condition, names a column."""
    in_text = re.search(rf"\b{re.escape(column)}\b", _condition_text(expectation))
    return in_text is not None or column in _named(expectation)


def _condition_text(expectation: Any) -> str:
    """Give the condition of an expectation where it is written as text for pandas, which GX keeps as it is."""
    return getattr(getattr(expectation, "row_condition", None), "pass_through_filter", "")


def _named(expectation: Any) -> Iterator[str]:
    for key in COLUMN_KEYS:
        value = getattr(expectation, key, None) or ()
        yield from (value,) if isinstance(value, str) else value
    if (condition := getattr(expectation, "row_condition", None)) is not None:
        yield from _columns_of(condition.dict())


def _columns_of(condition: Any) -> Iterator[str]:
    """Give the columns in the plain form of a condition, ``{"column": {"name": ...}, ...}``, however nested."""
    if isinstance(condition, dict):
        if isinstance(column := condition.get("column"), dict):
            yield str(column["name"])
        for inner in condition.values():
            yield from _columns_of(inner)
    elif isinstance(condition, (list, tuple)):
        for inner in condition:
            yield from _columns_of(inner)


def words(configuration: dict[str, Any]) -> str:
    """Give an expectation as it is called: ``median_income: values to be between (min_value=0, max_value=16)``."""
    settings = {k: v for k, v in configuration["kwargs"].items() if k not in {"batch_id", "column"} and v is not None}
    name = configuration["type"].removeprefix("expect_").removeprefix("column_").replace("_", " ")
    column = configuration["kwargs"].get("column")
    text = ", ".join(f"{key}={value}" for key, value in settings.items())
    return f"{column + ': ' if column else ''}{name}{f' ({text})' if text else ''}"
