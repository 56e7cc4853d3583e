"""The history of data: what was accepted, and how snapshots differ."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import ProblemError, SalamanderError
from tasks.records import Changes, Snapshot, Table
from tasks.snapshots import RefusedBatch, Snapshots, compare, taken
from tasks.sources import FilesSource
from tasks.store import Store

NONE = Changes(added=0, changed=0, gone=0)


def kept(store: Store, rows: dict) -> Table:
    return Table(parts=(store.keep_table(pa.table(rows), "raw"),))


def table(numbers, prices=None):
    return {"house": list(numbers), "price": list(prices or [float(number) for number in numbers])}


# How two tables differ.


def test_the_first_table_is_all_new(store):
    assert compare(store, None, kept(store, table([1, 2])), ("house",), "price", "regression") == Changes(
        added=2, changed=0, gone=0
    )


def test_added_changed_and_gone_rows_are_counted(store):
    before, after = kept(store, table([1, 2, 3])), kept(store, table([2, 3, 4, 5], [2.0, 9.0, 4.0, 5.0]))
    assert compare(store, before, after, ("house",), "price", "regression") == Changes(added=2, changed=1, gone=1)


def test_the_order_of_rows_is_no_change(store):
    before, after = kept(store, table([1, 2, 3])), kept(store, table([3, 1, 2]))
    assert before != after
    assert compare(store, before, after, ("house",), "price", "regression") == NONE


def test_a_class_that_did_not_occur_before_is_named(store):
    before = kept(store, {"house": [1, 2], "kind": ["hut", "barn"]})
    after = kept(store, {"house": [1, 2, 3], "kind": ["hut", "barn", "villa"]})
    assert compare(store, before, after, ("house",), "kind", "classification").new_classes == ("villa",)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2)), max_size=12), st.data())
def test_the_counts_are_those_of_a_plain_comparison(tmp_path_factory, rows, data):
    store = Store(tmp_path_factory.mktemp("s"), "houses")
    others = data.draw(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2)), max_size=12))
    before, after = (
        kept(store, {"house": pa.array([r[0] for r in t], "int64"), "price": pa.array([r[1] for r in t], "int64")})
        for t in (rows, others)
    )
    found = compare(store, before, after, ("house",), "price", "regression")
    known = {house for house, _ in rows}
    assert found.added == sum(house not in known for house, _ in others)
    assert found.changed == sum(row[0] in known and row not in rows for row in others)
    assert found.gone == sum(house not in {h for h, _ in others} for house, _ in rows)


# Entries.


def test_entries_are_numbered_and_an_equal_one_is_not_written_twice(store):
    history = Snapshots(store)
    assert history.accepted() is None
    first = Snapshot(data=kept(store, table([1, 2])), origin="here")
    second = Snapshot(data=kept(store, table([1, 2, 3])), origin="here")
    assert history.keep(first, "accepted", NONE).number == 1
    assert history.keep(first, "accepted", NONE).number == 1
    assert history.keep(second, "refused", NONE, sentence="too dirty").number == 2
    assert history.accepted().number == 1
    assert history.keep(second, "accepted", NONE).number == 3
    assert [entry.number for entry in history.entries()] == [1, 2, 3]
    assert history.entry(3).snapshot == second


def test_an_entry_that_is_not_there_or_was_refused_is_a_sentence(store):
    history = Snapshots(store)
    history.keep(Snapshot(data=kept(store, table([1])), origin="here"), "refused", NONE, sentence="too dirty")
    with pytest.raises(ProblemError, match=r"houses has no snapshot 2; it has 1\."):
        history.entry(2)
    with pytest.raises(ProblemError, match=r"Snapshot 1 of houses was refused"):
        history.entry(1)


# From a batch to a snapshot.

GROWING = FilesSource(kind="files", path="houses.csv", mode="append")
WHOLE = FilesSource(kind="files", path="houses.csv")


def take(store, rows, base=None, source=GROWING, identity=("house",), accept_columns=False):
    batch = store.keep_table(pa.table(rows), "raw")
    return taken(store, batch, "here", source, base, (identity, "price"), accept_columns)


def test_a_run_that_overlaps_with_another_does_not_lose_its_rows(store):
    history = Snapshots(store)
    first, too = take(store, table([1])), take(store, table([9]))
    history.keep(first, "accepted", NONE)
    with pytest.raises(SalamanderError, match="Another run has taken data of houses meanwhile; run again"):
        history.keep(too, "accepted", NONE)
    one, other = take(store, table([2]), first), take(store, table([3]), first)
    assert history.keep(one, "accepted", NONE).number == 2
    assert history.keep(other, "refused", NONE).number == 3, "what is not accepted takes nothing away"
    with pytest.raises(SalamanderError, match="run again"):
        history.keep(other, "accepted", NONE)
    assert history.keep(take(store, table([3]), one), "accepted", NONE).number == 4


def test_a_batch_without_news_is_the_same_snapshot(store):
    first = take(store, table([1]))
    second = take(store, table([2]), first)
    assert take(store, table([2]), second) == second


def test_whole_tables_may_overlap(store):
    history = Snapshots(store)
    first = take(store, table([1]), source=WHOLE)
    for rows in ([2], [3]):
        history.keep(take(store, table(rows), first, WHOLE), "accepted", NONE)
    assert len(history.entries()) == 2


@pytest.mark.parametrize("source", [GROWING, WHOLE])
def test_a_refused_batch_can_be_found(store, source):
    base = take(store, table([1, 2, 3]), source=source)
    with pytest.raises(RefusedBatch, match="'price' is missing") as refused:
        take(store, {"house": [7]}, base, source)
    assert store.table(refused.value.snapshot.data).to_pydict() == {"house": [7]}


def test_a_table_that_shrank_can_be_found(store):
    with pytest.raises(RefusedBatch, match="smallest_share") as refused:
        take(store, table([1]), take(store, table([1, 2, 3]), source=WHOLE), WHOLE)
    assert refused.value.snapshot.data.rows == 1


@pytest.mark.parametrize("source", [GROWING, WHOLE])
def test_a_misspelt_identity_is_a_sentence(store, source):
    with pytest.raises(ProblemError, match=r"toml: identity names the column 'hose', .*did you mean 'house'"):
        take(store, table([1]), source=source, identity=("hose",))


def test_a_misspelt_target_is_a_sentence(store):
    with pytest.raises(ProblemError, match="target names the column 'price', which the data does not have"):
        take(store, {"house": [1]}, source=WHOLE)


def test_a_column_that_held_nothing_takes_what_comes(store):
    base = take(store, {**table([1]), "roof": pa.nulls(1), "rooms": pa.nulls(1)})
    second = take(store, {**table([2]), "roof": ["red"], "rooms": [7]}, base)
    assert store.table(second.data).select(["house", "roof", "rooms"]).to_pylist() == [
        {"house": 1, "roof": None, "rooms": None},
        {"house": 2, "roof": "red", "rooms": 7},
    ]


def test_accepted_columns_lose_no_value_of_the_rows_before(store):
    base = take(store, {**table([1, 2]), "code": ["007", "7"], "rooms": [1.5, 2.0], "old": ["a", "b"]})
    rows = {**table([3]), "code": [8], "rooms": [3], "new": ["x"]}
    snapshot = take(store, rows, base, accept_columns=True)
    found = store.table(snapshot.data).to_pydict()
    assert found["code"] == ["007", "7", "8"]
    assert found["rooms"] == [1.5, 2.0, 3.0]
    assert found["new"] == [None, None, "x"]
    assert "old" not in found


def test_a_new_column_is_no_obstacle_to_comparing(store):
    before, after = kept(store, table([1, 2])), kept(store, {**table([1, 2, 3]), "roof": ["red"] * 3})
    assert compare(store, before, after, (), "price", "regression") == Changes(added=1, changed=0, gone=0)
    assert compare(store, before, after, ("roof",), "price", "regression") == Changes(added=3, changed=0, gone=2)
