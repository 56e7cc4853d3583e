"""The texts of a draft: `problem.toml` and the datasheet, as a person writes them, a reason beside each guess.

Names of columns come from data and may hold anything; what is written as TOML is quoted, what is a comment or a table
of Markdown is flattened to one line.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.drafting.draft import Draft
from tasks.drafting.plans import fewest_test_rows
from tasks.sentences import listed

BESIDE = 34
"""The column at which comments stand."""
LONGEST_LINE = 120


def toml(value: Any) -> str:
    r"""Give a value as TOML writes it.

    >>> print(toml(["a", 'b"']), toml({"x": 1.0, "a b": True}))
    ["a", "b\""] { x = 1.0, "a b" = true }
    """
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(str(key))} = {toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, Sequence):
        return "[" + ", ".join(toml(each) for each in value) + "]"
    return repr(value)


def flat(text: str) -> str:
    """Give a text on one line, without what neither a comment nor a table may hold."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text).strip()


def problem_text(draft: Draft) -> str:
    """Give the declaration of a draft."""
    sections = [
        _head(draft),
        _source(draft),
        _history(draft),
        _columns(draft),
        _split(draft),
        *(candidate_lines(candidate.model_dump(exclude_defaults=True)) for candidate in draft.candidates),
        _gate(draft),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml(name)


def _line(key: str, value: Any, why: str = "") -> str:
    """Give a key with its reason beside it, or above it where the line would be too long."""
    text, reason = f"{_key(key)} = {toml(value)}", flat(why)
    beside = f"{text:<{BESIDE}} # {reason}" if why else text
    if len(beside) <= LONGEST_LINE or not why:
        return beside
    return "\n".join([*(f"# {line}" for line in textwrap.wrap(reason, LONGEST_LINE - 2)), text])


def _head(draft: Draft) -> list[str]:
    lines = [
        f"# Drafted by salamander new from {_looked_at(draft)}. Every guess is yours to correct.",
        _line("description", f"{draft.target}, from {draft.sample.origin}."),
        _line("task", draft.task, draft.task_why),
        _line("target", draft.target),
    ]
    if draft.identity:
        return [*lines, _line("identity", draft.identity, draft.identity_why)]
    return [*lines, f"# identity = ['...']  # {flat(draft.identity_why)}"]


def _looked_at(draft: Draft) -> str:
    rows = len(draft.sample.frame)
    first = "" if draft.sample.whole else "the first "
    return flat(f"{first}{rows:,} rows of {draft.sample.origin}")


def _source(draft: Draft) -> list[str]:
    source = {key: value for key, value in draft.sample.source.items() if key != "dialect"}
    lines = ["[source]", *(_line(key, value) for key, value in source.items())]
    if draft.sample.sha256:
        lines.append(
            f"# sha256 = {toml(draft.sample.sha256)}  # of the file as it was now: pins it, if it never changes"
        )
    if dialect := draft.sample.source.get("dialect"):
        lines += ["", "[source.dialect]", *(_line(key, value) for key, value in dialect.items())]
    return lines


def _history(draft: Draft) -> list[str]:
    if draft.series is None:
        return []
    return [
        "[history]",
        _line("order", draft.series.order),
        _line("of", draft.target),
        _line("lags", draft.series.lags, "the value so many rows before"),
        _line("rolling", draft.series.rolling, "the mean of so many rows before"),
    ]


def _columns(draft: Draft) -> list[str]:
    """Give the columns whose part their type does not tell, one a line with its reason."""
    told = {"drop": ("identity", "dropped"), "categorical": ("categorical",)}
    lines: list[str] = []
    for key, parts in told.items():
        found = [guess for guess in draft.parts if guess.part in parts]
        if key == "categorical":
            found = [guess for guess in found if draft.profiles[guess.column].is_number]
        if found:
            rows = [f"    {toml(guess.column) + ',':<{BESIDE - 4}} # {flat(guess.why)}" for guess in found]
            lines += [f"{key} = [", *rows, "]"]
    return ["[columns]", *lines] if lines else []


def _split(draft: Draft) -> list[str]:
    strata = draft.strata
    lines = ["[split]"]
    if draft.series:
        lines += [_line("kind", "time", draft.series.why), _line("by", draft.series.order), _line("test_size", 0.2)]
    elif strata.column is None:
        lines.append(f"# stratify: {flat(strata.why)}")
    else:
        lines.append(_line("stratify", strata.column, strata.why))
    if strata.bins:
        lines.append(_line("bins", strata.bins))
    proposals = () if draft.series else draft.proposals
    return [*lines, *(f"# {flat(proposal)}" for proposal in proposals)]


def candidate_lines(declared: Mapping[str, Any]) -> list[str]:
    """Give the lines of a problem file that declare a candidate."""
    return ["[[candidates]]", *(_line(key, value) for key, value in declared.items())]


def _gate(draft: Draft) -> list[str]:
    floor = "at_least = 0.9" if draft.task == "classification" else "at_most = 1000.0"
    what = (
        "a floor: a model below it is never deployed"
        if draft.task == "classification"
        else ("a ceiling: a model whose error is above it is never deployed")
    )
    lines = ["[gate]", f"{'# ' + floor:<{BESIDE}} # {what}"]
    if fewest := fewest_test_rows(draft.rows):
        why = f"{draft.rows} rows leave few to judge on; 30 is the default, and every verdict here is rough"
        lines.append(_line("fewest_rows", fewest, why))
    return lines


def datasheet_text(draft: Draft) -> str:
    """Give the datasheet of a draft; what only a person knows is asked for."""
    columns = [f"| {_code(guess.column)} | {guess.part} | {_cell(guess.why)} |" for guess in draft.parts]
    strata = draft.strata.why
    beware = [f"- {flat(pitfall.sentence)}." for pitfall in draft.pitfalls] or ["Nothing was noticed."]
    identity = f"{listed(map(_code, draft.identity))}: {draft.identity_why}" if draft.identity else draft.identity_why
    return "\n".join(
        [
            f"# {draft.name}",
            "",
            "**What a row is.** (Say it here: one what, where and when, and who wrote it down.)",
            "",
            "| column | part | seen |",
            "|---|---|---|",
            *columns,
            "",
            "| | |",
            "|---|---|",
            f"| rows | {_looked_at(draft)} |",
            f"| source | {_cell(draft.sample.origin)} |",
            "| licence | (find out, and say it here) |",
            f"| identity | {_cell(identity)} |",
            f"| strata | {_cell(strata)} |",
            "",
            "**Used for.** (What is decided with the predictions, and by whom?)",
            "",
            "**Not for.** (What would go wrong if somebody used it for more?)",
            "",
            "**Beware.**" if draft.pitfalls else "**Beware.** Nothing was noticed.",
            *(["", *beware] if draft.pitfalls else []),
            "",
        ]
    )


def _cell(text: str) -> str:
    return flat(text).replace("|", "\\|")


def _code(name: str) -> str:
    return f"`{_cell(name).replace('`', chr(39))}`"
