"""What is wrong with a declaration, said as a person would: the key, the value and what is allowed.

pydantic finds the mistakes; its own words ("valid tuple", "union tag") are about Python, not about the file.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

NEEDED = {
    "tuple_type": "a list is needed",
    "model_type": "a table is needed",
    "model_attributes_type": "a table is needed",
    "dict_type": "a table is needed",
    "too_short": "at least 1 is needed",
    "scalar": "a text, a number, true, false or a list of these is needed",
}
NEEDED_OF = {
    "candidates": "a list of [[candidates]] is needed, or 'auto'",
    "search": "a list of values is needed, or a range such as { low = 0.1, high = 1.0 }",
}
NOT_WRITTEN = {"members"}
"""What stands in records only."""

TAGS = {"declared", "auto", "range", "choices"}
"""By which members of a union are told apart; nobody writes them."""


def mistakes(error: ValidationError, declared: Mapping[str, Any], model: type[BaseModel]) -> list[str]:
    """Give a clause for each thing that is wrong with what was declared for a model."""
    return [_sentence(detail, declared, model) for detail in _deepest(error.errors())]


def listed(names: Iterable[str]) -> str:
    """Give names as they stand in a sentence."""
    return ", ".join(names)


def meant(name: str, known: Iterable[str]) -> str:
    """Give the aside that proposes the known name nearest to a misspelt one, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _deepest(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """Give one detail for each thing that is wrong: a list is not wrong besides its member."""
    found: dict[tuple[int | str, ...], ErrorDetails] = {}
    for detail in details:
        location = tuple(part for part in detail["loc"] if part not in TAGS)
        value = next((place + 2 for place, part in enumerate(location) if part in {"parameters", "text"}), 0)
        of_any_kind = location[:1] in {("candidates",), ("features",)} and "range" not in detail["loc"]
        if of_any_kind and 2 < value < len(location):
            location = location[:value]  # what follows are the kinds of value that were tried
            found.setdefault(location, {**detail, "loc": location, "type": "scalar"})
        found.setdefault(location, {**detail, "loc": location})
    return [d for at, d in found.items() if not any(o[: len(at)] == at and len(o) > len(at) for o in found)]


def _sentence(detail: ErrorDetails, declared: Mapping[str, Any], model: type[BaseModel]) -> str:
    key = _key(detail["loc"])
    if detail["type"] == "extra_forbidden":
        allowed = _allowed_keys(detail["loc"], declared, model)
        unknown = str(detail["loc"][-1])
        return f"the key '{key}' is not known{meant(unknown, allowed)}; allowed: {listed(allowed)}"
    if detail["type"] == "missing":
        return f"the key '{key}' is missing"
    if detail["type"].startswith("union_tag") and detail["loc"][0] != "source":
        needed = NEEDED_OF["search" if "search" in detail["loc"] else "candidates"]
        return f"'{key}' = {detail['input']!r} is not allowed: {needed}"
    if detail["type"].startswith("union_tag"):
        kinds = [
            get_args(kind.model_fields["kind"].annotation)[0]
            for kind in _union_members(model.model_fields["source"].annotation)
        ]
        given = detail["input"].get("kind") if isinstance(detail["input"], dict) else detail["input"]
        return f"'{key}.kind' = {given!r} is not allowed; allowed: {listed(kinds)}"
    message = NEEDED.get(detail["type"], detail["msg"].removeprefix("Value error, "))
    if detail["type"] == "value_error" and isinstance(detail["input"], dict):
        return f"{key + ': ' if key else ''}{message}"
    return f"'{key}' = {detail['input']!r} is not allowed: {message[:1].lower()}{message[1:]}"


def _key(location: tuple[int | str, ...]) -> str:
    """Give a location as it is written in TOML; the tag of a union's member is not part of what the user wrote."""
    parts = [part for index, part in enumerate(location) if not (index == 1 and location[0] == "source")]
    text = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.removeprefix(".")


def _allowed_keys(location: tuple[int | str, ...], declared: Mapping[str, Any], model: type[BaseModel]) -> list[str]:
    top = model
    for index, part in enumerate(location[:-1]):
        if index == 1 and location[0] == "source":
            continue
        if isinstance(part, str) and part in model.model_fields:
            members = list(_union_members(model.model_fields[part].annotation))
            kind = declared["source"].get("kind") if part == "source" else None
            model = next(m for m in members if kind is None or get_args(m.model_fields["kind"].annotation)[0] == kind)
    inherited = {name for kind in model.__mro__[1:] for name in getattr(kind, "model_fields", {})}
    names = sorted(model.model_fields, key=inherited.__contains__)  # a kind's own keys come first
    return [name for name in names if name not in NOT_WRITTEN and (name != "name" or model is not top)]


def _union_members(annotation: Any) -> Iterator[type[BaseModel]]:
    """Give every model named inside an annotation."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for member in get_args(annotation):
        yield from _union_members(member)
