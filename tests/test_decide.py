"""The verdict on whole cases: predictions in, promoted or held and why out. The rules one by one: test_rules."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from tasks.decide import decide, judge
from tasks.gate import Gate, Slice
from tasks.judging.contest import Contest
from tasks.metrics import METRICS
from tasks.models import Prediction
from tasks.records import Artifact, File, Look, Measurements, Scores, Verdict
from tasks.store import Store

ROWS = 2_000
TABLE = Artifact(file=File(path="x", sha256="0" * 64, size=1), rows=1, columns=())
PLACES = ["place: island" if row % 20 == 0 else "place: inland" for row in range(ROWS)]


def errors(scale: float, seed: int, rows: int = ROWS) -> Prediction:
    """Give predictions for targets of 0 whose errors are mostly those of every other model, times a scale."""
    shared, own = np.random.default_rng(0).normal(size=rows), np.random.default_rng(seed).normal(size=rows)
    return Prediction(scale * (shared + 0.1 * own), np.array([]))


def contest(labels: dict[str, list[str | None]] | None = None, **predictions: Prediction) -> Contest:
    rows = len(next(iter(predictions.values())).values)
    numbers = np.arange(rows, dtype="int64")
    target = np.zeros(rows)
    return Contest(METRICS["rmse"], 7, False, numbers.astype("uint64"), numbers, target, predictions, labels or {})


def scores_of(found: Contest, **changes: Any) -> Scores:
    rivals = {f"{who}_version": number for who, number in (("champion", 4), ("anchor", 2)) if who in found.predictions}
    return Scores(
        metric="rmse",
        confidence=0.95,
        rows=len(found.target),
        excluded_rows=0,
        seed=7,
        **rivals,
        **found.intervals(0.95) | {"predictions": TABLE} | changes,
    )


def look(alpha: float = 0.05) -> Look:
    return Look(
        number=1,
        key="k",
        challenger="c",
        champion_version=4,
        rows=TABLE,
        earlier=0.0,
        alpha=alpha,
        fresh_rows_needed=0 if alpha else 100,
        at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def verdict(
    gate: Gate | None = None, *, newer: bool = False, alpha: float = 0.05, **predictions: Prediction
) -> Verdict:
    found = contest(**predictions)
    seen = look(alpha) if "champion" in predictions else None
    return judge(found, scores_of(found), None, seen, gate or Gate(), newer=newer)


CHAMPION = errors(1.0, 1)


def test_a_first_version_is_promoted_with_its_figures() -> None:
    found = verdict(challenger=CHAMPION)
    assert found.promote
    assert (found.cause, found.standing, found.comparisons) == (None, None, ())
    assert found.reason.startswith("The first version, with RMSE 1.0")
    assert found.reason.endswith("on 2,000 unseen rows.")


@pytest.mark.parametrize(
    ("scale", "standing", "cause"), [(0.9, "better", None), (1.0, "equivalent", None), (1.1, "worse", "worse")]
)
def test_better_and_equivalent_are_promoted_and_worse_is_held(scale: float, standing: str, cause: str | None) -> None:
    found = verdict(challenger=errors(scale, 2), champion=CHAMPION)
    assert (found.standing, found.cause, found.promote) == (standing, cause, cause is None)
    assert [rule.name for rule in found.rules if not rule.passed] == (["not worse than version 4"] if cause else [])
    assert found.comparisons[0].harm.value == pytest.approx(scale - 1, abs=0.01)


def test_a_margin_that_the_rows_cannot_resolve_is_cannot_tell_with_the_rows_it_would_take() -> None:
    rows = 60
    found = verdict(Gate(margin=0.001), challenger=errors(1.0, 2, rows), champion=errors(1.0, 1, rows))
    assert (found.promote, found.cause, found.standing) == (False, "cannot tell", "cannot tell")
    assert found.comparisons[0].rows_needed > rows
    assert f"would take {found.comparisons[0].rows_needed:,} test rows" in found.reason


def test_a_worn_out_test_set_holds_even_what_looks_better() -> None:
    found = verdict(challenger=errors(0.9, 2), champion=CHAMPION, alpha=0.0)
    assert (found.promote, found.cause) == (False, "cannot tell")
    assert "test rows not worn out" in found.reason


def test_small_losses_that_add_up_are_held_by_the_anchor() -> None:
    gate = Gate(margin=0.02)
    chain = {"challenger": errors(1.03, 2), "champion": errors(1.025, 3), "anchor": CHAMPION}
    assert verdict(gate, challenger=chain["challenger"], champion=chain["champion"]).promote
    found = verdict(gate, **chain)
    assert (found.promote, found.cause) == (False, "worse")
    assert [rule.name for rule in found.rules if not rule.passed] == ["not worse than version 2, the anchor"]


def test_a_harmed_slice_holds_a_challenger_that_is_better_in_total() -> None:
    better = errors(0.9, 2)
    island = np.array(PLACES) == "place: island"
    worse_there = Prediction(np.where(island, better.values * 1.6, better.values), np.array([]))
    found = contest({"place": PLACES}, challenger=worse_there, champion=CHAMPION)
    gate = Gate(slices=(Slice(name="place", by="place"),))
    judged = judge(found, scores_of(found), None, look(), gate, newer=False)
    assert (judged.standing, judged.cause) == ("better", "rule broken")
    assert [part.name for part in judged.slices if part.harmed] == ["place: island"]
    assert "place: island" in judged.reason
    wide = Gate(slices=(Slice(name="place", by="place", margin=0.8),))
    assert judge(found, scores_of(found), None, look(), wide, newer=False).promote


def test_a_model_that_a_baseline_beats_is_an_alarm_and_no_reason_to_hold() -> None:
    found = verdict(challenger=errors(1.0, 2), champion=CHAMPION, dummy=errors(2.0, 3), linear=errors(0.5, 4))
    assert found.promote
    assert len(found.alarms) == 2
    assert found.alarms[0].startswith("The challenger is beaten by a linear model")
    assert found.alarms[1].startswith("Version 4 in production is beaten by a linear model")


def test_limits_are_rules_beside_the_others() -> None:
    slow = Measurements(row_milliseconds=40, batch_seconds=1, batch_rows=1000, megabytes=1, memory_megabytes=1)
    found = contest(challenger=errors(0.9, 2), champion=CHAMPION)
    gate = Gate(row_milliseconds_at_most=10)
    judged = judge(found, scores_of(found), slow, look(), gate, newer=False)
    assert (judged.standing, judged.cause) == ("better", "rule broken")
    assert judged.reason == "a row fast enough: 40.0 ms at p95, required at most 10.0 ms at p95."


def test_the_first_broken_rule_is_the_cause_and_all_are_in_the_reason() -> None:
    found = contest(challenger=errors(1.2, 2), champion=CHAMPION)
    judged = judge(found, scores_of(found), None, look(), Gate(at_most=0.5), newer=False)
    assert judged.cause == "rule broken"
    assert "good enough by itself" in judged.reason
    assert "not worse than version 4" in judged.reason


@pytest.mark.usefixtures("without_run_logger")
def test_the_task_judges_what_the_store_holds(store: Store) -> None:
    found = contest({"place": PLACES}, challenger=errors(0.9, 2), champion=CHAMPION)
    scores = scores_of(found, predictions=found.keep(store))
    measured = Measurements(row_milliseconds=1, batch_seconds=1, batch_rows=1000, megabytes=1, memory_megabytes=1)
    gate = Gate(slices=(Slice(name="place", by="place"),))
    given = decide.fn(scores, measured, look(), gate, False, store)
    assert given == judge(found, scores, measured, look(), gate, newer=False)
    assert given.slices
