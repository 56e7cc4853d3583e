from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tasks.candidates import Candidate
from tasks.columns import ROW, row_hashes
from tasks.errors import ProblemError
from tasks.estimators import build
from tasks.evaluate import evaluate, seen
from tasks.gate import Slice
from tasks.judging.rules import scored
from tasks.models import PIPELINE, load, save
from tasks.records import Contestants, Cutoff, FeatureSet, Model, Scores, Snapshot, Split, Verdict, Version


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


def judged(store, challenger, champion, test, unit=("identity",), metric="rmse", **more) -> Scores:
    sides = Split(train=challenger.trained_on, test=test, strata=(), unit=unit, folds=2, **more.pop("split", {}))
    contestants = Contestants(challenger=challenger, champion=champion, **more.pop("also", {}))
    return evaluate.fn(contestants, sides, more.pop("slices", ()), metric, 0.95, 1, store)


def version(store, of, test) -> Version:
    scores = judged(store, of, None, test)
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
    scores = judged(store, challenger, None, kept(store, test, "test"), ("identity",), "mae")
    by_hand = np.abs(test["price"] - houses(100)["price"].mean())
    assert scores.challenger.value == pytest.approx(by_hand.mean(), rel=1e-12)
    assert (scores.rows, scores.excluded_rows) == (40, 0)
    assert (scores.champion, scores.difference, scores.champion_version) == (None, None, None)
    table = store.table(scores.predictions).to_pandas()
    assert list(table.columns) == [ROW, "unit", "target", "challenger"]
    np.testing.assert_allclose(np.abs(table["challenger"] - table["target"]), by_hand, rtol=1e-12)
    assert scored(scores).endswith("on 40 test rows.")


@pytest.mark.usefixtures("without_run_logger")
def test_both_models_are_scored_on_rows_that_neither_knows(store):
    test = kept(store, houses(60, start=80), "test")  # the first 20 were training rows of the champion
    champion = version(store, model(store, "DummyRegressor", houses(50)), test)
    champion = champion.model_copy(
        update={"model": champion.model.model_copy(update={"trained_on": kept(store, houses(100), "train")})}
    )
    challenger = model(store, "LinearRegression", houses(80))
    scores = judged(store, challenger, champion, test, ("identity",), "rmse")
    assert (scores.rows, scores.excluded_rows, scores.champion_version) == (40, 20, 4)
    fair = houses(40, start=100)
    by_hand = np.sqrt(((fair["price"] - houses(50)["price"].mean()) ** 2).mean())
    assert scores.champion.value == pytest.approx(by_hand, rel=1e-9)
    assert scores.challenger.value < 0.2
    assert scores.difference.value == pytest.approx(scores.challenger.value - scores.champion.value)
    assert scores.difference.high < 0
    assert set(store.table(scores.predictions).to_pandas()[ROW]) == set(fair[ROW])
    assert "20 left out" in scored(scores)
    assert "version 4 in production" in scored(scores)


@pytest.mark.usefixtures("without_run_logger")
def test_a_customer_that_was_trained_on_leaks(store):
    """Where a split is by group, its unit is the group, whatever else tells rows apart."""
    customers = lambda frame: frame.assign(customer=frame["identity"] % 60)  # noqa: E731
    test = kept(store, customers(houses(40, start=100)), "test")  # customers 40 to 59, then 0 to 19
    challenger = model(store, "DummyRegressor", customers(houses(50)))  # customers 0 to 49
    scores = judged(store, challenger, None, test, ("customer",), "mae")
    assert (scores.rows, scores.excluded_rows) == (10, 30)


@pytest.mark.usefixtures("without_run_logger")
def test_a_challenger_that_knows_every_test_row_has_no_fair_row(store):
    scores = judged(store, model(store, "Ridge", houses(100)), None, kept(store, houses(40), "test"))
    assert (scores.rows, scores.excluded_rows, scores.excluded) == (0, 40, {"challenger": 40})
    assert "so it tells little" in scored(scores)


@pytest.mark.usefixtures("without_run_logger")
def test_a_champion_that_cannot_be_loaded_is_told_not_guessed(store):
    test = kept(store, houses(40, start=100), "test")
    champion = version(store, model(store, "Ridge", houses(100)), test)
    store.path(champion.model.files[PIPELINE]).write_bytes(b"damaged")
    scores = judged(store, model(store, "LinearRegression", houses(100)), champion, test, ("identity",), "rmse")
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
    scores = judged(store, challenger, champion, test, ("identity",), "rmse")
    assert scores.champion is None
    assert "old" in scores.problem
    assert "it needs the column 'old', which they do not have" in scores.problem


