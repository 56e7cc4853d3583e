import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.dividing.sides import decide, newest, smallest_hashes
from tasks.errors import DataRefused
from tasks.evidence import Evidence
from tasks.problem import SplitRule

SHARES = st.sampled_from([0.1, 0.2, 0.25, 0.3, 0.5])


def reference(hashes, stratum, test_size):
    """Tell for each row whether it is a test row, as the first version did, with a frame of a row each."""
    rows = pd.DataFrame({"hash": hashes, "stratum": pd.factorize(stratum, sort=True)[0]})
    units = rows.groupby("hash", sort=True)["stratum"].agg(["min", "size"])
    by_stratum = units.groupby("min")["size"]
    wanted = (by_stratum.transform("sum") * test_size).round()
    middle = by_stratum.cumsum() - units["size"] / 2
    return rows["hash"].isin(units.index[middle <= wanted]).to_numpy()


ROWS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 4)), min_size=1, max_size=150)


@given(ROWS, SHARES)
def test_sides_are_those_of_the_first_version(rows, share):
    hashes, stratum = (np.array(column) for column in zip(*rows, strict=True))
    chosen = smallest_hashes(hashes.astype("uint64"), stratum, share) == 0
    np.testing.assert_array_equal(chosen, reference(hashes.astype("uint64"), stratum, share))


@pytest.mark.parametrize("share", [0.1, 0.2, 0.33])
def test_sides_of_many_rows_are_those_of_the_first_version(share):
    rng = np.random.default_rng(0)
    hashes, stratum = rng.integers(0, 40_000, 100_000).astype("uint64"), rng.integers(0, 7, 100_000)
    chosen = smallest_hashes(hashes, stratum, share) == 0
    np.testing.assert_array_equal(chosen, reference(hashes, stratum, share))


@given(ROWS, SHARES, st.sampled_from([0.1, 0.2, 0.4]))
def test_the_second_share_is_of_all_rows_and_leaves_the_first_as_it_is(rows, first, second):
    hashes, stratum = (np.array(column) for column in zip(*rows, strict=True))
    part = smallest_hashes(hashes.astype("uint64"), stratum, first, second)
    np.testing.assert_array_equal(part == 0, reference(hashes.astype("uint64"), stratum, first))
    for value in set(hashes):
        assert len(set(part[hashes == value])) == 1


@given(st.integers(10, 300), SHARES, st.sampled_from([0.1, 0.2, 0.4]), st.integers(1, 4))
def test_both_shares_are_exact_to_a_row_in_every_stratum(rows, first, second, strata):
    rng = np.random.default_rng(rows)
    hashes, stratum = rng.permutation(10**6)[:rows].astype("uint64"), rng.integers(0, strata, rows)
    part = smallest_hashes(hashes, stratum, first, second)
    for number in set(stratum):
        here = part[stratum == number]
        assert abs((here == 0).sum() - first * len(here)) <= 0.5 + 1e-9
        assert abs((here == 1).sum() - second * len(here)) <= 0.5 + 1e-9


def test_smallest_hashes_by_hand():
    hashes = np.array([9, 1, 5, 3, 7, 2, 8, 4], dtype="uint64")
    stratum = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    part = smallest_hashes(hashes, stratum, 0.5, 0.25)
    assert hashes[part == 0].tolist() == [1, 3, 2, 4]
    assert hashes[part == 1].tolist() == [5, 7]


@given(st.lists(st.integers(-20, 20), min_size=1, max_size=80), SHARES)
def test_the_newest_are_a_share_of_the_rows(times, share):
    moments = np.array(times)
    chosen = newest(moments, share, len(times))
    if chosen.any() and not chosen.all():
        assert moments[~chosen].max() < moments[chosen].min()
    largest = max(times.count(time) for time in times)
    assert abs(chosen.sum() - round(share * len(times))) <= largest / 2


def test_the_newest_are_a_period():
    day = 86_400_000_000
    times = np.arange(10) * day
    assert newest(times, "3 days", 10).tolist() == [False] * 7 + [True] * 3
    assert newest(times, "72 hours", 10).sum() == 3
    assert newest(times, "1 year", 10).all()


def evidence(rows, **changes):
    hashes = np.random.default_rng(0).permutation(rows).astype("uint64")
    stratum = np.zeros(rows, dtype="int32")
    return Evidence(**({"rows": hashes, "units": hashes, "stratum": stratum, "target": np.ones(rows)} | changes))


@given(st.lists(st.integers(0, 15), min_size=20, max_size=80), st.sampled_from([None, 0.25]))
def test_no_group_is_on_two_sides(groups, validation_size):
    found = np.array(groups, dtype="uint64") * np.uint64(2**59)
    rule = SplitRule(kind="group", by=("customer",), test_size=0.3, validation_size=validation_size)
    try:
        sides = decide(evidence(len(groups), units=found), rule)
    except DataRefused as error:
        assert "divide by smaller groups than those of customer" in str(error)  # noqa: PT017
        return
    parts = [sides.test, sides.train[sides.validation], sides.train[~sides.validation]]
    assert sorted(np.concatenate(parts)) == list(range(len(groups)))
    seen = [set(found[part]) for part in parts]
    assert seen[0].isdisjoint(seen[1] | seen[2])
    assert seen[1].isdisjoint(seen[2])


@given(
    st.lists(st.integers(0, 40), min_size=30, max_size=80),
    st.sampled_from([0.2, "3 days"]),
    st.sampled_from([None, 0.2, "5 days"]),
)
def test_no_row_of_the_future_is_trained_on(days, test_size, validation_size):
    times = np.array(days) * 86_400_000_000
    rule = SplitRule(kind="time", by=("day",), test_size=test_size, validation_size=validation_size)
    try:
        sides = decide(evidence(len(days), times=times), rule)
    except DataRefused as error:
        assert "choose other sizes" in str(error)  # noqa: PT017
        return
    trained, validated = sides.train[~sides.validation], sides.train[sides.validation]
    assert times[sides.train].max() < times[sides.test].min()
    assert len(validated) == 0 or times[trained].max() < times[validated].min()
    assert (np.diff(times[sides.train]) >= 0).all()
    if test_size == "3 days":
        assert set(np.unique(times[sides.test])) <= set(times.max() - np.arange(3) * 86_400_000_000)


def test_validation_of_a_shuffle_is_another_shuffle_of_the_training_rows():
    rule = SplitRule(kind="shuffle", test_size=0.2, validation_size=0.3)
    plain = decide(evidence(100), SplitRule(kind="shuffle", test_size=0.2))
    sides = decide(evidence(100), rule)
    np.testing.assert_array_equal(sides.test, plain.test)
    np.testing.assert_array_equal(sides.train, plain.train)
    assert sides.validation.sum() == 30


@pytest.mark.parametrize("kind", ["hash", "shuffle"])
def test_a_stratum_without_a_validation_row_is_named(kind):
    stratum = np.repeat([0, 1], [95, 5]).astype("int32")
    rule = SplitRule(kind=kind, stratify="place", test_size=0.4, validation_size=0.05)
    with pytest.raises(DataRefused, match=r"stratum 'b' has 5 rows, too few for test_size = 0.4 and validation_size"):
        decide(evidence(100, stratum=stratum, names=("a", "b")), rule)
