import sys

import pandas as pd
import pyarrow as pa
import pytest

from tasks.errors import DataRefused, ProblemError
from tasks.records import Finding, Snapshot
from tasks.validate import RefusedByExpectations, check, docs_folder, find_suite, load_expectations, validate

pytestmark = pytest.mark.usefixtures("without_run_logger")

HOUSES = pd.DataFrame(
    {"age": [1.0, 2.0, -3.0, 4.0, None, -9.0], "place": ["shore", "hill", "moor", None, "hill", "shore"]}
)
AGE = 'gxe.ExpectColumnValuesToBeBetween(column="age", min_value=0, severity="{}", notes="Nobody is unborn.")'
PLACE = (
    'gxe.ExpectColumnValuesToBeInSet(column="place", value_set=["shore", "hill"], severity="warning",'
    ' notes="There are two places.")'
)


@pytest.fixture
def suite(tmp_path):
    """Give a function that writes ``expectations/houses.py`` of a project and finds it."""

    def written(*expectations, source=None):
        path = tmp_path / "project" / "expectations" / "houses.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        listed = ", ".join(expectations)
        path.write_text(source or f"import great_expectations.expectations as gxe\n\nEXPECTATIONS = [{listed}]\n")
        return find_suite("houses", tmp_path / "project")

    return written


@pytest.fixture
def snapshot(store):
    return Snapshot(data=store.keep_table(pa.Table.from_pandas(HOUSES, preserve_index=False), "raw"), origin="here")


def test_data_that_meets_everything_is_validated(suite, snapshot, store):
    record = validate.fn(snapshot, suite('gxe.ExpectTableRowCountToBeBetween(min_value=6, notes="Six.")'), store)
    assert record.data == snapshot.data
    assert (record.expectations, record.warnings) == (1, ())
    assert (docs_folder(store, snapshot.data) / "index.html").is_file()


def test_a_critical_failure_refuses_the_data(suite, snapshot, store):
    with pytest.raises(RefusedByExpectations) as caught:
        validate.fn(snapshot, suite(AGE.format("critical"), PLACE), store)
    error = caught.value
    assert isinstance(error, DataRefused)
    assert error.exit_code == 3
    critical, warning = error.findings
    assert critical == Finding(
        expectation="age: values to be between (min_value=0.0)",
        severity="critical",
        reason="Nobody is unborn.",
        column="age",
        observed="2 of 6 rows",
        unexpected_rows=2,
        examples=("-3.0 in row 2", "-9.0 in row 5"),
    )
    assert warning.severity == "warning"
    assert warning.examples == ("'moor' in row 2",)
    assert "1 of 2 expectations" in str(error)
    assert "2 of 6 rows; expected because: Nobody is unborn." in str(error)


def test_the_data_docs_hold_the_reason(suite, snapshot, store):
    with pytest.raises(RefusedByExpectations) as caught:
        validate.fn(snapshot, suite(AGE.format("critical")), store)
    docs = caught.value.docs
    assert docs == docs_folder(store, snapshot.data) / "index.html"
    assert docs.is_file()
    pages = "".join(path.read_text() for path in docs.parent.rglob("*.html"))
    assert "Nobody is unborn." in pages
    assert "-9" in pages


def test_warnings_are_recorded_and_let_the_data_pass(suite, snapshot, store):
    record = validate.fn(snapshot, suite(AGE.format("warning"), PLACE), store)
    assert record.expectations == 2
    assert [(finding.severity, finding.unexpected_rows) for finding in record.warnings] == [
        ("warning", 2),
        ("warning", 1),
    ]


def test_findings_are_sorted_by_severity(suite, snapshot, store):
    with pytest.raises(RefusedByExpectations) as caught:
        validate.fn(
            snapshot,
            suite(AGE.format("info"), PLACE, AGE.format("critical").replace("min_value=0", "min_value=1")),
            store,
        )
    assert [finding.severity for finding in caught.value.findings] == ["critical", "warning", "info"]


