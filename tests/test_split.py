import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit, train_test_split

from tasks import store as store_module
from tasks.columns import FOLD, ROW, row_hashes
from tasks.dividing import buckets
from tasks.dividing.sides import decide
from tasks.errors import DataRefused, ProblemError
from tasks.evidence import Reading
from tasks.problem import SplitRule
from tasks.records import Validated
from tasks.split import check_classes, shares, split

HASH = SplitRule(stratify="place")


def houses(sizes, seed=0):
    """Give rows of unique identity: as many of each place as asked for, in any order."""
    places = np.repeat([f"place {number}" for number in range(len(sizes))], sizes)
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"identity": rng.permutation(10 * len(places))[: len(places)], "place": rng.permutation(places)}
    )
    return frame.assign(rooms=rng.integers(1, 9, len(frame)), price=rng.normal(size=len(frame)))


def divide(frame, rule, identity, target, rows_a_batch=50):
    """Give the training rows, the test rows and the shares of the strata, decided from small batches."""
    reading = Reading(rule, identity, target, "regression")
    for batch in pa.Table.from_pandas(frame, preserve_index=False).select(reading.columns).to_batches(rows_a_batch):
        reading.add(batch)
    has_target, evidence = reading.evidence()
    labelled, found = frame[has_target].assign(**{ROW: evidence.rows}), decide(evidence, rule)
    return labelled.iloc[found.train], labelled.iloc[found.test], shares(evidence, found)


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


@given(st.integers(0, 50))
def test_where_a_stratum_is_corrected_only_rows_near_a_boundary_may_move(seed):
    """Those between the lowest and the highest boundary of all strata, before and after."""
    frame = houses([300, 200, 100], seed).assign(hash=lambda rows: row_hashes(rows, ["identity"]))
    corrected = frame.copy()
    few = np.random.default_rng(seed).choice(600, 30, replace=False)
    corrected.loc[few, "place"] = "place 0"
    boundaries = []
    for rows in (frame, corrected):
        train, test, _ = divide(rows, HASH, ["identity"], "price")
        boundaries += [*test.groupby("place")["hash"].max(), *train.groupby("place")["hash"].min()]
    (old_train, old_test, _), (new_train, new_test, _) = sides(frame), sides(corrected)
    moved = (old_train & new_test) | (old_test & new_train)
    hashes = frame.set_index("identity")["hash"]
    assert all(min(boundaries) <= hashes[identity] <= max(boundaries) for identity in moved)
    assert len(moved) <= 30


def days(rows, **columns):
    moments = pd.date_range("2024-01-01", periods=rows, freq="D", unit="us")
    return pd.DataFrame({"day": moments, "identity": range(rows), "price": 1.0} | columns)


@pytest.mark.parametrize("written", [lambda day: day, lambda day: day.dt.strftime("%Y-%m-%d"), lambda day: day.dt.date])
def test_the_test_rows_are_the_newest_period(written):
    frame = days(800).sample(frac=1, random_state=1).assign(day=lambda rows: written(rows["day"]))
    rule = SplitRule(kind="time", by="day", test_size="1 year", validation_size="30 days")
    train, test, (share,) = divide(frame, rule, ["identity"], "price")
    assert (share.train, share.validation, share.test) == (800 - 365 - 30, 30, 365)
    assert train["identity"].tolist() == list(range(435))
    assert test["identity"].tolist() == list(range(435, 800))


@pytest.mark.parametrize(("size", "rows"), [(0.25, 10), (0.1, 4)])
def test_time_may_be_a_number_and_the_size_a_share(size, rows):
    frame = days(40).assign(day=np.arange(40.0))
    _, test, _ = divide(frame, SplitRule(kind="time", by="day", test_size=size), ["identity"], "price")
    assert test["identity"].tolist() == list(range(40 - rows, 40))


def test_a_period_needs_dates():
    rule = SplitRule(kind="time", by="day", test_size="90 days")
    with pytest.raises(ProblemError, match=r"split.test_size = '90 days' needs dates, but the column 'day'"):
        divide(days(40).assign(day=np.arange(40)), rule, ["identity"], "price")


def test_rows_without_a_time_are_counted():
    frame = days(40)
    frame.loc[[3, 30], "day"] = pd.NaT
    with pytest.raises(DataRefused, match="2 of 40 rows have no time in the column 'day'"):
        divide(frame, SplitRule(kind="time", by="day"), ["identity"], "price")


def test_a_period_that_leaves_nothing_to_train_on_is_refused():
    with pytest.raises(DataRefused, match="40 rows, too few for test_size = 5 years; choose other sizes"):
        divide(days(40), SplitRule(kind="time", by="day", test_size="5 years"), ["identity"], "price")


def test_text_is_no_target_of_a_regression():
    with pytest.raises(DataRefused, match=r"The target 'price' holds .*string, but task = 'regression' needs numbers"):
        divide(houses([40]).assign(price="dear"), SplitRule(), ["identity"], "price")


def test_training_rows_of_one_class_are_refused():
    reading = Reading(SplitRule(), ["identity"], "place", "classification")
    frame = houses([40, 2]).assign(place=lambda rows: np.where(rows["place"] == "place 0", "hill", "sea"))
    reading.add(pa.RecordBatch.from_pandas(frame[["identity", "place"]], preserve_index=False))
    _, evidence = reading.evidence()
    check_classes(evidence, np.arange(42), "place")
    with pytest.raises(DataRefused, match="The target 'place' has one class only, 'hill'; there is nothing to tell"):
        check_classes(evidence, np.flatnonzero(frame["place"] == "hill"), "place")


# The task.


def kept(store, frame):
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return Validated(data=store.keep_table(table, "raw"), expectations=1)


