"""Versions: numbered once, created whole after their files, and only what was decided on is read."""

import pytest

from tasks.errors import ProblemError, StoreError
from tasks.records import Version
from tasks.registering.decisions import following
from tasks.registering.leases import Leases
from tasks.registering.seals import sealed
from tasks.registering.versions import Versions, same_content
from tasks.registry import Registry

TABLE = '{"file": {"path": "models/a", "sha256": "a", "size": 1}, "rows": 9, "columns": []}'
OLD = f"""{{
 "schema_version": 1,
 "number": 1,
 "key": "d9a071cfb2b57dff",
 "model": {{
  "schema_version": 1,
  "candidate": {{"name": "svm", "estimator": "SVC", "scale": "none", "parameters": {{"C": 10.0}}}},
  "task": "classification",
  "files": {{"model.skops": {{"schema_version": 1, "path": "models/a.skops", "sha256": "a", "size": 1}}}},
  "columns": {{"schema_version": 1, "target": "grower", "roles": {{"ash": "numeric"}}, "derived": {{}}}},
  "classes": [0, 1],
  "leaderboard": [],
  "trained_on": {TABLE},
  "libraries": {{"python": "3.11.7"}},
  "seed": 42
 }},
 "scores": {{
  "schema_version": 1,
  "metric": "accuracy",
  "confidence": 0.95,
  "rows": 359,
  "excluded_rows": 0,
  "challenger": {{"schema_version": 1, "value": 0.98, "low": 0.97, "high": 0.99}},
  "champion": null,
  "difference": null,
  "champion_version": null,
  "problem": null,
  "predictions": {TABLE}
 }},
 "verdict": {{
  "schema_version": 1,
  "promote": true,
  "cause": null,
  "rules": [
   {{"name": "enough test rows", "passed": true, "observed": "359", "required": "at least 30", "cause": null}}
  ],
  "reason": "The first version, with accuracy 0.9889 [0.9777, 0.9972] on 359 unseen rows."
 }},
 "snapshot": {{"schema_version": 1, "data": {TABLE}, "origin": "digits of scikit-learn"}},
 "test": {TABLE},
 "problem_digest": "p",
 "code_digest": "c",
 "created": "2026-11-21T10:25:00.842480Z"
}}
"""


@pytest.fixture
def versions(store):
    return Versions(store)


@pytest.fixture
def register(store, versions):
    return lambda draft: versions.register(draft, Leases(store))


def record_of(store, number):
    return store.folder / "versions" / f"{number:06}.json"


def test_numbers_rise_and_the_same_content_is_the_same_version(versions, register, draft):
    first = register(draft("a"))
    assert first.number == 1
    assert register(draft("a", day=2)) == first  # another clock, the same content
    second = register(draft("b"))
    assert second.number == 2
    assert register(draft("a")) == first
    assert versions.all() == [first, second]
    assert [*versions.readable()] == [second, first]
    assert versions.version(2) == second
    with pytest.raises(ProblemError, match="has no version 7; it has 1, 2"):
        versions.version(7)


def test_a_version_whose_files_are_gone_is_not_made(versions, register, draft, store):
    made = draft("a")
    store.path(made.model.files["model.skops"]).unlink()
    with pytest.raises(
        StoreError, match="is gone from the store, so nothing was written that names it; run again"
    ) as caught:
        register(made)
    assert str(store.folder / made.model.files["model.skops"].path) in str(caught.value)
    assert versions.numbers() == []


def test_a_record_that_was_not_decided_on_is_refused(store, draft):
    """Its seal fits, and its number: only the decision tells that it is another's."""
    registry = Registry(store)
    registry.promote(registry.register(draft("a")), None)
    forged = draft("forged").model_copy(update={"number": 1})
    record_of(store, 1).write_bytes(sealed(forged))
    for read in (registry.champion, registry.versions, lambda: registry.version(1)):
        with pytest.raises(StoreError, match=r"versions/000001\.json is not the record that was decided on"):
            read()


def test_a_record_that_is_missing_is_refused_where_it_was_decided_on(store, draft):
    registry = Registry(store)
    registry.promote(registry.register(draft("a")), None)
    record_of(store, 1).unlink()
    for read in (registry.champion, registry.versions, lambda: registry.version(1)):
        with pytest.raises(StoreError, match=r"versions/000001\.json cannot be read: No such file"):
            read()
    assert len(registry.refused()) == 1
    assert registry.register(draft("b")).number == 2  # its number is not used again


def test_what_cannot_be_trusted_is_left_out_where_versions_are_compared(versions, register, draft, store):
    first, second = register(draft("a")), register(draft("b"))
    record_of(store, 1).write_bytes(record_of(store, 1).read_bytes().replace(b"Because", b"because"))
    assert [*versions.readable()] == [second]
    with pytest.raises(StoreError, match=r"versions/000001\.json was changed"):
        versions.all()
    assert register(draft("a")).number == 3
    assert first.number == 1


def test_a_version_of_an_older_store_is_read(versions, store):
    record_of(store, 1).parent.mkdir(parents=True)
    record_of(store, 1).write_text(OLD)
    version = versions.version(1)
    assert (version.schema_version, version.number, version.scores.challenger.value) == (1, 1, 0.98)
    assert (version.gate, version.look, version.measurements, version.verdict.standing) == (None, None, None, None)


def test_a_version_of_an_older_store_in_anothers_place_is_refused(versions, store):
    record_of(store, 2).parent.mkdir(parents=True)
    record_of(store, 2).write_text(OLD)
    with pytest.raises(StoreError, match=r"000002\.json was changed .*\(it is the record of number 1\)"):
        versions.version(2)


def test_files_that_are_damaged_missing_or_collected_are_named(versions, register, draft, store):
    version = register(draft("a"))
    versions.check_files(version)
    path = store.path(version.model.files["model.skops"])
    path.write_bytes(b"other")
    with pytest.raises(StoreError, match="was changed after it was written"):
        versions.check_files(version)
    path.unlink()
    with pytest.raises(StoreError, match="is missing from the store"):
        versions.check_files(version)
    reason = "1 file that nothing needs"
    collected = versions.decisions.append(
        lambda number, state: following(number, state, "collected", reason, "géron", version=1)
    )
    for check in (versions.check_files, versions.check_kept):
        with pytest.raises(StoreError) as caught:
            check(version)
        assert str(caught.value) == (
            f"The files of version 1 of houses were removed on {collected.at:%Y-%m-%d} by géron (decision 1: 1 file "
            "that nothing needs); only its record is kept."
        )


def test_the_content_of_a_model_is_its_files_columns_and_classes(draft):
    one = draft("a").model
    assert same_content(one, draft("other", files={"model.skops": b"a"}).model)
    assert same_content(one, one.model_copy(update={"seed": 8, "libraries": {"skops": "1"}}))
    assert not same_content(one, draft("b").model)
    assert not same_content(one, one.model_copy(update={"classes": (0, 1)}))
    assert not same_content(one, draft("a", files={"network.keras": b"a"}).model)
    roles = one.columns.model_copy(update={"roles": {"rooms": "numeric"}})
    assert not same_content(one, one.model_copy(update={"columns": roles}))
    assert isinstance(draft("a"), Version)
