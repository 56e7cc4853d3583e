"""What the body of a request asks for, whatever it is written in: JSON, Arrow or Parquet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from pydantic_core import from_json

from serving.answers import Form
from serving.rows import Rows
from serving.settings import Settings
from serving.tables import ARROW, PARQUET, read_table
from serving.values import BadRequest, shown
from tasks.direct import Columns
from tasks.sentences import listed, meant

JSON = "application/json"
MEDIA_TYPES = (JSON, ARROW, PARQUET)
AS_JSON = ("", JSON, "text/json", "application/x-www-form-urlencoded")
"""What clients of TensorFlow Serving, which does not look, call JSON: requests nothing at all, curl a form."""

KEYS = ("signature_name", "instances", "inputs", "interval")
SIGNATURES = ("", "serving_default")


class Asked(NamedTuple):
    """What one request asks for; ``interval`` is the level of intervals, if they are wanted."""

    columns: Columns
    form: Form
    interval: float | None = None


def sent_type(headers: Mapping[str, str]) -> str:
    """Give which of the media types a body has.

    Raises
    ------
    BadRequest
        None of them.
    """
    named, _, more = headers.get("content-type", "").partition(";")
    named, charset = named.strip().lower(), more.lower().partition("charset=")[2].strip().strip('"')
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise BadRequest(
            f"A body in the encoding {headers['content-encoding'][:80]!r} is not read; send it plain.", 415
        )
    if charset.partition(";")[0] not in {"", "utf-8", "utf8", "us-ascii"}:
        raise BadRequest(f"A body in the character set {charset[:80]!r} is not read; send UTF-8.", 415)
    if named in AS_JSON or named.endswith("+json"):
        return JSON
    if named not in MEDIA_TYPES:
        raise BadRequest(f"A body of the type {named[:80]!r} is not read; allowed are: {listed(MEDIA_TYPES)}.", 415)
    return named


def wanted_type(accept: str, sent: str) -> str:
    """Give the media type of the answer: the first that the client names, else the one that it sent."""
    named = (each.partition(";")[0].strip().lower() for each in accept.split(","))
    return next((each for each in named if each in MEDIA_TYPES), sent)


def read_body(rows: Rows, body: bytes, media_type: str, interval: str | None, settings: Settings) -> Asked:
    """Give what a body asks of a model; ``interval`` is that of the address, since tables have no place for it.

    Raises
    ------
    BadRequest
        It cannot be read, or the model cannot read what it holds.
    """
    asked_for = None if interval is None else level_of(interval)
    if media_type == JSON:
        found = read_json(rows, body, settings.most_rows)
        return found if asked_for is None else found._replace(interval=asked_for)
    return Asked(read_table(rows, body, media_type, settings.most_rows, settings.most_bytes), "columns", asked_for)


def read_json(rows: Rows, body: bytes, most_rows: int) -> Asked:
    """Give what a JSON body asks of a model.

    Raises
    ------
    BadRequest
        It is no JSON, has keys that are not known, or rows that the model cannot read.
    """
    try:
        read = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise BadRequest(f"The body is not JSON: {error}. What is missing is null; JSON has no NaN.") from error
    if not isinstance(read, dict):
        raise BadRequest(f'The body must be an object such as {{"instances": [...]}}, not {shown(read)}.')
    value = cast("dict[str, Any]", read)
    if extra := [key[:80] for key in value if key not in KEYS]:
        raise BadRequest(f"The key {extra[0]!r} is not known{meant(extra[0], KEYS)}; allowed are: {listed(KEYS)}.")
    if value.get("signature_name", "") not in SIGNATURES:
        raise BadRequest('"signature_name" must be "serving_default", the only one, or be left out.')
    if ("instances" in value) == ("inputs" in value):
        raise BadRequest('The body needs either "instances", a list of rows, or "inputs", lists by column.')
    level = _level(value["interval"]) if "interval" in value else None
    if "inputs" in value:
        return Asked(rows.columns(value["inputs"], most_rows), "columns", level)
    columns = rows.instances(value["instances"], most_rows)
    return Asked(columns, "arrays" if isinstance(value["instances"][0], list) else "rows", level)


def level_of(text: str) -> float:
    """Give the level of intervals that stands beside a request: in its address, or in the metadata of a call.

    Raises
    ------
    BadRequest
        It is none.
    """
    try:
        return _level(float(text))
    except ValueError:
        return _level(text)


def _level(value: Any) -> float:
    if type(value) is not float or not 0 < value < 1:
        raise BadRequest(f'"interval" is {shown(value)}, but must be a level between 0 and 1, such as 0.9.')
    return value
