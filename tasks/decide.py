"""Decide: does the challenger deserve production? Every rule is checked, and each is in the verdict with its figures.

A verdict is computed from what is stored (the predictions, the measurements, the look) and from nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator

from prefect import get_run_logger, task

from tasks.gate import Gate
from tasks.judging.comparison import compare_slices
from tasks.judging.contest import BASELINES, RIVALS, Contest, read_contest
from tasks.judging.limits import limit_rules
from tasks.judging.looks import LOOKS, spent
from tasks.judging.rules import RULES, Case, beside
from tasks.metrics import METRICS, figure
from tasks.records import Cause, Comparison, Look, Measurements, Rule, Scores, SliceComparison, Verdict
from tasks.sentences import listed
from tasks.store import Store


def judge(
    contest: Contest, scores: Scores, measurements: Measurements | None, look: Look | None, gate: Gate, *, newer: bool
) -> Verdict:
    """Give the verdict: promote where every rule that applies is passed, else hold for the first that is broken."""
    found = comparisons(contest, scores, look, gate)
    slices = sliced(contest, gate) if "champion" in found else ()
    case = Case(scores, gate, found, slices, look, newer)
    rules = [rule for check in RULES if (rule := check(case)) is not None]
    ours = contest.predictions["challenger"]
    rules += limit_rules(contest.target, ours, scores.target_range, measurements, gate)
    broken = [rule for rule in rules if not rule.passed]
    cause: Cause | None = broken[0].cause if broken else None
    return Verdict(
        promote=not broken,
        cause=cause,
        standing=found["champion"].standing if "champion" in found else None,
        rules=tuple(rule.model_copy(update={"cause": None}) if rule.passed else rule for rule in rules),
        reason=_reason(case, broken),
        alarms=tuple(_alarms(contest, case)),
        comparisons=tuple(found.values()),
        slices=slices,
    )


def comparisons(contest: Contest, scores: Scores, look: Look | None, gate: Gate) -> dict[str, Comparison]:
    """Give how the challenger does beside everybody else: champion and anchor at what this look may spend."""
    versions = {"champion": scores.champion_version, "anchor": scores.anchor_version}
    error = 1 - scores.confidence
    left = look.alpha if look and look.alpha else spent(error, LOOKS - 1)
    found: dict[str, Comparison] = {}
    for who in contest.predictions:
        if who in RIVALS:
            found[who] = contest.compare("challenger", who, alpha=left, margin=gate.margin, version=versions[who])
        elif who in BASELINES:
            found[who] = contest.compare("challenger", who, alpha=error, margin=None)
    return found


def sliced(contest: Contest, gate: Gate) -> tuple[SliceComparison, ...]:
    """Give how challenger and champion do in each slice."""
    declared = {part.name: gate.slice_margin if part.margin is None else part.margin for part in gate.slices}
    return compare_slices(
        contest.metric,
        contest.target,
        contest.predictions["challenger"],
        contest.predictions["champion"],
        contest.slices,
        {name: declared[name.partition(":")[0]] for name in contest.slices},
        contest.resampling,
    )


def _alarms(contest: Contest, case: Case) -> Iterator[str]:
    """Give what somebody should look into: models that a baseline beats, and slices too small to see harm."""
    for who in BASELINES:
        if who in case.comparisons and case.comparisons[who].standing == "worse":
            yield f"The challenger is beaten by a {who} model: {beside(case.comparisons[who], case.scores)}."
        if who in case.comparisons and "champion" in case.comparisons:
            found = contest.compare("champion", who, alpha=1 - case.scores.confidence, margin=None)
            if found.standing == "worse":
                version = case.scores.champion_version
                yield f"Version {version} in production is beaten by a {who} model: {beside(found, case.scores)}."
    if blind := [part for part in case.slices if part.blind]:
        named = listed(f"{part.name} ({part.rows:,} rows, {part.rows_needed:,} needed)" for part in blind)
        yield f"Slices too small to see harm in: {named}."


def _reason(case: Case, broken: list[Rule]) -> str:
    if broken:
        return "; ".join(f"{rule.name}: {rule.observed}, required {rule.required}" for rule in broken) + "."
    scores = case.scores
    if "champion" not in case.comparisons:
        label, ours = METRICS[scores.metric].label, scores.challenger
        value, bounds = figure(ours.value), f"[{figure(ours.low)}, {figure(ours.high)}]"
        return f"The first version, with {label} {value} {bounds} on {scores.rows:,} unseen rows."
    beaten = case.comparisons["champion"]
    standing = "Better than" if beaten.standing == "better" else "Not worse than"
    return f"{standing} {beaten.against} on {scores.rows:,} unseen rows: {beside(beaten, scores)}."


@task(task_run_name="decide")
def decide(
    scores: Scores, measurements: Measurements, look: Look | None, gate: Gate, newer: bool, store: Store
) -> Verdict:
    """Judge the challenger by the rules of the gate."""
    logger = get_run_logger()
    logger.info("Checking the rules of the gate.")
    verdict = judge(read_contest(scores, store), scores, measurements, look, gate, newer=newer)
    for rule in verdict.rules:
        logger.info("%s %s: %s (required: %s).", "✓" if rule.passed else "✗", rule.name, rule.observed, rule.required)
    for alarm in verdict.alarms:
        logger.warning("%s", alarm)
    logger.info("%s %s", "Promote." if verdict.promote else f"Hold ({verdict.cause}).", verdict.reason)
    return verdict