def test_a_missing_column_is_reported(suite, snapshot, store):
    missing = AGE.format("critical").replace('"age"', '"aeg"')
    with pytest.raises(RefusedByExpectations) as caught:
        validate.fn(snapshot, suite(missing, AGE.format("warning")), store)
    first, second = caught.value.findings
    assert (first.column, first.unexpected_rows) == ("aeg", None)
    assert first.observed.startswith("could not be checked:")
    assert '"aeg"' in first.observed
    assert second.unexpected_rows == 2  # the others are checked all the same


def test_what_a_column_cannot_be_asked_is_reported(suite, snapshot, store):
    mean = 'gxe.ExpectColumnMeanToBeBetween(column="place", min_value=1, severity="critical", notes="x")'
    with pytest.raises(RefusedByExpectations, match="could not be checked"):
        validate.fn(snapshot, suite(mean), store)


def test_figures_of_a_whole_column_are_reported(suite, snapshot, store):
    mean = 'gxe.ExpectColumnMeanToBeBetween(column="age", min_value=0, severity="warning", notes="x")'
    rows = 'gxe.ExpectTableRowCountToBeBetween(min_value=100, severity="warning", notes="y")'
    observed = [finding.observed for finding in validate.fn(snapshot, suite(mean, rows), store).warnings]
    assert observed == ["observed -1.0", "observed 6"]


def test_only_a_few_examples_are_kept(suite, tmp_path):
    frame = pd.DataFrame({"age": -1.0 - pd.RangeIndex(1000).to_numpy()})
    (finding,) = check(frame, load_expectations(suite(AGE.format("critical"))), "houses", tmp_path / "docs")
    assert finding.unexpected_rows == 1000
    assert len(finding.examples) == 5


def test_a_second_check_makes_the_data_docs_anew(suite, snapshot, store):
    docs = docs_folder(store, snapshot.data)
    validate.fn(snapshot, suite(AGE.format("warning")), store)
    validate.fn(snapshot, suite(AGE.format("warning").replace("Nobody is unborn.", "Time runs forward.")), store)
    pages = "".join(path.read_text() for path in docs.rglob("*.html"))
    assert "Time runs forward." in pages


# The suite's file.


def test_a_problem_needs_a_suite(tmp_path):
    with pytest.raises(ProblemError, match=r"expectations/houses\.py is missing: a problem needs a suite"):
        find_suite("houses", tmp_path)


def test_the_digest_of_a_suite_ignores_comments(suite):
    first = suite(AGE.format("critical"))
    source = f"import great_expectations.expectations as gxe\n# why\nEXPECTATIONS = [{AGE.format('critical')}]\n"
    assert suite(source=source).digest == first.digest
    assert suite(AGE.format("warning")).digest != first.digest


def test_a_suite_with_a_syntax_error_is_a_sentence(suite):
    with pytest.raises(ProblemError, match=r"houses\.py is not Python: .*line 1"):
        suite(source="EXPECTATIONS = [")


def test_a_suite_that_is_not_text_is_a_sentence(suite, tmp_path):
    suite()
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
def test_a_suite_that_fails_is_a_sentence(suite, source, expected):
    with pytest.raises(ProblemError, match=expected) as caught:
        load_expectations(suite(source=source))
    assert "houses.py" in str(caught.value)


@pytest.mark.parametrize("notes", ["", ', notes=""', ", notes=None"])
def test_an_expectation_without_a_reason_is_refused(suite, notes):
    with pytest.raises(ProblemError, match=r"age: values to not be null.* has no reason; write it as notes="):
        load_expectations(suite(f'gxe.ExpectColumnValuesToNotBeNull(column="age"{notes})'))


def test_a_suite_is_run_under_a_name_of_its_own(suite):
    before = set(sys.modules)
    load_expectations(suite(AGE.format("critical")))
    assert "houses" not in set(sys.modules) - before


def test_the_suites_of_this_project_load():
    from pathlib import Path

    project = Path(__file__).parent.parent
    for name in ("digits", "housing"):
        assert len(load_expectations(find_suite(name, project))) > 10
