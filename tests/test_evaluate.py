from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import bootstrap

from tasks.columns import ROW, row_hashes
from tasks.errors import DataRefused, ProblemError
from tasks.estimators import build
from tasks.evaluate import difference, evaluate, interval, seen, sentence
from tasks.metrics import METRICS
from tasks.models import PIPELINE, save
from tasks.problem import Candidate
from tasks.records import FeatureSet, Model, Snapshot, Verdict, Version

MAE, RMSE, ACCURACY = METRICS["mae"], METRICS["rmse"], METRICS["accuracy"]


def test_intervals_cover_the_truth_as_often_as_they_say():
    """300 samples of 100 exponential losses, whose true mean is 1."""
    rng = np.random.default_rng(0)
    found = [interval(MAE, rng.exponential(size=100), 0.9, seed) for seed in range(300)]
    covered = np.mean([each.low <= 1.0 <= each.high for each in found])
    assert 0.84 <= covered <= 0.94
    assert all(each.low <= each.value <= each.high for each in found)


def test_the_interval_of_accuracy_is_near_the_binomial_one():
    losses = np.repeat([1.0, 0.0], [100, 900])
    found = interval(ACCURACY, losses, 0.95, 1)
    assert found.value == pytest.approx(0.9)
    width = 1.96 * (0.9 * 0.1 / 1000) ** 0.5
    assert found.low == pytest.approx(0.9 - width, abs=0.003)
    assert found.high == pytest.approx(0.9 + width, abs=0.003)


def test_the_interval_of_rmse_is_in_the_units_of_the_target():
    found = interval(RMSE, np.full(50, 9.0), 0.95, 1)
    assert (found.value, found.low, found.high) == (3.0, 3.0, 3.0)


def test_perfect_predictions_have_an_interval():
    found = interval(ACCURACY, np.zeros(40), 0.95, 1)
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)


def test_the_same_seed_gives_the_same_interval():
    losses = np.random.default_rng(0).exponential(size=60)
    assert interval(MAE, losses, 0.95, 3) == interval(MAE, losses, 0.95, 3)
    assert interval(MAE, losses, 0.95, 3) != interval(MAE, losses, 0.95, 4)


def test_more_confidence_is_a_wider_interval():
    losses = np.random.default_rng(0).exponential(size=60)
    narrow, wide = (interval(MAE, losses, confidence, 3) for confidence in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_a_constant_gain_has_no_spread_in_pairs():
    champion = np.random.default_rng(0).exponential(size=80) + 1
    found = difference(MAE, champion - 0.25, champion, 0.95, 1)
    assert (found.value, found.low, found.high) == pytest.approx((-0.25, -0.25, -0.25))


def test_a_model_against_itself_is_no_different():
    losses = np.random.default_rng(0).exponential(size=80)
    for metric in (MAE, RMSE, ACCURACY):
        found = difference(metric, losses, losses, 0.95, 1)
        assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def test_the_sign_of_a_difference_is_challenger_less_champion():
    right, wrong = np.zeros(100), np.repeat([1.0, 0.0], [30, 70])
    assert difference(ACCURACY, right, wrong, 0.95, 1).value == pytest.approx(0.3)
    assert difference(RMSE, wrong * 4, right, 0.95, 1).value == pytest.approx((0.3 * 4) ** 0.5)


def test_pairs_make_the_interval_narrower_where_losses_are_alike():
    rng = np.random.default_rng(0)
    hard = rng.exponential(scale=3, size=300)  # what is hard for both
    champion, challenger = hard + rng.normal(0, 0.1, 300), hard + rng.normal(0, 0.1, 300)
    paired = difference(MAE, challenger, champion, 0.95, 1)
    unpaired = bootstrap(
        (challenger, champion), lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis), method="percentile", rng=rng
    ).confidence_interval
    assert paired.high - paired.low < 0.1 * (unpaired.high - unpaired.low)
    spread = 2 * 1.96 * (challenger - champion).std() / 300**0.5
    assert paired.high - paired.low == pytest.approx(spread, rel=0.1)


def arrow(frame):
    return pa.Table.from_pandas(frame, preserve_index=False)


def test_rows_that_a_model_was_trained_on_are_seen_however_they_were_hashed_then():
    rows = pd.DataFrame({"place": ["a", "b", "c"], "number": [1, 2, 3]})
    trained = pd.DataFrame({"place": ["c", "b", "z"], "number": [3.0, 9.0, np.nan], ROW: [7, 8, 9]})
    assert seen(arrow(rows), arrow(trained), ["place", "number"]).tolist() == [False, False, True]
    assert seen(arrow(rows), arrow(trained), ["place"]).tolist() == [False, True, True]


