"""A seal is a record's own sha256 as its last key: a byte that was changed is found before the record is parsed.

It protects against a disk that errs and a hand that slips, not against somebody who seals anew what he forged: that is
what `signatures` is for. Records of schema 1 may have no seal, as the first versions of the store wrote none. A
numbered record says its number inside too, so that another's cannot stand in its place.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from tasks.errors import StoreError
from tasks.records import Record

R = TypeVar("R", bound=Record)

UNSEALED = 1
"""Up to this version of their schema, records may have no seal."""

_SEAL = re.compile(rb',\n "sha256": "([0-9a-f]{64})"\n}\n')
_LENGTH = len(b',\n "sha256": ""\n}\n') + 64
_END = b"\n}"


def sealed(record: Record) -> bytes:
    """Give a record as JSON whose last key is the sha256 of the bytes before it."""
    body = record.model_dump_json(indent=1).encode().removesuffix(_END)
    return body + b',\n "sha256": "' + hashlib.sha256(body).hexdigest().encode() + b'"\n}\n'


def unsealed(path: Path, content: bytes, kind: type[R]) -> R:
    """Give the record that a file holds, after checking its seal.

    Raises
    ------
    StoreError
        A byte was changed, it is not a record of that kind, or it is that of another number.
    """
    body = opened(path, content)
    try:
        record = kind.model_validate_json(content if body is None else body)
    except ValidationError as error:
        raise StoreError(
            f"{path} is not a {kind.__name__} that this version of Salamander reads ({error.error_count()} faults, "
            f"the first: {error.errors()[0]['msg']}); restore it from a backup."
        ) from error
    if body is None and record.schema_version > UNSEALED:
        raise _changed(path, "it has no seal")
    stem, number = path.name.split(".")[0], number_of(record)
    if stem.isdigit() and number not in {None, int(stem)}:
        raise _changed(path, f"it is the record of number {number}")
    return record


def opened(path: Path, content: bytes) -> bytes | None:
    """Give the JSON of a record without its seal, or None where it has none.

    Raises
    ------
    StoreError
        The seal does not fit what stands before it.
    """
    found = _SEAL.fullmatch(content[-_LENGTH:])
    if not found:
        return None
    body = content[:-_LENGTH]
    if hashlib.sha256(body).hexdigest().encode() != found[1]:
        raise _changed(path, "its seal does not fit")
    return body + _END


def number_of(record: Record) -> int | None:
    """Give the number that a record says it has, or None where its kind is not numbered."""
    return getattr(record, "number", None)


def _changed(path: Path, how: str) -> StoreError:
    return StoreError(f"{path} was changed after it was written ({how}) and is not used; restore it from a backup.")
