"""Decide: does the challenger deserve production? Every rule is checked, and each is in the verdict with its figures.

To add a rule, write a function from the scores and the gate to a `Rule` and append it to `RULES`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefect import get_run_logger, task

from tasks.gate import Gate
from tasks.metrics import METRICS, figure
from tasks.records import Cause, Rule, Scores, Verdict


def enough_rows(scores: Scores, gate: Gate) -> Rule:
    """Check that enough rows that neither model was trained on are left to compare on."""
    return Rule(
        name="enough test rows",
        passed=scores.rows >= gate.fewest_rows,
        observed=f"{scores.rows:,}",
        required=f"at least {gate.fewest_rows:,}",
        cause="cannot tell",
    )


def absolute_floor(scores: Scores, gate: Gate) -> Rule | None:
    """Check the challenger's metric against the declared floor (a ceiling where smaller is better)."""
    limit = gate.at_least if METRICS[scores.metric].greater_is_better else gate.at_most
    if limit is None:
        return None
    value = scores.challenger.value
    return Rule(
        name="good enough by itself",
        passed=value >= limit if METRICS[scores.metric].greater_is_better else value <= limit,
        observed=f"{METRICS[scores.metric].label} {figure(value)}",
        required=f"at {'least' if METRICS[scores.metric].greater_is_better else 'most'} {figure(limit)}",
        cause="rule broken",
    )


def champion_readable(scores: Scores, gate: Gate) -> Rule | None:  # noqa: ARG001
    """Check that the champion could be judged at all: a champion that cannot be loaded is never replaced by default."""
    if scores.champion_version is None:
        return None
    return Rule(
        name="champion can be judged",
        passed=scores.problem is None,
        observed=scores.problem or f"version {scores.champion_version} predicted",
        required="the version in production predicts the same rows",
        cause="champion unreadable",
    )


def not_worse(scores: Scores, gate: Gate) -> Rule | None:
    """Check that the challenger is not worse than the champion by more than the margin, and not surely worse at all."""
    if scores.difference is None or scores.champion is None:
        return None
    margin = gate.margin * abs(scores.champion.value)
    sign = -1 if METRICS[scores.metric].greater_is_better else 1
    worst, best = sorted((sign * scores.difference.low, sign * scores.difference.high), reverse=True)
    return Rule(
        name="not worse than production",
        passed=worst <= margin and best <= 0,
        observed=f"{_signed(scores)} against version {scores.champion_version}",
        required=f"not surely worse, and by at most {figure(margin)} ({gate.margin:.1%}) at {scores.confidence:.0%}",
        cause="worse" if best > 0 else "cannot tell",
    )


def _signed(scores: Scores) -> str:
    """Give the difference with its interval, with signs and the decimals of the metric."""
    change = scores.difference
    if change is None:
        return ""
    like = scores.challenger.value
    value, low, high = (
        ("+" if number >= 0 else "") + figure(number, like=like) for number in (change.value, change.low, change.high)
    )
    return f"{value} [{low}, {high}]"


RULES: list[Callable[[Scores, Gate], Rule | None]] = [enough_rows, absolute_floor, champion_readable, not_worse]


def judge(scores: Scores, gate: Gate) -> Verdict:
    """Give the verdict: promote where every rule that applies is passed, else hold for the first that is broken."""
    rules = tuple(rule for check in RULES if (rule := check(scores, gate)) is not None)
    broken = [rule for rule in rules if not rule.passed]
    cause: Cause | None = broken[0].cause if broken else None
    checked = tuple(rule.model_copy(update={"cause": None}) if rule.passed else rule for rule in rules)
    return Verdict(promote=not broken, cause=cause, rules=checked, reason=_reason(scores, broken))


def _reason(scores: Scores, broken: list[Rule]) -> str:
    if broken:
        return "; ".join(f"{rule.name}: {rule.observed}, required {rule.required}" for rule in broken) + "."
    label, ours = METRICS[scores.metric].label, scores.challenger
    found = f"{label} {figure(ours.value)} [{figure(ours.low)}, {figure(ours.high)}] on {scores.rows:,} unseen rows"
    if scores.champion is None:
        return f"The first version, with {found}."
    gained = figure(scores.champion.value)
    return f"Not worse than version {scores.champion_version} ({label} {gained}), with {found}."


@task(task_run_name="decide")
def decide(scores: Scores, gate: Gate) -> Verdict:
    """Judge the challenger by the rules of the gate."""
    logger: Any = get_run_logger()
    logger.info("Checking the rules of the gate.")
    verdict = judge(scores, gate)
    for rule in verdict.rules:
        logger.info("%s %s: %s (required: %s).", "✓" if rule.passed else "✗", rule.name, rule.observed, rule.required)
    logger.info("%s %s", "Promote." if verdict.promote else f"Hold ({verdict.cause}).", verdict.reason)
    return verdict
