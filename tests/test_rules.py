from datetime import UTC, datetime
from typing import Any

import pytest

from tasks.gate import Gate
from tasks.judging.looks import LOOKS
from tasks.judging.rules import (
    Case,
    absolute_floor,
    beside_anchor,
    beside_champion,
    champion_readable,
    enough_rows,
    rows_fresh,
    scored,
    slices_unharmed,
    worse,
)
from tasks.records import Artifact, Comparison, File, Interval, Look, Scores, SliceComparison, Standing

TABLE = Artifact(file=File(path="x", sha256="0" * 64, size=1), rows=1, columns=())


def scores(**changes: Any) -> Scores:
    found = Scores(
        metric="rmse",
        confidence=0.95,
        rows=100,
        excluded_rows=0,
        challenger=Interval(value=50.0, low=45.0, high=55.0),
        champion=Interval(value=51.0, low=46.0, high=56.0),
        champion_version=4,
        predictions=TABLE,
    )
    return found.model_copy(update=changes)


def comparison(standing: Standing = "equivalent", low: float = -0.03, high: float = 0.01, **changes: Any) -> Comparison:
    found = Comparison(
        against="version 4",
        version=4,
        rows=100,
        units=100,
        ours=50.0,
        theirs=51.0,
        harm=Interval(value=(low + high) / 2, low=low, high=high),
        standard_error=0.01,
        alpha=0.05,
        margin=0.02,
        resolvable=0.02,
        rows_needed=100,
        standing=standing,
    )
    return found.model_copy(update=changes)


def look(alpha: float, needed: int = 0) -> Look:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Look(
        number=1,
        key="k",
        challenger="c",
        champion_version=4,
        rows=TABLE,
        earlier=3.0,
        alpha=alpha,
        fresh_rows_needed=needed,
        at=now,
    )


def case(gate: Gate | None = None, *, of: Scores | None = None, **parts: Any) -> Case:
    return Case(of or scores(), gate or Gate(), {"champion": comparison()} | parts.pop("comparisons", {}), **parts)


def slice_of(name: str, *, harmed: bool) -> SliceComparison:
    return SliceComparison(
        name=name,
        rows=40,
        ours=60.0,
        theirs=50.0,
        harm=Interval(value=0.2, low=0.1, high=0.3),
        margin=0.05,
        p_value=0.001 if harmed else 0.4,
        blind=False,
        rows_needed=30,
        harmed=harmed,
    )


def test_rows_that_were_trained_on_are_counted_out_loud() -> None:
    found = enough_rows(case(of=scores(rows=29, excluded_rows=71, excluded={"champion": 71})))
    assert not found.passed
    assert found.cause == "cannot tell"
    assert found.observed == "29; 71 were used for training (71 by the champion)"
    assert enough_rows(case(of=scores(rows=30))).passed


def test_a_champion_that_cannot_be_judged_holds_and_a_first_version_has_none() -> None:
    found = champion_readable(case(of=scores(problem="version 4 cannot be judged on these rows: torn")))
    assert found is not None
    assert not found.passed
    assert found.cause == "champion unreadable"
    assert champion_readable(case(of=scores(champion_version=None))) is None


def test_a_look_without_anything_left_names_the_rows_that_it_takes() -> None:
    worn = rows_fresh(case(look=look(0.0, needed=250)))
    assert worn is not None
    assert not worn.passed
    assert "takes 250 rows that no decision has used" in worn.required
    assert f"{LOOKS} earlier looks" in worn.required
    fresh = rows_fresh(case(look=look(0.005)))
    assert fresh is not None
    assert fresh.passed
    assert "once in 200" in fresh.observed
    assert rows_fresh(case()) is None


@pytest.mark.parametrize(
    ("metric", "value", "gate", "passed"),
    [
        ("rmse", 50.0, Gate(at_most=50.0), True),
        ("rmse", 50.1, Gate(at_most=50.0), False),
        ("accuracy", 0.9, Gate(at_least=0.9), True),
        ("accuracy", 0.89, Gate(at_least=0.9), False),
    ],
)
def test_the_floor_is_reached_to_the_figure(metric: str, value: float, gate: Gate, passed: bool) -> None:
    found = absolute_floor(
        case(gate, of=scores(metric=metric, challenger=Interval(value=value, low=value, high=value)))
    )
    assert found is not None
    assert found.passed is passed
    assert found.cause == "rule broken"
    assert absolute_floor(case()) is None