@pytest.mark.usefixtures("without_run_logger")
def test_a_champion_that_knows_fewer_columns_is_judged(store):
    """Without a declared identity every column but the target tells rows apart, also one that came later."""
    test = kept(store, houses(40, start=100).assign(cork="natural"), "test")
    challenger = model(store, "LinearRegression", houses(100).assign(cork="natural"))
    champion = version(store, model(store, "DummyRegressor", houses(110)), kept(store, houses(40, start=200), "test"))
    scores = judged(store, challenger, champion, test, (), "rmse")
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
        judged(store, model(store, "Ridge", houses(100)), None, test, unit, "rmse")


@pytest.mark.usefixtures("without_run_logger")
def test_too_few_fair_rows_leave_the_challenger_alone_and_say_who_knew_the_others(store):
    """The champion was trained on every test row: nothing can be compared, and the count says why."""
    test = kept(store, houses(40, start=100), "test")
    champion = version(store, model(store, "Ridge", houses(50)), test)
    champion = champion.model_copy(
        update={"model": champion.model.model_copy(update={"trained_on": kept(store, houses(200), "train")})}
    )
    scores = judged(store, model(store, "LinearRegression", houses(100)), champion, test)
    assert (scores.rows, scores.excluded_rows, scores.excluded) == (0, 40, {"champion": 40})
    assert (scores.champion, scores.problem, scores.champion_version) == (None, None, 4)
    assert scores.challenger.value < 0.2


@pytest.mark.usefixtures("without_run_logger")
def test_anchor_and_baselines_predict_the_same_rows(store):
    test = kept(store, houses(40, start=100), "test")
    champion = version(store, model(store, "Ridge", houses(100)), test)
    old = model(store, "DummyRegressor", houses(110))
    anchor = version(store, old, kept(store, houses(40, start=200), "test")).model_copy(update={"number": 2})
    named = [old.model_copy(update={"candidate": Candidate(name="dummy", estimator="DummyRegressor")})]
    scores = judged(store, champion.model, champion, test, also={"anchor": anchor, "baselines": tuple(named)})
    assert (scores.anchor_version, scores.rows, scores.excluded) == (2, 30, {"anchor": 10})
    table = store.table(scores.predictions).to_pandas()
    assert list(table.columns) == [ROW, "unit", "target", "challenger", "champion", "anchor", "dummy"]
    assert table["anchor"].tolist() == table["dummy"].tolist() == pytest.approx([houses(110)["price"].mean()] * 30)
    assert scores.baselines["dummy"].value > scores.challenger.value


@pytest.mark.usefixtures("without_run_logger")
def test_slices_units_and_the_range_of_the_target_are_kept_with_the_predictions(store):
    frame = houses(40, start=100).assign(street=np.arange(40) // 4)
    parts = (Slice(name="rooms", by="rooms", bins=(3,)), Slice(name="twice", by="rooms * 2", bins=(6,)))
    challenger = model(store, "Ridge", houses(100).assign(street=-1))
    scores = judged(store, challenger, None, kept(store, frame, "test"), ("street",), slices=parts)
    table = store.table(scores.predictions).to_pandas()
    assert table["slice_rooms"].tolist() == [f"rooms: {'-inf to 3' if n <= 3 else '3 to inf'}" for n in frame["rooms"]]
    assert (table["slice_twice"].str[7:] == table["slice_rooms"].str[7:].str.replace("3", "6")).all()
    assert table["unit"].nunique() == 10
    assert table.groupby(frame["street"].to_numpy())["unit"].nunique().eq(1).all()
    assert scores.target_range == (houses(100)["price"].min(), houses(100)["price"].max())


@pytest.mark.usefixtures("without_run_logger")
def test_rows_in_time_are_ranked_by_their_time(store):
    test = kept(store, houses(40, start=100).assign(day=np.arange(40, 0, -1)), "test")
    scores = judged(store, model(store, "Ridge", houses(100)), None, test, split={"forward": True, "time": "day"})
    assert scores.blocks
    assert store.table(scores.predictions)["unit"].to_pylist() == list(range(39, -1, -1))


@pytest.mark.usefixtures("without_run_logger")
@pytest.mark.parametrize("second", ["HistGradientBoostingClassifier", "WideAndDeepClassifier"])
def test_an_ensemble_with_a_threshold_is_scored_by_what_that_decides(version_of, version_of_ensemble, store, second):
    cutoff = Cutoff(positive="villa", threshold=0.99)
    challenger = version_of_ensemble("EnsembleClassifier", "LogisticRegression", second, cutoff=cutoff)
    champion = version_of("LogisticRegression")
    scores = judged(store, challenger.model, champion, challenger.test, ("number",), "balanced_accuracy")
    table = store.table(scores.predictions).to_pandas()
    assert scores.champion_version == 0
    assert scores.problem is None
    assert scores.classes["challenger"] == ("hut", "villa")
    stored = store.table(challenger.scores.predictions).to_pandas()
    assert table["challenger"].tolist() == stored["challenger"].tolist()
    likeliest = load(challenger.model.model_copy(update={"cutoff": None}), store)
    assert table["challenger"].tolist() != likeliest.predict(store.table(challenger.test).to_pandas()).values.tolist()
