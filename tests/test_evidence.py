import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.columns import row_hashes
from tasks.errors import DataRefused
from tasks.evidence import Reading
from tasks.problem import SplitRule

ROWS = 60
TABLE = pa.table(
    {
        "account": np.arange(ROWS),
        "customer": np.arange(ROWS) % 9,
        "day": pa.array([f"2026-01-{1 + row % 28:02}" for row in range(ROWS)]),
        "place": pa.array([None if row % 7 == 0 else ["sea", "hill"][row % 2] for row in range(ROWS)]),
        "income": pa.array([None if row == 5 else row / 10 for row in range(ROWS)]),
        "kind": pa.array([None if row % 10 == 0 else [10, 9, 2][row % 3] for row in range(ROWS)]),
        "other": pa.nulls(ROWS),
    }
)
RULES = [
    SplitRule(),
    SplitRule(stratify="place"),
    SplitRule(stratify="income", bins=(1.5, 3.0)),
    SplitRule(kind="group", by="customer", stratify="kind"),
    SplitRule(kind="time", by="day"),
]


def read(rule, rows_a_batch, target="kind", table=TABLE):
    reading = Reading(rule, ("account",), target, "classification")
    for batch in table.select(reading.columns).to_batches(rows_a_batch):
        reading.add(batch)
    return reading.evidence()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.kind} {rule.stratify}")
@given(rows_a_batch=st.integers(1, ROWS))
def test_batches_do_not_matter(rule, rows_a_batch):
    (whole_mask, whole), (mask, evidence) = read(rule, ROWS), read(rule, rows_a_batch)
    np.testing.assert_array_equal(mask, whole_mask)
    for name in ("rows", "units", "stratum", "target", "times", "names", "classes", "zone"):
        np.testing.assert_array_equal(getattr(evidence, name), getattr(whole, name))


def test_only_what_decides_is_read_and_only_rows_with_a_target_count():
    rule = SplitRule(kind="group", by="customer", stratify="place")
    assert Reading(rule, ("account",), "kind", "classification").columns == ["account", "customer", "place", "kind"]
    has_target, evidence = read(rule, 7)
    assert np.flatnonzero(~has_target).tolist() == [0, 10, 20, 30, 40, 50]
    kept = TABLE.filter(pa.array(has_target))
    np.testing.assert_array_equal(evidence.rows, row_hashes(kept, ["account"]))
    np.testing.assert_array_equal(evidence.units, row_hashes(kept, ["customer"]))
    assert evidence.names == ("hill", "missing", "sea")
    assert [evidence.names[code] for code in evidence.stratum] == [
        name or "missing" for name in kept["place"].to_pylist()
    ]


def test_classes_are_in_the_order_of_their_values():
    _, evidence = read(SplitRule(), 7)
    assert evidence.classes == (2, 9, 10)


def test_not_a_number_is_no_target():
    table = TABLE.set_column(5, "kind", pa.array([float("nan"), *range(ROWS - 1)]))
    assert len(read(SplitRule(), 7, table=table)[1].rows) == ROWS - 1


def test_no_rows_are_refused():
    with pytest.raises(DataRefused, match="there are no rows with a target"):
        read(SplitRule(), 7, table=TABLE.slice(0, 0))
