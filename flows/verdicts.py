"""A verdict as a person reads it: the same lines in the terminal, in the Prefect UI and in an approval's form."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.judging.rules import scored, worse
from tasks.records import Measurements, Scores, SliceComparison, Verdict

SLICE_COLUMNS = ("slice", "rows", "challenger is", "p-value of harm")


def verdict_text(problem: str, scores: Scores, verdict: Verdict) -> str:
    """Give the verdict as Markdown: every rule, the slices, the alarms and where to look first."""
    head = "Promote" if verdict.promote else f"Hold: {verdict.cause}"
    parts = [f"# {problem}: {head}", verdict.reason, scored(scores)]
    rules = [("✓" if rule.passed else "✗", rule.name, rule.observed, rule.required) for rule in verdict.rules]
    parts.append(_table(("", "rule", "observed", "required"), rules))
    if verdict.slices:
        parts += ["## Slices", _table(SLICE_COLUMNS, [slice_cells(part) for part in verdict.slices])]
    for title, lines in findings(verdict).items():
        parts += [f"## {title}", "\n".join(f"- {line}" for line in lines)]
    return "\n\n".join(parts) + "\n"


def findings(verdict: Verdict) -> dict[str, list[str]]:
    """Give what there is to look into, as lines under their titles."""
    found = {"Alarms": list(verdict.alarms)}
    if seen := verdict.investigation:
        found["Rows that lost most"] = [
            f"{row.row}: is {row.target}, predicted {row.challenger}, by the champion {row.champion}"
            for row in seen.worst_rows
        ]
        found["Features that moved since the champion was trained"] = list(seen.moved)
        found["What differs in the declaration"] = list(seen.declared)
    return {title: lines for title, lines in found.items() if lines}


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', '/') for cell in line)} |" for line in lines)


def slice_cells(found: SliceComparison) -> tuple[str, str, str, str]:
    """Give a slice's name, its rows, how the challenger does there and what speaks for harm."""
    if found.harm is None:
        return found.name, f"{found.rows:,}", "not to be measured", ""
    return found.name, f"{found.rows:,}", worse(found.harm.value), f"{found.p_value:.2g}"


def measured(found: Measurements) -> str:
    """Give what a model costs, in a sentence."""
    return (
        f"A row takes {found.row_milliseconds:,.1f} ms (p95), {found.batch_rows:,} rows {found.batch_seconds:,.2f} s; "
        f"{found.megabytes:,.1f} MB of files, {found.memory_megabytes:,.0f} MB of memory."
    )
