"""Dialects: how a text table is written, found by reading its beginning.

Only what differs from the defaults is declared. A separator is right if the header and nearly all rows have the same
number of fields with it. The rest is read off the fields of each column: a decimal comma, thousands, marks of missing
values, blanks around values, and whether the first row names the columns.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice, product, zip_longest
from typing import Any

from tasks.sources import Dialect

SEPARATORS = (";", "\t", "|", ",")
"""In this order: a comma may also be the decimal sign of a file that another separator divides."""
MARKS = ("?", "-", "--", ".", "n/a", "N.A.", "#N/A", "None", "none", "\\N", "missing")
PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.IGNORECASE)
COMMA = re.compile(r"[+-]?\d+,\d+|[+-]?\d{1,3}(\.\d{3})+(,\d+)?|[+-]?\d+")
GROUPED = {mark: re.compile(rf"[+-]?\d{{1,3}}({re.escape(mark)}\d{{3}})+(\.\d+)?|[+-]?\d+(\.\d+)?") for mark in ",' _"}
RECORDS = 500


def detect(sample: bytes) -> dict[str, Any]:
    """Give what differs from the defaults of `Dialect` in the beginning of a text table, by the names of its fields."""
    encoding = detect_encoding(sample)
    text = sample.decode(encoding, errors="replace").removeprefix("\ufeff")
    quote, separator = _divided(text)
    found = [record for record in _records(text, separator, quote) if record]
    width = Counter(map(len, found)).most_common(1)[0][0] if found else 0
    skipped = next((at for at, record in enumerate(found) if len(record) == width), 0) if width > 1 else 0
    rows = [record for record in found[skipped:] if len(record) == width]
    strip = _has_blanks(rows)
    rows = [[field.strip() for field in record] for record in rows] if strip else rows
    header = has_header(rows)
    columns = [list(column) for column in zip_longest(*rows[1 if header else 0 :], fillvalue="")]
    default = Dialect()
    missing = detect_missing(columns, default.missing)
    declared: dict[str, Any] = {
        "separator": None if separator == "," else separator,
        "quote": quote,
        "encoding": encoding,
        "names": () if header else tuple(f"column_{number}" for number in range(1, width + 1)),
        "skip_rows": skipped,
        "missing": default.missing if not missing else (*default.missing, *missing),
        "strip": strip,
        **_number_marks(columns, {"", *default.missing, *missing}, separator),
    }
    return {key: value for key, value in declared.items() if value != getattr(default, key)}


def detect_encoding(sample: bytes) -> str:
    """Give the encoding of a text: UTF-8 where it fits, else by its mark, else the likeliest."""
    marks = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
    for mark, encoding in marks:
        if sample.startswith(mark):
            return encoding
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)  # the sample may end within a character
    except UnicodeDecodeError:
        import charset_normalizer

        best = charset_normalizer.from_bytes(sample).best()
        if best is None or "cp1252" in best.could_be_from_charset:
            return "cp1252"
        return best.encoding.replace("_", "-")
    return "utf-8"


def has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Tell whether the first row names the columns: texts above numbers, or texts that no column repeats below."""
    if len(rows) < 2:
        return True
    first, below = rows[0], rows[1:]
    known = {"", *Dialect().missing, *MARKS}
    votes = repeated = 0
    for name, column in zip(first, zip(*below, strict=True), strict=True):
        values = [value for value in column if value not in known]
        if values and all(_is_number(value) for value in values):
            votes += -1 if _is_number(name) or name in known - {""} else 1
        repeated += name in column
    return votes > 0 if votes else 2 * repeated <= len(first)


def detect_missing(columns: Sequence[Sequence[str]], default: Sequence[str]) -> tuple[str, ...]:
    """Give the marks that stand for missing values: ``?`` anywhere, others where a column is numbers without them."""
    found: dict[str, None] = {}
    for column in columns:
        values = set(column) - {"", *default}
        marks = [mark for mark in MARKS if mark in values]
        rest = values - set(marks)
        if rest and all(_is_number(value) for value in rest):
            found.update(dict.fromkeys(marks))
        elif rest:
            found.update(dict.fromkeys(mark for mark in marks if mark in {"?", "\\N", "#N/A"}))
    return tuple(found)


def _divided(text: str) -> tuple[str, str]:
    """Give the quote and the separator that divide a text best: at first of those with which each quote is in place."""
    quote = (
        "'" if text.count("'") > 20 * (text.count('"') + 1) and re.search(r"(^|[;,\t|])'[^']*'[;,\t|]", text) else '"'
    )
    for strict, separator in product((True, False), SEPARATORS):
        widths = [len(record) for record in _records(text, separator, quote, strict=strict) if record]
        if not widths:
            continue
        width, count = Counter(widths).most_common(1)[0]
        first = next((at for at, each in enumerate(widths) if each == width), 0)
        if width > 1 and count >= 0.9 * (len(widths) - first) and first <= 20 and max(widths[:first], default=0) <= 1:
            return quote, separator
    return quote, ","


def _records(text: str, separator: str, quote: str, *, strict: bool = False) -> list[list[str]]:
    """Give the fields of each record, or nothing where it cannot be read: if strict, for a quote out of place too."""
    lines = text.splitlines(keepends=True)
    lines = lines[:-1] if len(lines) > RECORDS else lines  # the last may have been cut
    try:
        return [*islice(csv.reader(lines, delimiter=separator, quotechar=quote, strict=strict), RECORDS)]
    except csv.Error:
        return []


def _is_number(text: str) -> bool:
    return bool(PLAIN.fullmatch(text) or COMMA.fullmatch(text)) or any(
        each.fullmatch(text) for each in GROUPED.values()
    )


def _has_blanks(rows: Sequence[Sequence[str]]) -> bool:
    fields = [field for record in rows[1:] for field in record if field]
    return sum(field != field.strip() for field in fields) > 0.05 * len(fields)


def _number_marks(columns: Sequence[Sequence[str]], missing: set[str], separator: str) -> dict[str, Any]:
    """Give the decimal sign and the mark of thousands that make the most columns numbers."""
    found: Counter[tuple[str, str | None]] = Counter()
    for column in columns:
        values = [value for value in set(column) if value not in missing]
        if not values or all(PLAIN.fullmatch(value) for value in values):
            continue
        grouped = next((mark for mark, form in GROUPED.items() if all(form.fullmatch(value) for value in values)), None)
        if grouped and not (grouped == "," and separator == ";"):
            found[".", grouped] += 1
        elif all(COMMA.fullmatch(value) for value in values):
            found[",", "." if any("." in value for value in values) else None] += 1
    if not found:
        return {}
    decimal = found.most_common(1)[0][0][0]
    thousands = next((mark for (sign, mark) in found if sign == decimal and mark), None)
    return {"decimal": decimal, "thousands": thousands}
