import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit, train_test_split

from tasks.columns import ROW, row_hashes
from tasks.errors import DataRefused
from tasks.problem import SplitRule
from tasks.records import Validated
from tasks.split import divide, smallest_hashes, split, strata

HASH = SplitRule(stratify="place")


def houses(sizes, seed=0):
    """Give rows of unique identity: as many of each place as asked for, in any order."""
    places = np.repeat([f"place {number}" for number in range(len(sizes))], sizes)
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"identity": rng.permutation(10 * len(places))[: len(places)], "place": rng.permutation(places)}
    )
    return frame.assign(rooms=rng.integers(1, 9, len(frame)), price=rng.normal(size=len(frame)))


def sides(frame, rule=HASH, identity=("identity",)):
    train, test, shares = divide(frame, rule, identity, "price")
    return set(train["identity"]), set(test["identity"]), shares


SIZES = st.lists(st.integers(10, 60), min_size=1, max_size=5)


@given(SIZES, st.sampled_from([0.1, 0.2, 0.25, 0.3, 0.5]), st.integers(0, 1000))
def test_each_stratum_gives_its_share_to_a_row(sizes, test_size, seed):
    frame = houses(sizes, seed)
    train, test, shares = divide(frame, SplitRule(stratify="place", test_size=test_size), ["identity"], "price")
    assert sorted([*train["identity"], *test["identity"]]) == sorted(frame["identity"])
    counted = test["place"].value_counts()
    for number, size in enumerate(sizes):
        assert abs(counted.get(f"place {number}", 0) - test_size * size) <= 0.5 + 1e-9
    assert [(share.name, share.train + share.test) for share in shares] == [
        (f"place {number}", size) for number, size in enumerate(sizes)
    ]
    assert sum(share.test for share in shares) == len(test)


