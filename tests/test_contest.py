from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from tasks.judging.contest import Contest, read_contest, units
from tasks.metrics import METRICS
from tasks.models import Prediction
from tasks.records import Artifact, File, Scores, Split
from tasks.store import Store

TABLE = Artifact(file=File(path="x", sha256="0" * 64, size=1), rows=1, columns=())


def shares(rows: int, classes: int, seed: int) -> np.ndarray:
    found = np.random.default_rng(seed).random((rows, classes))
    return found / found.sum(axis=1, keepdims=True)


def contest(classes: list[object]) -> Contest:
    rows, known = 40, np.asarray(classes)
    rng = np.random.default_rng(1)
    found = {
        who: Prediction(
            known[rng.integers(len(known), size=rows)], known, shares(rows, len(known), len(who)) if given else None
        )
        for who, given in (("challenger", True), ("champion", True), ("linear", False))
    }
    numbers = np.arange(rows)
    target = known[rng.integers(len(known), size=rows)]
    labels = {"side": ["side: left", None] * 20}
    return Contest(METRICS["log_loss"], 3, False, numbers.astype("uint64"), numbers // 2, target, found, labels)


def scores(found: Contest, store: Store) -> Scores:
    return Scores(
        metric="log_loss",
        confidence=0.95,
        rows=40,
        excluded_rows=0,
        classes=found.classes,
        seed=3,
        predictions=found.keep(store),
        challenger=found.interval("challenger", 0.95),
    )


@pytest.mark.parametrize("classes", [["no", "yes"], [0, 1, 2], [False, True]], ids=["texts", "numbers", "truths"])
def test_a_contest_comes_back_from_the_store_as_it_was(store: Store, classes: list[object]) -> None:
    kept = contest(classes)
    found = read_contest(scores(kept, store), store)
    assert list(found.predictions) == ["challenger", "champion", "linear"]
    for who, prediction in kept.predictions.items():
        read = found.predictions[who]
        assert read.values.tolist() == prediction.values.tolist()
        if prediction.probabilities is None:
            assert read.probabilities is None
        else:
            assert read.classes.tolist() == classes
            np.testing.assert_array_equal(read.probabilities, prediction.probabilities)
    for name in ("rows", "unit", "target"):
        assert getattr(found, name).tolist() == getattr(kept, name).tolist()
    assert found.labels == kept.labels
    assert (found.metric.name, found.seed, found.blocks) == ("log_loss", 3, False)


def test_its_statistics_come_back_to_the_last_digit(store: Store) -> None:
    kept = contest(["no", "yes"])
    found = read_contest(scores(kept, store), store)
    both = ("challenger", "champion")
    before, after = (
        replace(each, predictions={who: each.predictions[who] for who in both}).intervals(0.95)
        for each in (kept, found)
    )
    assert before == after
    assert before["difference"].low < before["difference"].value < before["difference"].high


def test_a_slice_is_a_mask_and_the_rows_without_a_label_are_in_none() -> None:
    assert {name: int(rows.sum()) for name, rows in contest(["a", "b"]).slices.items()} == {"side: left": 20}


def test_rows_of_one_unit_have_one_number() -> None:
    rows = pa.table({"customer": ["a", "b", "a", "c"], "day": ["2026-01-03", "2026-01-01", "2026-01-02", "2026-01-01"]})
    sides = Split(train=TABLE, test=TABLE, strata=(), unit=("customer",), folds=2)
    found = units(rows, sides)
    assert found[0] == found[2]
    assert len(set(found.tolist())) == 3
    in_time = units(rows, sides.model_copy(update={"forward": True, "time": "day"}))
    assert in_time.tolist() == [2, 0, 1, 0]


def test_the_intervals_of_whoever_takes_part_are_given() -> None:
    numbers = np.arange(30)
    predictions = {who: Prediction(np.full(30, value), np.array([])) for who, value in (("challenger", 1.0),)}
    alone = Contest(METRICS["mae"], 1, False, numbers.astype("uint64"), numbers, np.zeros(30), predictions, {})
    found = alone.intervals(0.9)
    assert found["challenger"].value == 1.0
    assert (found["champion"], found["difference"], found["baselines"]) == (None, None, {})
