"""The rules of the gate: each looks at a case and gives a `Rule` with its figures, or None where it does not apply.

To add a rule, write such a function and append it to `RULES`; the first rule that is broken gives the cause.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tasks.gate import Gate
from tasks.judging.looks import LOOKS
from tasks.metrics import METRICS, figure
from tasks.records import Cause, Comparison, Look, Rule, Scores, SliceComparison
from tasks.sentences import listed


@dataclass(frozen=True)
class Case:
    """What the rules look at: scores, comparisons by whom with (champion, anchor, dummy, linear), slices, the look.

    ``newer`` tells whether the challenger was trained on newer data than the champion.
    """

    scores: Scores
    gate: Gate
    comparisons: dict[str, Comparison]
    slices: tuple[SliceComparison, ...] = ()
    look: Look | None = None
    newer: bool = False


def enough_rows(case: Case) -> Rule:
    """Check that enough rows that no model was trained on are left to compare on."""
    scores, fewest = case.scores, case.gate.fewest_rows
    observed = f"{scores.rows:,}"
    if scores.excluded:
        used = listed(f"{count:,} by the {who}" for who, count in scores.excluded.items())
        observed += f"; {scores.excluded_rows:,} were used for training ({used})"
    return Rule(
        name="enough test rows",
        passed=scores.rows >= fewest,
        observed=observed,
        required=f"at least {fewest:,} that no model was trained on",
        cause="cannot tell",
    )


def champion_readable(case: Case) -> Rule | None:
    """Check that the champion could be judged at all: a champion that cannot be loaded is never replaced by default."""
    scores = case.scores
    if scores.champion_version is None:
        return None
    return Rule(
        name="champion can be judged",
        passed=scores.problem is None,
        observed=scores.problem or f"version {scores.champion_version} predicted",
        required="the version in production predicts the same rows, as it did when it was judged",
        cause="champion unreadable",
    )


def rows_fresh(case: Case) -> Rule | None:
    """Check that these test rows have not been looked at so often that chance alone would promote something."""
    look = case.look
    if look is None:
        return None
    required = f"fewer than {LOOKS} earlier looks a row"
    if not look.alpha:
        required += f", which takes {look.fresh_rows_needed:,} rows that no decision has used"
    return Rule(
        name="test rows not worn out",
        passed=look.alpha > 0,
        observed=f"{look.earlier:.1f} earlier looks a row"
        + (f"; this one may err by chance once in {1 / look.alpha:,.0f}" if look.alpha else ""),
        required=required,
        cause="cannot tell",
    )


def absolute_floor(case: Case) -> Rule | None:
    """Check the challenger's metric against the declared floor (a ceiling where smaller is better)."""
    metric, value = METRICS[case.scores.metric], case.scores.challenger.value
    limit = case.gate.at_least if metric.greater_is_better else case.gate.at_most
    if limit is None:
        return None
    return Rule(
        name="good enough by itself",
        passed=value >= limit if metric.greater_is_better else value <= limit,
        observed=f"{metric.label} {figure(value)}",
        required=f"at {'least' if metric.greater_is_better else 'most'} {figure(limit)}",
        cause="rule broken",
    )


def beside_champion(case: Case) -> Rule | None:
    """Check what `promote_when` asks for: not worse than production, better, or equivalent and fresher."""
    found = case.comparisons.get("champion")
    if found is None:
        return None
    gate, fit = case.gate, found.standing in {"better", "equivalent"}
    least = f" by more than {gate.minimum_gain:.1%}" if gate.minimum_gain else ""
    match gate.promote_when:
        case "not_worse":
            name, passed, required = f"not worse than {found.against}", fit, _not_worse(found)
        case "better":
            passed = found.standing == "better" and found.harm.high < -gate.minimum_gain
            name, required = f"better than {found.against}", f"surely better{least}"
        case "fresher":
            passed, name = fit and case.newer, f"fresher than {found.against}, and not worse"
            required = f"trained on newer data, and {_not_worse(found)}"
    cause: Cause = found.standing if found.standing in {"worse", "cannot tell"} else "equivalent"  # pyright: ignore[reportAssignmentType]
    return Rule(name=name, passed=passed, observed=beside(found, case.scores), required=required, cause=cause)


def beside_anchor(case: Case) -> Rule | None:
    """Check that many small losses have not added up: not worse than the last version that was promoted as better."""
    found = case.comparisons.get("anchor")
    if found is None:
        return None
    return Rule(
        name=f"not worse than {found.against}, the anchor",
        passed=found.standing in {"better", "equivalent"},
        observed=beside(found, case.scores),
        required=f"at most {found.margin:.1%} worse in all since it was promoted as better, and not surely worse",
        cause="worse" if found.standing == "worse" else "cannot tell",
    )


def slices_unharmed(case: Case) -> Rule | None:
    """Check that no declared slice of the test rows is surely worse off by more than its margin."""
    if not case.slices:
        return None
    harmed = [part for part in case.slices if part.harmed]
    said = listed(
        f"{part.name} is {worse(part.harm.value)} on {part.rows:,} rows (p = {part.p_value:.2g})"
        for part in harmed
        if part.harm
    )
    margins = sorted({part.margin for part in case.slices})
    return Rule(
        name="no slice harmed",
        passed=not harmed,
        observed=said or f"none of {len(case.slices)} surely",
        required=f"none worse by more than {' or '.join(f'{margin:.1%}' for margin in margins)}",
        cause="rule broken",
    )


RULES: list[Callable[[Case], Rule | None]] = [
    enough_rows,
    champion_readable,
    rows_fresh,
    absolute_floor,
    beside_champion,
    beside_anchor,
    slices_unharmed,
]


def worse(harm: float) -> str:
    """Give a relative harm in words.

    >>> worse(0.031), worse(-0.002), worse(0.0001)
    ('3.1% worse', '0.2% better', 'no different')
    """
    size = f"{abs(harm):.1%}"
    return "no different" if size == "0.0%" else f"{size} {'worse' if harm > 0 else 'better'}"


def scored(scores: Scores) -> str:
    """Give the scores as a person would say them."""
    label, ours = METRICS[scores.metric].label, scores.challenger
    text = f"{label} {figure(ours.value)} [{figure(ours.low)}, {figure(ours.high)}] on {scores.rows:,} test rows"
    if not scores.rows:
        text = f"{label} {figure(ours.value)}, on test rows that one of the models was trained on, so it tells little"
    elif scores.excluded_rows:
        text += f" ({scores.excluded_rows:,} left out: one of the models was trained on them)"
    if scores.champion:
        text += f"; version {scores.champion_version} in production: {figure(scores.champion.value)}"
    return text + "."


def beside(found: Comparison, scores: Scores) -> str:
    """Give a comparison in words, with its bounds."""
    label = METRICS[scores.metric].label
    bounds = f"{worse(found.harm.low)} to {worse(found.harm.high)}"
    return f"{label} {figure(found.ours)} against {figure(found.theirs)}: {worse(found.harm.value)} ({bounds})"


def _not_worse(found: Comparison) -> str:
    text = f"not surely worse, and by at most {found.margin:.1%}"
    if found.rows_needed > found.rows:
        text += f" (to be sure of that would take {found.rows_needed:,} test rows)"
    return text
