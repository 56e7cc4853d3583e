"""Seals: a changed byte of a record is found before the record is parsed."""

import hashlib
import json
from pathlib import Path

import pytest

from tasks.errors import StoreError
from tasks.records import Column, Deployment, Version
from tasks.registering.seals import number_of, opened, sealed, unsealed

RECORD = Column(name="rooms", dtype="int64")
PATH = Path("store/columns/000001.json")
DEPLOYED = b"""{
 "schema_version": 1,
 "number": 1,
 "version": 1,
 "previous": null,
 "kind": "promotion",
 "reason": "The first version, with accuracy 0.9889 [0.9777, 0.9972] on 359 unseen rows.",
 "by": "root",
 "at": "2026-11-21T10:25:07.842480Z"
}
"""


def test_the_seal_is_the_last_key_and_the_digest_of_what_stands_before_it():
    content = sealed(RECORD)
    before, _, seal = content.decode().rpartition(',\n "sha256": ')
    assert seal == f'"{hashlib.sha256(before.encode()).hexdigest()}"\n}}\n'
    assert json.loads(content) == RECORD.model_dump() | {"sha256": json.loads(content)["sha256"]}
    assert unsealed(PATH, content, Column) == RECORD


def test_every_changed_byte_is_found_and_the_file_named():
    content = sealed(RECORD)
    for place in range(len(content)):
        for change in (1, 32, 128):
            flipped = bytearray(content)
            flipped[place] ^= change
            with pytest.raises(StoreError, match=r"^store/columns/000001\.json (was changed|is not a Column)"):
                unsealed(PATH, bytes(flipped), Column)


def test_every_missing_end_is_found():
    content = sealed(RECORD)
    for length in range(len(content)):
        with pytest.raises(StoreError, match=r"^store/columns/000001\.json"):
            unsealed(PATH, content[:length], Column)


def test_a_changed_record_is_not_parsed():
    flipped = sealed(RECORD).replace(b"rooms", b"\xff\xfe\x00[{")
    with pytest.raises(StoreError, match="its seal does not fit"):
        opened(PATH, flipped)


def test_a_record_of_schema_1_may_have_no_seal():
    assert opened(PATH, DEPLOYED) is None
    assert unsealed(PATH, DEPLOYED, Deployment).version == 1


def test_a_newer_record_without_its_seal_is_refused(draft):
    whole = draft().model_copy(update={"number": 1})
    assert unsealed(PATH, sealed(whole), Version) == whole
    bare = whole.model_dump_json(indent=1).encode()
    with pytest.raises(StoreError, match="was changed after it was written \\(it has no seal\\)"):
        unsealed(PATH, bare, Version)


def test_the_record_of_another_number_is_refused():
    with pytest.raises(StoreError, match=r"000002\.json was changed .*\(it is the record of number 1\)"):
        unsealed(PATH.with_name("000002.json"), DEPLOYED, Deployment)
    assert unsealed(PATH.with_name("newest.json"), DEPLOYED, Deployment).number == 1
    assert number_of(RECORD) is None
