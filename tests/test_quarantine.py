from datetime import date, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.checks import Breach
from tasks.columns import ROW, row_hashes
from tasks.errors import ProblemError
from tasks.problem import Quarantine
from tasks.quarantine import (
    POSITION,
    REASONS,
    Newest,
    beyond_budget,
    export,
    failing,
    kept_positions,
    positions_of,
    quarantined,
    row_tests,
    rows_at,
    set_aside,
)
from tasks.records import Finding, Table
from tasks.store import Store


def finding(name="age: is right", reason="so"):
    return Finding(expectation=name, severity="critical", reason=reason, observed="x", examples=("-1 in row 3",))


def breach(*positions, **words):
    return Breach(finding(**words), np.array(positions, dtype="int64"))


def table_of(store, *parts, left_out=()):
    """Give a kept table of parts of some rows each, whose column ``at`` holds the positions."""
    begin, kept = 0, []
    for rows in parts:
        at = np.arange(begin, begin + rows)
        kept.append(store.keep_table(pa.table({"at": at, "place": [f"place {each}" for each in at]}), "raw"))
        begin += rows
    return store.without(Table(parts=tuple(kept)), np.array(left_out, dtype="int64"))


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.data())
def test_rows_are_found_by_their_positions(tmp_path_factory, parts, data):
    store = Store(tmp_path_factory.mktemp("store"), "houses")
    every = st.sets(st.integers(0, sum(parts) - 1))
    left_out = data.draw(every)
    table = table_of(store, *parts, left_out=sorted(left_out))
    kept = kept_positions(store, table)
    assert kept.tolist() == [at for at in range(sum(parts)) if at not in left_out]
    wanted = np.array(sorted(data.draw(every) - left_out), dtype="int64")
    found = list(rows_at(store, table, wanted))
    assert [at for where, _ in found for at in where] == wanted.tolist()
    assert [at for _, rows in found for at in rows.column("at").to_pylist()] == wanted.tolist()


def test_positions_of_breaches_are_told_once():
    assert positions_of([]).tolist() == []
    assert positions_of([breach(5, 7), breach(1, 5)]).tolist() == [1, 5, 7]


def test_rows_are_set_aside_with_position_identity_and_every_reason(store):
    table = table_of(store, 4, 4, left_out=[0, 5])
    breaches = [breach(3, 6), breach(1, name="never"), breach(6, 7, name="date: not after x", reason="too late")]
    artifact = set_aside(store, table, breaches, np.array([3, 6, 7]), ["place"])
    rows = store.table(artifact)
    assert rows.column_names == [POSITION, ROW, REASONS, "at", "place"]
    assert rows.schema.field(POSITION).type == pa.int64()
    assert rows.schema.field(ROW).type == pa.uint64()
    assert rows.schema.field(REASONS).type.value_type == pa.string()
    assert rows[POSITION].to_pylist() == rows["at"].to_pylist() == [3, 6, 7]
    first, late = "age: is right: so", "date: not after x: too late"
    assert rows[REASONS].to_pylist() == [[first], [first, late], [late]]
    frame = pd.DataFrame({"place": ["place 3", "place 6", "place 7"]})
    assert rows[ROW].to_pylist() == row_hashes(frame, ["place"]).tolist()
    assert quarantined(store, artifact)["place"].tolist() == frame["place"].tolist()


def test_nothing_bad_needs_no_quarantine(store):
    assert set_aside(store, table_of(store, 3), [], np.array([], dtype="int64"), ["place"]) is None


# The budget.


@pytest.mark.parametrize(
    ("parts", "left_out", "bad", "budget", "expected"),
    [
        ((100,), [], [3], 0.01, None),
        ((100,), [], [3, 4], 0.01, "2 of the 100 rows (2 %)"),
        ((100,), [], range(29), 0.29, None),  # 0.29 * 100 is less than 29
        ((100,), [7], [3], 0.01, "1 of the 99 rows (1.01 %)"),
        ((3,), [], [0], 0.0, "1 of the 3 rows (33.3 %)"),
        ((3,), [], [], 0.0, None),
        ((1000, 10), [], [1005], 0.01, "1 of the newest 10 rows (10 %)"),
        ((1000, 10), [], [5, 6, 7], 0.01, None),  # of the older part
        ((1000, 10), [1001, 1002], [1005], 0.1, "1 of the newest 8 rows (12.5 %)"),
    ],
)
def test_the_budget_is_a_share_of_the_table_and_of_its_newest_part(store, parts, left_out, bad, budget, expected):
    table = table_of(store, *parts, left_out=left_out)
    breaches = [breach(*bad), breach(*list(bad)[:1], name="other")]
    said = beyond_budget(Quarantine(budget=budget), store, table, breaches, positions_of(breaches))
    if expected is None:
        assert said is None
        return
    assert said.startswith(f"{expected} break an expectation of single rows")
    assert f"the budget for quarantine is {100 * budget:.3g} %" in said
    assert f"{len(bad):,} rows break age: is right (expected because: so), e.g. -1 in row 3." in said
    assert said.endswith("raise quarantine.budget.")