@given(SIZES, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(sizes, random):
    frame = houses(sizes)
    order = list(range(len(frame)))
    random.shuffle(order)
    shuffled = frame.iloc[order].reset_index(drop=True)
    (train, test, shares), (train_again, test_again, shares_again) = (
        divide(given_rows, HASH, ["identity"], "price") for given_rows in (frame, shuffled)
    )
    pd.testing.assert_frame_equal(train.reset_index(drop=True), train_again.reset_index(drop=True))
    pd.testing.assert_frame_equal(test.reset_index(drop=True), test_again.reset_index(drop=True))
    assert shares == shares_again


@given(st.lists(st.integers(0, 25), min_size=1, max_size=120), st.integers(0, 100))
def test_rows_of_equal_identity_stay_together(identities, seed):
    """Even where they are of different strata."""
    hashes = row_hashes(pd.DataFrame({"identity": identities}), ["identity"])
    stratum = np.random.default_rng(seed).choice(["sea", "hill"], len(identities))
    chosen = smallest_hashes(hashes, stratum, 0.3)
    assert set(hashes[chosen]).isdisjoint(hashes[~chosen])


def test_a_family_counts_as_its_rows():
    """100 rows in families of four: 20 test rows are five families."""
    frame = houses([100]).assign(identity=np.arange(100) // 4)
    _, test, _ = divide(frame, HASH, ["identity"], "price")
    assert len(test) == 20
    assert test["identity"].nunique() == 5


def grown(seed, rows):
    """Give the first rows of 891, as Titanic grew: those of one seed are the same however many are asked for."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "identity": rng.permutation(10**6)[:891],
            "place": rng.choice(["sea", "hill"], 891, p=[0.4, 0.6]),
            "price": 1.0,
        }
    ).head(rows)


@pytest.mark.parametrize("seed", range(5))
def test_growth_moves_few_rows_where_a_seeded_shuffle_moves_many(seed):
    before, after = grown(seed, 800), grown(seed, 891)
    old_train, old_test, _ = sides(before)
    new_train, new_test, _ = sides(after)
    assert len(new_test) == pytest.approx(0.2 * 891, abs=1)
    assert len(old_train & new_test) <= 8  # a champion of before was trained on them
    assert len(old_test & new_train) <= 8

    def shuffled(frame):
        train, test = train_test_split(frame, test_size=0.2, stratify=frame["place"], random_state=42)
        return set(train["identity"]), set(test["identity"])

    (shuffled_train, _), (_, shuffled_test) = shuffled(before), shuffled(after)
    assert len(shuffled_train & shuffled_test) > 40


def test_growth_moves_rows_one_way_within_a_stratum():
    """The test rows are the smallest hashes, so the boundary moves up or down, never both ways."""
    for seed in range(20):
        before, after = grown(seed, 800), grown(seed, 891)
        (old_train, old_test, _), (new_train, new_test, _) = sides(before), sides(after)
        for place in ("sea", "hill"):
            here = set(before["identity"][before["place"] == place])
            assert not (old_train & new_test & here) or not (old_test & new_train & here)


@given(st.integers(0, 50))
def test_corrected_rows_keep_their_side(seed):
    frame = houses([40, 30], seed)
    corrected = frame.copy()
    corrected.loc[::3, "rooms"] += 100
    corrected.loc[::2, "price"] *= -1
    assert sides(corrected) == sides(frame)


def test_rows_without_a_target_are_left_out():
    frame = houses([50])
    frame.loc[:9, "price"] = np.nan
    train, test, shares = divide(frame, HASH, ["identity"], "price")
    assert len(train) + len(test) == 40
    assert set(train["identity"]) | set(test["identity"]) == set(frame["identity"][10:])
    assert shares[0].train + shares[0].test == 40


def test_both_sides_carry_the_hash_of_identity():
    train, test, _ = divide(houses([50]), HASH, ["identity"], "price")
    for side in (train, test):
        np.testing.assert_array_equal(side[ROW], row_hashes(side, ["identity"]))
        assert side[ROW].is_monotonic_increasing
    assert test[ROW].max() < train[ROW].min()


def test_smallest_hashes_by_hand():
    hashes = np.array([9, 1, 5, 3, 7, 2, 8, 4], dtype="uint64")
    stratum = np.array(["a", "a", "a", "a", "b", "b", "b", "b"])
    chosen = smallest_hashes(hashes, stratum, 0.5)
    assert hashes[chosen].tolist() == [1, 3, 2, 4]


def test_strata_of_numbers_are_the_bins_that_they_are_in():
    frame = pd.DataFrame({"income": [0.5, 1.5, 1.6, 3.0, 99.0, np.nan]})
    rule = SplitRule(stratify="income", bins=(1.5, 3.0))
    assert strata(frame, rule).tolist() == [
        "-inf to 1.5",
        "-inf to 1.5",
        "1.5 to 3",
        "1.5 to 3",
        "3 to inf",
        "missing",
    ]


def test_without_stratify_there_is_one_stratum():
    frame = houses([50, 50])
    train, test, shares = divide(frame, SplitRule(), ["identity"], "price")
    assert [(share.name, share.train, share.test) for share in shares] == [("all", 80, 20)]
    assert (len(train), len(test)) == (80, 20)


def test_shuffle_is_stratified_shuffle_split_row_for_row():
    frame = houses([60, 40])
    rule = SplitRule(kind="shuffle", stratify="place", test_size=0.25, seed=7)
    train, test, _ = divide(frame, rule, ["identity"], "price")
    splitter = StratifiedShuffleSplit(n_splits=1, test_size=0.25, random_state=7)
    expected_train, expected_test = next(splitter.split(frame, frame["place"]))
    assert train["identity"].tolist() == frame["identity"].iloc[expected_train].tolist()
    assert test["identity"].tolist() == frame["identity"].iloc[expected_test].tolist()


def test_shuffle_without_stratify_is_shuffle_split_row_for_row():
    frame = houses([60])
    train, test, _ = divide(frame, SplitRule(kind="shuffle"), ["identity"], "price")
    expected_train, expected_test = next(ShuffleSplit(n_splits=1, test_size=0.2, random_state=42).split(frame))
    assert train["identity"].tolist() == frame["identity"].iloc[expected_train].tolist()
    assert test["identity"].tolist() == frame["identity"].iloc[expected_test].tolist()


@pytest.mark.parametrize("kind", ["hash", "shuffle"])
@pytest.mark.parametrize("sizes", [[50, 2], [50, 1]])
def test_a_stratum_that_is_too_small_is_named(kind, sizes):
    with pytest.raises(DataRefused) as caught:
        divide(houses(sizes), SplitRule(kind=kind, stratify="place"), ["identity"], "price")
    assert f"stratum 'place 1' has {sizes[1]} rows, too few for test_size = 0.2" in str(caught.value)
    assert "split.bins" in str(caught.value)


def test_no_rows_are_refused():
    with pytest.raises(DataRefused, match="there are no rows"):
        divide(houses([20]).assign(price=np.nan), SplitRule(), ["identity"], "price")


@pytest.mark.parametrize(("size", "test_size"), [(5, 0.1), (4, 0.9), (2, 0.8)])
def test_no_side_of_a_stratum_is_empty(size, test_size):
    """ "A stratum is too small to have a row on both sides" is refused, as the docstring promises."""
    rule = SplitRule(stratify="place", test_size=test_size)
    with pytest.raises(DataRefused, match="stratum 'place 1' has"):
        divide(houses([50, size]), rule, ["identity"], "price")


def test_one_identity_for_all_rows_is_refused():
    """Nothing is left to test on when every row is the same, as when the identity is a constant column."""
    with pytest.raises(DataRefused):
        divide(houses([50]).assign(identity=1), SplitRule(), ["identity"], "price")


@pytest.mark.usefixtures("without_run_logger")
def test_the_task_keeps_both_sides(store):
    table = pa.Table.from_pandas(houses([60, 40]), preserve_index=False)
    validated = Validated(data=store.keep_table(table, "raw"), expectations=1)
    record = split.fn(validated, HASH, ("identity",), "price", store)
    assert (record.train.rows, record.test.rows) == (80, 20)
    assert record.train.names == ("identity", "place", "rooms", "price", ROW)
    assert [(share.train, share.test) for share in record.strata] == [(48, 12), (32, 8)]
    assert split.fn(validated, HASH, ("identity",), "price", store) == record
    by_all_but_target = split.fn(validated, HASH, (), "price", store)
    hashes = store.table(by_all_but_target.test).to_pandas()
    np.testing.assert_array_equal(hashes[ROW], row_hashes(hashes, ["identity", "place", "rooms"]))
