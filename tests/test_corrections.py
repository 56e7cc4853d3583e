import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.checks import Breach
from tasks.corrections import CORRECTS, corrections, release, replacements
from tasks.errors import DataRefused, ProblemError
from tasks.quarantine import POSITION, REASONS, export, set_aside
from tasks.records import Correction, Finding, Table

AGE = 'gxe.ExpectColumnValuesToBeBetween(column="age", min_value=0, severity="critical", notes="Nobody is unborn.")'
PLACE = 'gxe.ExpectColumnValuesToNotBeNull(column="place", severity="{}", notes="Everything is somewhere.")'
ROWS = pa.table(
    {
        "age": pa.array([1.0, -2.0, 3.5, None, -2.0], pa.float64()),
        "place": ["shore", None, "NA", "", None],
        "rooms": pa.array([1, 2, 3, None, 2], pa.int16()),
        "lived_in": [True, False, None, True, False],
        "built": pa.array([0, 86_400_000_001, None, 0, 86_400_000_001], pa.timestamp("us")),
    }
)


@pytest.fixture
def table(store):
    return Table(parts=(store.keep_table(ROWS.slice(0, 2), "raw"), store.keep_table(ROWS.slice(2), "raw")))


@pytest.fixture
def suite(write_suite):
    return write_suite(AGE, raw=[PLACE.format("warning")])


@pytest.fixture
def quarantine(store, table):
    """Give a quarantine of all rows but the first."""
    positions = np.array([1, 2, 3, 4])
    finding = Finding(expectation="age: is right", severity="critical", reason="so", observed="x")
    return set_aside(store, table, [Breach(finding, positions)], positions, ["place"])


@pytest.fixture
def exported(store, quarantine, tmp_path):
    """Give a function that exports the quarantine, changes the file as a frame, and gives its path."""

    def written(change, suffix=".parquet"):
        path = tmp_path / f"rows{suffix}"
        export(store, quarantine, path)
        if suffix == ".parquet":
            change(pd.read_parquet(path, dtype_backend="pyarrow")).to_parquet(path, index=False)
        else:
            change(pd.read_csv(path, dtype="str", keep_default_na=False)).to_csv(path, index=False)
        return path

    return written


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_corrected_rows_keep_their_types_and_what_they_replace(store, quarantine, exported, suite, suffix):
    path = exported(
        lambda rows: rows.assign(age=["2", "3.5", "", "4"] if suffix == ".csv" else [2, 3.5, None, 4]), suffix
    )
    made = release(store, path, quarantine, suite)
    assert made.number == 1
    assert store.record("corrections/000001.json", Correction) == made
    kept = store.table(made.rows)
    assert kept.column_names == [*ROWS.column_names, CORRECTS]
    assert kept.schema.types[:-1] == ROWS.schema.types
    assert kept["age"].to_pylist() == [2.0, 3.5, None, 4.0]
    same = ["rooms", "lived_in", "built"]
    assert kept.select(same) == ROWS.slice(1).select(same)
    assert kept["place"][1].as_py() == "NA"  # a text, not a missing one


def test_corrected_rows_replace_the_rows_with_that_content(store, table, quarantine, exported, suite):
    made = release(store, exported(lambda rows: rows[rows[POSITION] == 1].assign(age=2.0)), quarantine, suite)
    assert corrections(store) == (made.rows,)
    found = replacements(store, table, np.array([1, 2, 3, 4]), corrections(store))
    assert found.positions.tolist() == [1]  # row 4 is equal, but only one was corrected
    assert found.rows.column_names == ROWS.column_names
    assert found.rows["age"].to_pylist() == [2.0]
    assert replacements(store, table, np.array([2, 3]), corrections(store)) is None
    assert replacements(store, table, np.array([], dtype="int64"), corrections(store)) is None
    assert replacements(store, table, np.array([1]), ()) is None


def test_equal_rows_are_each_replaced_by_the_newest_corrections(store, table, quarantine, exported, suite):
    for number, age in ((1, 10.0), (2, 20.0), (3, 30.0)):
        path = exported(lambda rows, age=age: rows[rows[POSITION] == 4].assign(age=age))
        assert release(store, path, quarantine, suite).number == number
    found = replacements(store, table, np.array([1, 4]), corrections(store))
    assert found.positions.tolist() == [1, 4]
    assert found.rows["age"].to_pylist() == [30.0, 20.0]


def test_a_correction_for_other_columns_does_not_apply(store, table, quarantine, exported, suite):
    release(store, exported(lambda rows: rows.assign(age=2.0)), quarantine, suite)
    other = Table(parts=(store.keep_table(ROWS.append_column("new", [[1] * 5]), "raw"),))
    assert replacements(store, other, np.array([1]), corrections(store)) is None