def divided(store, frame, rule=HASH, identity=("identity",), folds=5, task_kind="regression"):
    return split.fn(kept(store, frame), rule, identity, "price", folds, task_kind, store)


@pytest.mark.usefixtures("without_run_logger")
def test_the_task_keeps_both_sides(store):
    frame = houses([60, 40])
    record = divided(store, frame)
    assert (record.train.rows, record.test.rows) == (80, 20)
    assert record.test.names == ("identity", "place", "rooms", "price", ROW)
    assert record.train.names == (*record.test.names, FOLD)
    assert [(share.train, share.test) for share in record.strata] == [(48, 12), (32, 8)]
    assert (record.unit, record.folds, record.forward) == (("identity",), 5, False)
    assert divided(store, frame) == record
    train, test, _ = divide(frame, HASH, ["identity"], "price")
    pd.testing.assert_frame_equal(store.table(record.test).to_pandas(), test.reset_index(drop=True))
    rows = store.table(record.train).to_pandas()
    pd.testing.assert_frame_equal(rows.drop(columns=FOLD), train.reset_index(drop=True))
    assert rows[FOLD].dtype == np.int16
    by_all_but_target = divided(store, frame, identity=())
    assert by_all_but_target.unit == ("identity", "place", "rooms")
    hashes = store.table(by_all_but_target.test).to_pandas()
    np.testing.assert_array_equal(hashes[ROW], row_hashes(hashes, ["identity", "place", "rooms"]))


@pytest.mark.usefixtures("without_run_logger")
@pytest.mark.parametrize("kind", ["hash", "group", "time"])
def test_neither_the_order_of_rows_nor_the_batches_change_a_byte(store, monkeypatch, kind):
    rng = np.random.default_rng(2)
    frame = houses([300, 200]).assign(day=rng.integers(0, 90, 500), customer=rng.choice(list("abcdefghijklmnop"), 500))
    frame.loc[::7, "place"] = None
    rules = {
        "hash": SplitRule(stratify="place", validation_size=0.1),
        "group": SplitRule(kind="group", by=("customer",)),
        "time": SplitRule(kind="time", by="day"),
    }
    record = divided(store, frame, rules[kind])
    monkeypatch.setattr(store_module, "BATCH", 37)
    monkeypatch.setattr(buckets, "LEAST_ROWS", 64)
    assert divided(store, frame, rules[kind]) == record
    assert divided(store, frame.sample(frac=1, random_state=3), rules[kind]) == record


@pytest.mark.usefixtures("without_run_logger")
def test_a_group_is_on_one_side_and_in_one_fold(store):
    frame = houses([600]).assign(customer=lambda rows: rows["identity"] % 60)
    record = divided(store, frame, SplitRule(kind="group", by="customer"), folds=4)
    train, test = (store.table(side).to_pandas() for side in (record.train, record.test))
    assert record.unit == ("customer",)
    assert set(train["customer"]).isdisjoint(test["customer"])
    assert (train.groupby("customer")[FOLD].nunique() == 1).all()
    assert set(train[FOLD]) == {0, 1, 2, 3}
    np.testing.assert_array_equal(train[ROW], row_hashes(train, ["identity"]))


@pytest.mark.usefixtures("without_run_logger")
def test_folds_of_a_split_by_time_go_forward(store):
    frame = days(300).assign(day=lambda rows: rows["day"].repeat(3).to_numpy()[:300])
    record = divided(store, frame, SplitRule(kind="time", by="day", test_size="20 days"), folds=3)
    train = store.table(record.train).to_pandas()
    assert (record.folds, record.forward) == (3, True)
    assert set(train[FOLD]) == {-1, 0, 1, 2}
    for number in range(3):
        assert train["day"][train[FOLD] < number].max() < train["day"][train[FOLD] == number].min()
    assert np.ptp(np.bincount(train[FOLD] + 1)) <= 3


@pytest.mark.usefixtures("without_run_logger")
@pytest.mark.parametrize("kind", ["hash", "shuffle"])
def test_a_validation_part_is_the_one_fold(store, kind):
    record = divided(store, houses([60, 40]), SplitRule(kind=kind, stratify="place", validation_size=0.1))
    fold = store.table(record.train)[FOLD].to_numpy()
    assert (record.folds, record.forward) == (1, False)
    assert np.bincount(fold + 1).tolist() == [70, 10]
    assert [(share.train, share.validation, share.test) for share in record.strata] == [(42, 6, 12), (28, 4, 8)]


@pytest.mark.usefixtures("without_run_logger")
def test_too_few_units_for_the_folds_are_refused(store):
    frame = houses([100]).assign(customer=np.arange(100) % 4)
    with pytest.raises(DataRefused, match=r"too few, or too alike, for cross_validation.folds = 5"):
        divided(store, frame, SplitRule(kind="group", by="customer", test_size=0.25))


@pytest.mark.usefixtures("without_run_logger")
@pytest.mark.parametrize("name", [ROW, FOLD])
def test_a_name_that_is_taken_is_refused(store, name):
    with pytest.raises(DataRefused, match=f"The data has a column '{name}'"):
        divided(store, houses([40]).rename(columns={"rooms": name}))


@pytest.mark.usefixtures("without_run_logger")
def test_types_stay_what_they_are(store):
    """Also where a value is missing, which makes pandas read whole numbers as floats."""
    frame = houses([60, 40])
    frame["rooms"] = frame["rooms"].astype("Int64").mask(frame["rooms"] == 3)
    record = divided(store, frame)
    assert {column.name: column.dtype for column in record.train.columns}["rooms"] == "int64"
    assert store.table(record.train)["rooms"].null_count + store.table(record.test)["rooms"].null_count == int(
        frame["rooms"].isna().sum()
    )
