"""The suite of a draft: what was seen, with room for growth, as expectations that a person then makes stricter.

Ranges are three times as wide as what was seen. What would make a model wrong refuses the data (critical); what a
pipeline copes with, such as a new category or a few more gaps, is a warning. Of a sample of a larger table, only the
beginning was seen, so its ranges and sets are warnings too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from tasks.drafting.draft import Draft, rounded_out
from tasks.drafting.profile import ColumnProfile, figure, numbers

WIDTH = 116


def suite_text(draft: Draft) -> str:
    """Give the Python text of a draft's suite: tables of what was seen, then the expectations that read them."""
    used = [draft.profiles[name] for name in draft.named("target", "identity", "numeric", "categorical")]
    blocks = [
        *_complete(draft, used),
        *_gaps(used),
        *_ranges(draft, used),
        *_sets(draft, used),
        *_unique(draft),
        *_means(draft),
    ]
    tables = [table for table, _ in blocks if table]
    expectations = [_row_count(draft), *(expectation for _, expectation in blocks)]
    return "\n".join(
        [
            f'"""What must be true of {draft.name}: drafted from what was seen; put what you know in its place."""',
            "",
            "import great_expectations.expectations as gxe",
            "",
            *(line for table in tables for line in (table, "")),
            "EXPECTATIONS = [",
            *expectations,
            "]",
            "",
        ]
    )


def literal(value: Any) -> str:
    r"""Give a value as Python writes it, text in double quotes.

    >>> print(literal(["a", 'b"', 1.5, True]))
    ["a", "b\"", 1.5, True]
    """
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=not value.isprintable())
    if isinstance(value, list | tuple):
        inside = ", ".join(literal(each) for each in value)
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    return repr(value)


def _table(name: str, entries: Sequence[str], brackets: str) -> str:
    """Give an assignment of a list or a dict, on one line where it fits."""
    line = f"{name} = {brackets[0]}{', '.join(entries)}{brackets[1]}"
    if brackets == "[]" and len(line) <= WIDTH:
        return line
    return "\n".join([f"{name} = {brackets[0]}", *(f"    {entry}," for entry in entries), brackets[1]])


def _each(kind: str, settings: Sequence[str], over: str) -> str:
    inside = "\n".join(f"            {setting}," for setting in settings)
    return f"    *(\n        gxe.{kind}(\n{inside}\n        )\n        for {over}\n    ),"


def _one(kind: str, settings: Sequence[str]) -> str:
    inside = "\n".join(f"        {setting}," for setting in settings)
    return f"    gxe.{kind}(\n{inside}\n    ),"


def _row_count(draft: Draft) -> str:
    rows = len(draft.sample.frame)
    digits = 10 ** max(0, len(str(rows)) - 2)
    fewest = int(rows * 0.75) // digits * digits
    seen = f"{rows:,} rows were seen" + ("" if draft.sample.whole else ", and there are more")
    return _one(
        "ExpectTableRowCountToBeBetween",
        [
            f"min_value={max(1, fewest)}",
            'severity="critical"',
            f"notes={literal(seen + '; far fewer means a broken delivery.')}",
        ],
    )


def _complete(draft: Draft, used: Sequence[ColumnProfile]) -> list[tuple[str, str]]:
    needed = {draft.target, *draft.identity}
    found: list[tuple[str, str]] = []
    for name, columns, mostly, severity in (
        ("NEEDED", [each for each in used if each.name in needed], "", "critical"),
        ("COMPLETE", [each for each in used if each.name not in needed], "mostly=0.99", "critical"),
    ):
        if names := [literal(each.name) for each in columns if not each.missing]:
            notes = f'notes="Complete in the {len(draft.sample.frame):,} rows that were seen."'
            settings = ["column=name", *([mostly] if mostly else []), f'severity="{severity}"', notes]
            expectation = _each("ExpectColumnValuesToNotBeNull", settings, f"name in {name}")
            found.append((_table(name, names, "[]"), expectation))
    return found


def _gaps(used: Sequence[ColumnProfile]) -> list[tuple[str, str]]:
    entries: list[str] = []
    for each in used:
        mostly = round(1 - 2 * each.missing_share - 0.02, 2)
        if each.missing and mostly > 0:
            seen = f"Missing in {each.missing:,} of {each.rows:,} rows ({each.missing_share:.1%})."
            entries.append(f"{literal(each.name)}: ({mostly}, {literal(seen)})")
    if not entries:
        return []
    settings = ["column=name", "mostly=mostly", 'severity="warning"', "notes=seen"]
    over = "name, (mostly, seen) in GAPS.items()"
    return [(_table("GAPS", entries, "{}"), _each("ExpectColumnValuesToNotBeNull", settings, over))]