def test_a_row_that_still_breaks_something_is_refused_by_name(store, quarantine, exported, write_suite):
    strict = write_suite(AGE, raw=[PLACE.format("critical")])
    path = exported(lambda rows: rows[rows[POSITION] == 4].assign(place="shore"))
    with pytest.raises(DataRefused) as caught:
        release(store, path, quarantine, strict)
    assert "-2.0 in row 4 still breaks age: values to be between (min_value=0.0)" in str(caught.value)
    assert "expected because: Nobody is unborn." in str(caught.value)
    with pytest.raises(DataRefused, match="in row 4 still breaks place: values to not be null"):
        release(store, exported(lambda rows: rows[rows[POSITION] == 4].assign(age=1.0)), quarantine, strict)
    assert corrections(store) == ()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda rows: rows.iloc[:0], "has no rows, so there is nothing to release"),
        (lambda rows: rows.assign(**{POSITION: [0, 2, 3, 4]}), "row 0 .* is not in quarantine"),
        (
            lambda rows: rows.assign(**{POSITION: [None, 2, 3, 4]}),
            "1 rows have no salamander_position, so nobody knows which rows they correct",
        ),
        (lambda rows: rows.assign(**{POSITION: [2, 2, 3, 4]}), "row 2 .* stands there twice"),
        (lambda rows: rows.drop(columns="age"), r"does not have the columns of the quarantine \(age\)"),
        (lambda rows: rows.assign(more=1), r"does not have the columns of the quarantine \(more\)"),
    ],
)
def test_a_file_that_does_not_fit_is_a_sentence(store, quarantine, exported, suite, change, expected):
    with pytest.raises(ProblemError, match=expected):
        release(store, exported(change), quarantine, suite)
    assert corrections(store) == ()


def test_an_empty_text_is_not_a_missing_one(store, quarantine, suite, tmp_path):
    path = tmp_path / "rows.csv"
    export(store, quarantine, path)
    path.write_text(path.read_text().replace("-2", "2"))
    kept = store.table(release(store, path, quarantine, suite).rows)
    assert kept["place"].to_pylist() == [None, "NA", "", None]


def test_a_row_that_stands_alone_in_its_batch_is_known_by_its_content(store, suite, tmp_path):
    """A missing value elsewhere must not change how a row's content is told: pandas would make floats of integers."""
    rows = pa.table({"age": [-1.0, 1.0, 2.0], "place": ["a"] * 3, "number": pa.array([2**53 + 1, None, 3], pa.int64())})
    table = Table(parts=(store.keep_table(rows, "raw"),))
    breaches = [Breach(Finding(expectation="a", severity="critical", reason="so", observed="x"), np.array([0, 1]))]
    aside = set_aside(store, table, breaches, np.array([0, 1]), ["number"])
    path = tmp_path / "rows.parquet"
    export(store, aside, path)
    fixed = pq.read_table(path).slice(0, 1)
    pq.write_table(fixed.set_column(fixed.schema.get_field_index("age"), "age", [[1.0]]), path)
    made = release(store, path, aside, suite)
    alone = replacements(store, table, np.array([0]), (made.rows,))
    among = replacements(store, table, np.array([0, 1]), (made.rows,))
    assert alone.positions.tolist() == among.positions.tolist() == [0]
    other = pa.table({"age": [-1.0], "place": ["a"], "number": [2**53]})
    changed = Table(parts=(store.keep_table(other, "raw"),))
    assert replacements(store, changed, np.array([0]), (made.rows,)) is None


def test_the_reasons_need_not_be_in_the_file(store, quarantine, exported, suite):
    path = exported(lambda rows: rows.drop(columns=REASONS).assign(age=1.0))
    assert release(store, path, quarantine, suite).rows.rows == 4


def test_a_value_of_another_type_is_a_sentence(store, quarantine, exported, suite):
    with pytest.raises(DataRefused, match=r"rows\.csv has a value that is not of its column's type: .*'old'"):
        release(store, exported(lambda rows: rows.assign(age="old"), ".csv"), quarantine, suite)


def test_a_file_that_cannot_be_read_is_a_sentence(store, quarantine, suite, tmp_path):
    with pytest.raises(ProblemError, match=r"none\.csv cannot be read"):
        release(store, tmp_path / "none.csv", quarantine, suite)
    with pytest.raises(ProblemError, match=r"rows\.xlsx is of a kind that is not written; allowed: \.csv, \.parquet"):
        release(store, tmp_path / "rows.xlsx", quarantine, suite)