BETTER = comparison("better", -0.05, -0.02)
PROMISES = {
    "not worse: better": (Gate(), BETTER, False, None),
    "not worse: equivalent": (Gate(), comparison(), False, None),
    "not worse: worse": (Gate(), comparison("worse", 0.01, 0.03), False, "worse"),
    "not worse: cannot tell": (Gate(), comparison("cannot tell", -0.03, 0.05), False, "cannot tell"),
    "better: better": (Gate(promote_when="better"), BETTER, False, None),
    "better: equivalent": (Gate(promote_when="better"), comparison(), False, "equivalent"),
    "better: by enough": (Gate(promote_when="better", minimum_gain=0.019), BETTER, False, None),
    "better: not by enough": (Gate(promote_when="better", minimum_gain=0.02), BETTER, False, "equivalent"),
    "fresher: of the same data": (Gate(promote_when="fresher"), comparison(), False, "equivalent"),
    "fresher: of newer data": (Gate(promote_when="fresher"), comparison(), True, None),
    "fresher: worse": (Gate(promote_when="fresher"), comparison("worse", 0.01, 0.03), True, "worse"),
}


@pytest.mark.parametrize("name", PROMISES)
def test_each_policy_promotes_what_it_asks_for_and_names_the_cause_otherwise(name: str) -> None:
    gate, found, newer, cause = PROMISES[name]
    rule = beside_champion(case(gate, comparisons={"champion": found}, newer=newer))
    assert rule is not None
    assert rule.passed is (cause is None)
    assert rule.passed or rule.cause == cause
    assert rule.name.endswith("version 4") or "version 4" in rule.name


def test_a_margin_that_so_few_rows_cannot_resolve_says_how_many_could() -> None:
    rule = beside_champion(case(comparisons={"champion": comparison("cannot tell", -0.05, 0.06, rows_needed=1234)}))
    assert rule is not None
    assert "would take 1,234 test rows" in rule.required


def test_without_a_champion_there_is_nothing_to_be_worse_than() -> None:
    alone = Case(scores(champion_version=None), Gate(), {})
    assert beside_champion(alone) is None
    assert beside_anchor(alone) is None
    assert slices_unharmed(alone) is None


@pytest.mark.parametrize(
    ("standing", "passed", "cause"),
    [
        ("better", True, None),
        ("equivalent", True, None),
        ("worse", False, "worse"),
        ("cannot tell", False, "cannot tell"),
    ],
)
def test_small_losses_may_not_add_up_beyond_the_margin(standing: Standing, passed: bool, cause: str) -> None:
    anchor = comparison(standing, against="version 2", version=2)
    rule = beside_anchor(case(comparisons={"anchor": anchor}))
    assert rule is not None
    assert rule.passed is passed
    assert passed or rule.cause == cause
    assert rule.name == "not worse than version 2, the anchor"


def test_a_harmed_slice_is_named_and_breaks_the_rule() -> None:
    parts = (slice_of("place: bay", harmed=False), slice_of("place: island", harmed=True))
    rule = slices_unharmed(case(slices=parts))
    assert rule is not None
    assert not rule.passed
    assert rule.observed == "place: island is 20.0% worse on 40 rows (p = 0.001)"
    unharmed = slices_unharmed(case(slices=parts[:1]))
    assert unharmed is not None
    assert unharmed.passed


def test_harm_and_scores_are_said_in_words() -> None:
    assert worse(0.0312) == "3.1% worse"
    assert worse(-0.2) == "20.0% better"
    text = scored(scores(excluded_rows=3))
    assert text == (
        "RMSE 50.00 [45.00, 55.00] on 100 test rows (3 left out: one of the models was trained on them); "
        "version 4 in production: 51.00."
    )