def test_a_long_number_is_seen_though_another_is_missing():
    """Pandas would read them as floats, and two accounts as one."""
    rows, trained = pa.table({"account": [2**60, 2**60 + 1]}), pa.table({"account": [2**60 + 1, None]})
    assert seen(rows, trained, ["account"]).tolist() == [False, True]


@pytest.mark.parametrize(
    "trained", [pd.DataFrame({"number": [1]}), pd.DataFrame({"place": [1.0], "number": [1]})], ids=["gone", "numbers"]
)
def test_where_the_identity_cannot_be_compared_nobody_can_tell(trained):
    rows = pd.DataFrame({"place": ["a"], "number": [1]})
    with pytest.raises(ValueError, match="no column 'place' of the same kind, so nobody can tell"):
        seen(arrow(rows), arrow(trained), ["place"])
    fewer = seen(arrow(pd.concat([rows, rows.assign(number=2)])), arrow(trained), ["place", "number"])
    assert fewer.tolist() == [True, False], "what is equal in the columns that both have may have been seen"


# The task.

COLUMNS = FeatureSet(target="price", roles={"rooms": "numeric"}, derived={})


def houses(rows, start=0):
    frame = pd.DataFrame({"identity": np.arange(start, start + rows)})
    frame["rooms"] = frame["identity"] % 7.0
    frame["price"] = 3 * frame["rooms"] + 0.1 * np.sin(frame["identity"])
    frame[ROW] = row_hashes(frame, ["identity"])
    return frame


def kept(store, frame, kind):
    return store.keep_table(pa.Table.from_pandas(frame, preserve_index=False), kind)


def model(store, name, train) -> Model:
    candidate = Candidate(name="tried", estimator=name)
    estimator = build(candidate, "regression", COLUMNS, 7)
    estimator.fit(train[["rooms"]], train["price"].to_numpy())
    return Model(
        candidate=candidate,
        task="regression",
        files=save(estimator, COLUMNS, store),
        columns=COLUMNS,
        leaderboard=(),
        trained_on=kept(store, train, "train"),
        libraries={},
        seed=7,
    )