def test_rows_that_were_corrected_do_not_count(store):
    table = table_of(store, 100)
    breaches = [breach(3, 4, name="corrected"), breach(5, 6)]
    assert "2 rows break age: is right" in beyond_budget(
        Quarantine(), store, table, breaches, np.array([5, 6], dtype="int64")
    )
    assert beyond_budget(Quarantine(), store, table, breaches, np.array([6], dtype="int64")) is None


# Dates.


def test_infinite_numbers_are_told_and_missing_ones_are_not(store):
    rows = {"a": [1.0, np.inf, None, np.nan], "b": [-np.inf, 1.0, 2.0, np.inf], "c": [1, 2, 3, 4]}
    table = Table(parts=(store.keep_table(pa.table(rows), "raw"),))
    found = failing(store, table, row_tests(table, None))
    assert [breach.finding.column for breach in found] == ["a", "b"]
    assert [breach.positions.tolist() for breach in found] == [[1], [0, 3]]
    assert found[1].finding.examples == ("-inf in row 0", "inf in row 3")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([datetime(2026, 1, 1), datetime(2026, 1, 3), None], [1]),
        (pa.array([datetime(2026, 1, 2), datetime(2026, 1, 3)], pa.timestamp("us", "Europe/Berlin")), [1]),
        ([date(2026, 1, 2), date(2026, 1, 3), None], [1]),
        (["2026-01-02", "2026-01-02T00:00:01", "2026-01-02T00:30:00+01:00", "soon", None], [1]),
        ([2026, 2027], []),
        ([datetime(2026, 1, 2), datetime(9999, 1, 3)], [1]),
    ],
)
def test_rows_dated_too_late_are_told(store, values, expected):
    rows = pa.table({"taken": values})
    table = Table(parts=(store.keep_table(rows, "raw"),))
    found = next(iter(failing(store, table, row_tests(table, Newest(column="taken", moment="2026-01-02")))), None)
    assert (found.positions.tolist() if found else []) == expected
    if found:
        assert found.finding.reason == "dated after it was fetched"
        assert found.finding.observed == f"{len(expected)} of {rows.num_rows} rows"
        assert found.finding.examples[0].endswith(f"in row {expected[0]}")


def test_late_rows_are_told_by_their_positions_in_all_parts(store):
    parts = [
        store.keep_table(pa.table({"taken": [date(2026, 1, day) for day in days]}), "raw")
        for days in ([1, 9], [8, 2, 7])
    ]
    table = store.without(Table(parts=tuple(parts)), np.array([1]))
    found = next(
        iter(failing(store, table, row_tests(table, Newest(column="taken", moment="2026-01-05T12:00:00Z")))), None
    )
    assert found.positions.tolist() == [2, 4]
    assert found.finding.examples == ("2026-01-08 in row 2", "2026-01-07 in row 4")


def test_the_column_of_times_must_be_there(store):
    with pytest.raises(ProblemError, match=r"split\.by names the column 'taken', which the data does not have"):
        row_tests(table_of(store, 2), Newest(column="taken", moment="2026-01-02"))


# Export.


@pytest.fixture
def artifact(store):
    return set_aside(
        store, table_of(store, 4), [breach(1, 2), breach(2, name="b", reason="c")], np.array([1, 2]), ["at"]
    )


def test_the_quarantine_is_exported_as_csv(store, artifact, tmp_path):
    export(store, artifact, tmp_path / "bad.csv")
    read = pd.read_csv(tmp_path / "bad.csv")
    assert read.columns.tolist() == [POSITION, ROW, REASONS, "at", "place"]
    assert read[REASONS].tolist() == ["age: is right: so", "age: is right: so; b: c"]
    assert read["place"].tolist() == ["place 1", "place 2"]


def test_the_quarantine_is_exported_as_parquet(store, artifact, tmp_path):
    export(store, artifact, tmp_path / "bad.parquet")
    assert pq.read_table(tmp_path / "bad.parquet") == store.table(artifact)


def test_an_export_that_cannot_be_is_a_sentence(store, artifact, tmp_path):
    with pytest.raises(ProblemError, match=r"bad\.xlsx is of a kind that is not written; allowed: \.csv, \.parquet"):
        export(store, artifact, tmp_path / "bad.xlsx")
    with pytest.raises(ProblemError, match="cannot be written"):
        export(store, artifact, tmp_path / "none" / "bad.csv")
    nested = Table(parts=(store.keep_table(pa.table({"tags": [["a"], ["b"]]}), "raw"),))
    bad = set_aside(store, nested, [breach(1)], np.array([1]), ["tags"])
    with pytest.raises(ProblemError, match=r"CSV cannot hold these columns .* name a \.parquet file"):
        export(store, bad, tmp_path / "bad.csv")