def _ranges(draft: Draft, used: Sequence[ColumnProfile]) -> list[tuple[str, str]]:
    entries: list[str] = []
    for each in used:
        if each.kind in {"whole", "number"} and each.name not in {*_by_value(draft), *draft.identity}:
            low, high = rounded_out(each.low, each.high, whole=each.kind == "whole")
            seen = f"{figure(each.low)} to {figure(each.high)} were seen."
            entries.append(f"{literal(each.name)}: ({low!r}, {high!r}, {literal(seen)})")
    if not entries:
        return []
    severity = "critical" if draft.sample.whole else "warning"
    settings = ["column=name", "min_value=lowest", "max_value=highest", f'severity="{severity}"', "notes=seen"]
    over = "name, (lowest, highest, seen) in RANGES.items()"
    return [(_table("RANGES", entries, "{}"), _each("ExpectColumnValuesToBeBetween", settings, over))]


def _by_value(draft: Draft) -> set[str]:
    """Give the columns of which the values count one by one: the classes, the categories, true and false."""
    truths = [name for name in draft.named("numeric") if draft.profiles[name].kind == "truth"]
    classes = [draft.target] if draft.task == "classification" else []
    return {*truths, *classes, *draft.named("categorical")}


def _sets(draft: Draft, used: Sequence[ColumnProfile]) -> list[tuple[str, str]]:
    chosen = [each for each in used if each.name in _by_value(draft) and each.values]
    found: list[tuple[str, str]] = []
    if classes := [each for each in chosen if each.name == draft.target]:
        severity = "critical" if draft.sample.whole else "warning"
        notes = f"These {classes[0].distinct} classes were seen; a model cannot predict another."
        settings = [
            f"column={literal(draft.target)}",
            f"value_set={literal(list(classes[0].values))}",
            f'severity="{severity}"',
            f"notes={literal(notes)}",
        ]
        found.append(("", _one("ExpectColumnValuesToBeInSet", settings)))
    if entries := [
        f"{literal(each.name)}: {literal(list(each.values))}" for each in chosen if each.name != draft.target
    ]:
        settings = ["column=name", "value_set=values", "mostly=0.99", 'severity="warning"', _set_notes()]
        expectation = _each("ExpectColumnValuesToBeInSet", settings, "name, values in VALUES.items()")
        found.append((_table("VALUES", entries, "{}"), expectation))
    return found


def _set_notes() -> str:
    return 'notes=f"{len(values)} different values were seen; a model has learnt nothing about another."'


def _unique(draft: Draft) -> list[tuple[str, str]]:
    if len(draft.identity) != 1:
        return []
    notes = f"Different in each of the {len(draft.sample.frame):,} rows that were seen; it makes a row the same row."
    settings = [f"column={literal(draft.identity[0])}", 'severity="critical"', f"notes={literal(notes)}"]
    return [("", _one("ExpectColumnValuesToBeUnique", settings))]


def _means(draft: Draft) -> list[tuple[str, str]]:
    """Give expectations of the mean of what moves every estimate: a numeric target, and the strongest predictor."""
    names = [draft.target] if draft.task == "regression" else []
    names += [draft.strata.column] if draft.strata.column and draft.strata.bins else []
    entries: list[str] = []
    for name in dict.fromkeys(names):
        found = numbers(draft.sample.frame[name])
        if found is not None:
            mean, spread = float(np.nanmean(found)), float(np.nanstd(found))
            low, high = (float(f"{mean + side * spread / 2:.3g}") for side in (-1, 1))
            seen = f"{figure(mean)} was seen, within half a standard deviation."
            entries.append(f"{literal(name)}: ({low!r}, {high!r}, {literal(seen)})")
    if not entries:
        return []
    settings = ["column=name", "min_value=lowest", "max_value=highest", 'severity="warning"', "notes=seen"]
    over = "name, (lowest, highest, seen) in MEANS.items()"
    return [(_table("MEANS", entries, "{}"), _each("ExpectColumnMeanToBeBetween", settings, over))]