def version(store, of, test) -> Version:
    scores = evaluate.fn(of, None, test, ("identity",), "rmse", 0.95, 1, store)
    return Version(
        number=4,
        key="k",
        model=of,
        scores=scores,
        verdict=Verdict(promote=True, rules=(), reason="x"),
        snapshot=Snapshot(data=test, origin="x"),
        test=test,
        problem_digest="p",
        code_digest="c",
        created=datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.mark.usefixtures("without_run_logger")
def test_the_first_model_is_scored_alone(store):
    test = houses(40, start=100)
    challenger = model(store, "DummyRegressor", houses(100))
    scores = evaluate.fn(challenger, None, kept(store, test, "test"), ("identity",), "mae", 0.95, 1, store)
    by_hand = np.abs(test["price"] - houses(100)["price"].mean())
    assert scores.challenger.value == pytest.approx(by_hand.mean(), rel=1e-12)
    assert (scores.rows, scores.excluded_rows) == (40, 0)
    assert (scores.champion, scores.difference, scores.champion_version) == (None, None, None)
    table = store.table(scores.predictions).to_pandas()
    assert list(table.columns) == [ROW, "target", "challenger", "challenger_loss"]
    np.testing.assert_allclose(table["challenger_loss"], by_hand, rtol=1e-12)
    assert sentence(scores).endswith("on 40 test rows.")


@pytest.mark.usefixtures("without_run_logger")
def test_both_models_are_scored_on_rows_that_neither_knows(store):
    test = kept(store, houses(60, start=80), "test")  # the first 20 were training rows of the champion
    champion = version(store, model(store, "DummyRegressor", houses(50)), test)
    champion = champion.model_copy(
        update={"model": champion.model.model_copy(update={"trained_on": kept(store, houses(100), "train")})}
    )
    challenger = model(store, "LinearRegression", houses(80))
    scores = evaluate.fn(challenger, champion, test, ("identity",), "rmse", 0.95, 1, store)
    assert (scores.rows, scores.excluded_rows, scores.champion_version) == (40, 20, 4)
    fair = houses(40, start=100)
    by_hand = np.sqrt(((fair["price"] - houses(50)["price"].mean()) ** 2).mean())
    assert scores.champion.value == pytest.approx(by_hand, rel=1e-9)
    assert scores.challenger.value < 0.2
    assert scores.difference.value == pytest.approx(scores.challenger.value - scores.champion.value)
    assert scores.difference.high < 0
    assert set(store.table(scores.predictions).to_pandas()[ROW]) == set(fair[ROW])
    assert "20 left out" in sentence(scores)
    assert "version 4 in production" in sentence(scores)


@pytest.mark.usefixtures("without_run_logger")
def test_a_customer_that_was_trained_on_leaks(store):
    """Where a split is by group, its unit is the group, whatever else tells rows apart."""
    customers = lambda frame: frame.assign(customer=frame["identity"] % 60)  # noqa: E731
    test = kept(store, customers(houses(40, start=100)), "test")  # customers 40 to 59, then 0 to 19
    challenger = model(store, "DummyRegressor", customers(houses(50)))  # customers 0 to 49
    scores = evaluate.fn(challenger, None, test, ("customer",), "mae", 0.95, 1, store)
    assert (scores.rows, scores.excluded_rows) == (10, 30)


@pytest.mark.usefixtures("without_run_logger")
def test_no_fair_row_is_refused(store):
    test = kept(store, houses(40), "test")
    with pytest.raises(DataRefused, match="Only 0 of 40 test rows were not used to train"):
        evaluate.fn(model(store, "Ridge", houses(100)), None, test, ("identity",), "rmse", 0.95, 1, store)


@pytest.mark.usefixtures("without_run_logger")
def test_a_champion_that_cannot_be_loaded_is_told_not_guessed(store):
    test = kept(store, houses(40, start=100), "test")
    champion = version(store, model(store, "Ridge", houses(100)), test)
    store.path(champion.model.files[PIPELINE]).write_bytes(b"damaged")
    scores = evaluate.fn(
        model(store, "LinearRegression", houses(100)), champion, test, ("identity",), "rmse", 0.95, 1, store
    )
    assert scores.champion is None
    assert scores.difference is None
    assert scores.champion_version == 4
    assert "version 4 cannot be judged on these rows" in scores.problem


@pytest.mark.usefixtures("without_run_logger")
def test_a_champion_whose_column_is_gone_is_told(store):
    train, test = houses(100).rename(columns={"rooms": "old"}), kept(store, houses(40, start=100), "test")
    columns = FeatureSet(target="price", roles={"old": "numeric"}, derived={})
    estimator = build(Candidate(name="tried", estimator="Ridge"), "regression", columns, 7)
    estimator.fit(train[["old"]], train["price"])
    challenger = model(store, "LinearRegression", houses(100))
    old = challenger.model_copy(update={"files": save(estimator, columns, store), "columns": columns})
    champion = version(store, challenger, test).model_copy(update={"model": old})
    scores = evaluate.fn(challenger, champion, test, ("identity",), "rmse", 0.95, 1, store)
    assert scores.champion is None
    assert "old" in scores.problem
    assert "it needs the column 'old', which they do not have" in scores.problem


@pytest.mark.usefixtures("without_run_logger")
def test_a_champion_that_knows_fewer_columns_is_judged(store):
    """Without a declared identity every column but the target tells rows apart, also one that came later."""
    test = kept(store, houses(40, start=100).assign(cork="natural"), "test")
    challenger = model(store, "LinearRegression", houses(100).assign(cork="natural"))
    champion = version(store, model(store, "DummyRegressor", houses(110)), kept(store, houses(40, start=200), "test"))
    scores = evaluate.fn(challenger, champion, test, (), "rmse", 0.95, 1, store)
    assert (scores.problem, scores.rows, scores.excluded_rows) == (None, 30, 10)
    assert scores.champion is not None


@pytest.mark.usefixtures("without_run_logger")
@pytest.mark.parametrize(
    ("gone", "unit"), [("rooms", ("identity",)), ("price", ("identity",)), ("identity", ("cork",))]
)
def test_a_version_that_cannot_read_a_snapshot_says_which_column_is_missing(store, gone, unit):
    test = kept(store, houses(40, start=100).drop(columns=gone).assign(cork="natural"), "test")
    missing = "cork" if gone == "identity" else gone
    with pytest.raises(ProblemError, match=f"cannot be judged on these rows: .* column '{missing}'"):
        evaluate.fn(model(store, "Ridge", houses(100)), None, test, unit, "rmse", 0.95, 1, store)
