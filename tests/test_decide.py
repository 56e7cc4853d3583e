import pytest

from tasks.decide import decide, judge
from tasks.gate import Gate
from tasks.records import Artifact, File, Interval, Scores

PREDICTIONS = Artifact(file=File(path="x", sha256="0" * 64, size=1), rows=1, columns=())


def around(value, half_width):
    return Interval(value=value, low=value - half_width, high=value + half_width)


def first(metric="rmse", value=50.0, rows=100):
    return Scores(
        metric=metric,
        confidence=0.95,
        rows=rows,
        excluded_rows=0,
        challenger=around(value, value / 10),
        predictions=PREDICTIONS,
    )


def against(change, half_width, metric="rmse", champion=50.0, **changes):
    """Give scores whose difference is ``change``, plus or minus ``half_width``."""
    return first(metric, champion + change).model_copy(
        update={
            "champion": around(champion, champion / 10),
            "difference": around(change, half_width),
            "champion_version": 4,
        }
        | changes
    )


def unreadable():
    return against(0.0, 0.0).model_copy(
        update={"champion": None, "difference": None, "problem": "version 4 cannot be judged on these rows: torn"}
    )


GATE = Gate()  # a margin of 2 %: 1.0 of an RMSE of 50, 0.018 of an accuracy of 0.9

CASES = {
    "first version": (first(), GATE, None),
    "first version with enough rows to a row": (first(rows=30), GATE, None),
    "first version with too few rows": (first(rows=29), GATE, "cannot tell"),
    "first version below the ceiling": (first(value=50.0), Gate(at_most=50.0), None),
    "first version above the ceiling": (first(value=50.1), Gate(at_most=50.0), "rule broken"),
    "first version above the floor": (first("accuracy", 0.9), Gate(at_least=0.9), None),
    "first version below the floor": (first("accuracy", 0.89), Gate(at_least=0.9), "rule broken"),
    "clearly better": (against(-5.0, 1.0), GATE, None),
    "better, though it breaks the ceiling": (against(-5.0, 1.0), Gate(at_most=40.0), "rule broken"),
    "a little worse, within the margin": (against(0.2, 0.7), GATE, None),
    "worse to the margin": (against(0.0, 1.0), GATE, None),
    "clearly worse": (against(5.0, 1.0), GATE, "worse"),
    "surely worse, perhaps by more than the margin": (against(1.0, 0.5), GATE, "worse"),
    "surely worse, though within the margin": (against(0.5, 0.4), GATE, "worse"),
    "cannot tell": (against(0.0, 3.0), GATE, "cannot tell"),
    "probably better, but cannot tell": (against(-1.0, 3.0), GATE, "cannot tell"),
    "identical models": (against(0.0, 0.0), GATE, None),
    "identical models without a margin": (against(0.0, 0.0), Gate(margin=0), None),
    "a little worse without a margin": (against(0.2, 0.1), Gate(margin=0), "worse"),
    "clearly better accuracy": (against(0.05, 0.01, "accuracy", 0.9), GATE, None),
    "clearly worse accuracy": (against(-0.05, 0.01, "accuracy", 0.9), GATE, "worse"),
    "accuracy, cannot tell": (against(0.0, 0.05, "accuracy", 0.9), GATE, "cannot tell"),
    "identical accuracy": (against(0.0, 0.0, "accuracy", 0.9), GATE, None),
    "accuracy within the margin": (against(-0.005, 0.01, "accuracy", 0.9), GATE, None),
    "clearly worse log loss": (against(0.2, 0.05, "log_loss", 0.3), GATE, "worse"),
    "clearly better log loss": (against(-0.2, 0.05, "log_loss", 0.3), GATE, None),
    "champion unreadable": (unreadable(), GATE, "champion unreadable"),
    "too few rows against a champion": (against(-5.0, 1.0, rows=10), GATE, "cannot tell"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_verdict(case):
    scores, gate, cause = CASES[case]
    verdict = judge(scores, gate)
    assert (verdict.promote, verdict.cause) == (cause is None, cause)
    assert verdict.promote == all(rule.passed for rule in verdict.rules)
    assert verdict.reason.endswith(".")
    assert [rule.cause for rule in verdict.rules if rule.passed] == [None] * sum(rule.passed for rule in verdict.rules)


def test_every_rule_that_applies_is_in_the_verdict():
    verdict = judge(against(-5.0, 1.0), Gate(at_most=60.0))
    assert [rule.name for rule in verdict.rules] == [
        "enough test rows",
        "good enough by itself",
        "champion can be judged",
        "not worse than production",
    ]
    assert [rule.name for rule in judge(first(), GATE).rules] == ["enough test rows"]


def test_all_broken_rules_are_in_the_reason_and_the_first_is_the_cause():
    verdict = judge(against(5.0, 1.0, rows=10), Gate(at_most=40.0))
    assert verdict.cause == "cannot tell"
    for name in ("enough test rows: 10, required at least 30", "good enough by itself", "not worse than production"):
        assert name in verdict.reason


def test_the_reason_has_the_figures():
    assert judge(first(), GATE).reason == "The first version, with RMSE 50.00 [45.00, 55.00] on 100 unseen rows."
    assert judge(against(-5.0, 1.0), GATE).reason == (
        "Not worse than version 4 (RMSE 50.00), with RMSE 45.00 [40.50, 49.50] on 100 unseen rows."
    )
    assert judge(against(5.0, 1.0), GATE).reason == (
        "not worse than production: +5.00 [+4.00, +6.00] against version 4, "
        "required not surely worse, and by at most 1.000 (2.0%) at 95%."
    )


@pytest.mark.usefixtures("without_run_logger")
def test_the_task_gives_the_verdict():
    assert decide.fn(against(5.0, 1.0), GATE) == judge(against(5.0, 1.0), GATE)
