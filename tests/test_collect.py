"""Collecting: what a root names stays, what is young stays, and the rest is shown first and then removed."""

import json
import os
import time
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from tasks.errors import ProblemError, StoreError
from tasks.gate import Retention
from tasks.records import Changes, Correction, Look, Snapshot, Table, Trial
from tasks.registering.collect import collect, waste
from tasks.registering.decisions import Decisions
from tasks.registering.leases import Leases
from tasks.registering.signatures import name_of
from tasks.registry import Registry
from tasks.snapshots import Snapshots, docs_folder
from tasks.store import Store

AT_ONCE = timedelta(0)
ONE = Retention(versions=1, snapshots=1, days=0)


@pytest.fixture
def registry(store):
    return Registry(store)


@pytest.fixture
def table(store):
    def kept(*values, kind="raw"):
        return store.keep_table(pa.table({"rooms": [*values]}), kind)

    return kept


@pytest.fixture
def take(store):
    """Give a function that writes an accepted snapshot of a table into the history of the data."""

    def taken(*parts, outcome="accepted", quarantine=None):
        snapshot = Snapshot(data=Table(parts=parts), origin="here")
        changes = Changes(added=1, changed=0, gone=0)
        return Snapshots(store).keep(snapshot, outcome, changes, quarantine=quarantine)

    return taken


def there(store):
    return {path.relative_to(store.folder).as_posix() for path in store.folder.rglob("*") if path.is_file()}


def is_there(store, file):
    return (store.folder / file.path).is_file()


def model_file(version):
    return version.model.files["model.skops"]


def result(store, name, value, age_days=0.0):
    path = store.folder / "results" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"metadata": {"serializer": {}}, "result": json.dumps(value)}))
    moment = time.time() - age_days * 86_400
    os.utime(path, (moment, moment))
    return path


def test_an_empty_store_has_no_waste(store):
    assert waste(store, Retention()).unneeded == ()
    assert collect(store, Retention(), AT_ONCE).unneeded == ()


def test_looking_changes_nothing(store, registry, draft):
    for key in "abc":
        registry.register(draft(key, promote=False, cause="worse"))
    before = there(store)
    found = waste(store, ONE, AT_ONCE)
    assert {each.path for each in found.unneeded} == {
        model_file(registry.version(1)).path,
        model_file(registry.version(2)).path,
    }
    assert {each.kind for each in found.unneeded} == {"files of models"}
    assert sum(each.size for each in found.unneeded) == 2
    assert there(store) == before


def test_the_last_and_all_that_were_in_production_are_kept(store, registry, draft):
    for key in "abcdef":
        registry.register(draft(key, promote=False, cause="worse"))
    for number in (1, 3):
        champion = registry.champion()
        registry.promote(registry.version(number), champion.number if champion else None)
    registry.rollback()
    removed = collect(store, Retention(versions=2, days=0), AT_ONCE)
    kept = [version.number for version in registry.versions() if is_there(store, model_file(version))]
    assert kept == [1, 3, 5, 6]
    assert sorted(removed.versions) == [2, 4]
    assert registry.rollback(to=3).champion == 3
    assert len(registry.versions()) == 6


def test_what_waits_for_a_person_is_kept(store, registry, draft):
    registry.promote(registry.register(draft("a")), None)
    waiting = registry.register(draft("b", judged_against=1))
    registry.hold(waiting, "awaiting approval", "A person decides.")
    other = registry.register(draft("c", promote=False, cause="worse", judged_against=1))
    registry.register(draft("d"))
    collect(store, ONE, AT_ONCE)
    assert is_there(store, model_file(waiting))
    assert not is_there(store, model_file(other))
    registry.reject(waiting, "No.")
    collect(store, ONE, AT_ONCE)
    assert not is_there(store, model_file(waiting))


def test_a_decision_names_each_version_before_its_files_go(store, registry, draft, monkeypatch):
    registry.promote(registry.register(draft("a")), None)
    for key in "bc":
        registry.register(draft(key, promote=False, cause="worse"))
    decided = []
    remove = Store.remove
    monkeypatch.setattr(Store, "remove", lambda *given: decided.append(registry.decision().kind) or remove(*given))
    collect(store, ONE, AT_ONCE, by="géron")
    assert decided == ["collected"]
    decision = registry.decision()
    assert (decision.kind, decision.version, decision.champion, decision.by) == ("collected", 2, 1, "géron")
    assert "1 files of it (1 bytes) are not needed any more" in decision.reason
    with pytest.raises(StoreError, match=r"The files of version 2 of houses were removed on .* by géron \(decision 2:"):
        registry.check_files(registry.version(2))
    collect(store, ONE, AT_ONCE)
    assert registry.decision() == decision  # nothing is lost twice


def test_a_file_of_several_versions_stays_while_one_is_kept(store, registry, draft):
    registry.promote(registry.register(draft("a", files={"model.skops": b"same"})), None)
    registry.register(draft("b", files={"model.skops": b"same"}, promote=False, cause="worse"))
    registry.register(draft("c"))
    assert collect(store, ONE, AT_ONCE).versions == {}
    assert is_there(store, model_file(registry.version(2)))


def test_snapshots_that_are_kept_and_those_of_kept_versions(store, registry, draft, table, take):
    tables = [table(number) for number in range(5)]
    for each in tables:
        take(each)
    version = draft("a").model_copy(update={"snapshot": Snapshot(data=Table(parts=(tables[1],)), origin="here")})
    registry.promote(registry.register(version), None)
    for each in tables:
        folder = docs_folder(store, Table(parts=(each,)))
        folder.mkdir(parents=True)
        (folder / "index.html").write_text("Data Docs")
    found = collect(store, Retention(versions=1, snapshots=2, days=0), AT_ONCE)
    assert [is_there(store, each.file) for each in tables] == [False, True, False, True, True]
    assert [docs_folder(store, Table(parts=(each,))).exists() for each in tables] == [False, True, False, True, True]
    assert sorted(each.kind for each in found.unneeded) == ["Data Docs"] * 2 + ["tables"] * 2
    assert len(Snapshots(store).entries()) == 5
    with pytest.raises(
        ProblemError, match="The rows of snapshot 1 of houses are gone from the store, as salamander gc"
    ):
        Snapshots(store).entry(1)
    assert Snapshots(store).entry(2).number == 2


def test_what_came_after_the_last_accepted_snapshot_is_kept_with_its_quarantine(store, table, take):
    accepted, refused, aside = table(1), table(2), table(3, kind="quarantine")
    old = table(0)
    take(old, outcome="refused")
    take(accepted)
    take(refused, outcome="refused", quarantine=aside)
    collect(store, ONE, AT_ONCE)
    assert [is_there(store, each.file) for each in (old, accepted, refused, aside)] == [False, True, True, True]
    assert Snapshots(store).quarantine() == aside


def test_rows_of_corrections_and_looks_are_kept(store, table):
    rows, looked_at = table(1, kind="corrections"), table(2, kind="rows")
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    store.append("corrections", lambda number: Correction(number=number, rows=rows, by="géron", at=moment))
    look = {"key": "k", "challenger": "c", "champion_version": 1, "earlier": 0.0, "alpha": 0.01, "at": moment}
    store.append("looks", lambda number: Look(number=number, rows=looked_at, **look))
    table(3)
    collect(store, ONE, AT_ONCE)
    assert {each for each in there(store) if each.startswith("artifacts")} == {rows.file.path, looked_at.file.path}


def test_results_used_of_late_keep_their_files(store, table):
    young, old, none = table(1, kind="train"), table(2, kind="train"), table(3, kind="train")
    fresh = result(store, "fresh", {"record": "Split", "data": {"train": young.model_dump(mode="json")}}, age_days=2)
    stale = result(store, "stale", {"record": "Split", "data": {"train": old.model_dump(mode="json")}}, age_days=4)
    torn = result(store, "torn", {})
    torn.write_text("{")
    found = collect(store, Retention(days=3), AT_ONCE)
    assert [each.kind for each in found.unneeded] == ["results of steps", "tables", "tables"]
    assert (fresh.exists(), stale.exists(), torn.exists()) == (True, False, True)
    assert [is_there(store, each.file) for each in (young, old, none)] == [True, False, False]


def test_trials_and_logs_of_networks_go_when_they_are_old(store, table):
    young, old = table(1, kind="out_of_fold"), table(2, kind="out_of_fold")
    paths = []
    for name, artifact, days in (("young", young, 2), ("old", old, 4)):
        trial = {"candidate": {"name": "a", "estimator": "Ridge"}, "metric": "rmse", "out_of_fold": artifact}
        store.create(f"results/trials/{name}.json", Trial.model_validate(trial))
        log = store.folder / "networks" / name / "events"
        log.parent.mkdir(parents=True)
        log.write_bytes(b"loss")
        for path in (store.folder / f"results/trials/{name}.json", log):
            os.utime(path, (time.time() - days * 86_400,) * 2)
            paths.append(path)
    found = collect(store, Retention(days=3), AT_ONCE)
    assert sorted(each.kind for each in found.unneeded) == ["logs of networks", "results of steps", "tables"]
    assert [path.exists() for path in paths] == [True, True, False, False]
    assert [is_there(store, each.file) for each in (young, old)] == [True, False]


def test_predictions_that_serving_noted_go_after_days_of_their_own(store):
    store.folder.joinpath("served").mkdir(parents=True)
    paths = {}
    for name, days in (("now.arrows", 0), ("young.parquet", 20), ("old.parquet", 40), ("left-behind.arrows", 40)):
        paths[name] = store.folder / "served" / name
        paths[name].write_bytes(b"rows")
        os.utime(paths[name], (time.time() - days * 86_400,) * 2)
    found = collect(store, Retention(days=3, served_days=30))
    assert {each.kind for each in found.unneeded} == {"noted predictions"}
    assert [name for name, path in paths.items() if path.exists()] == ["now.arrows", "young.parquet"]
    assert collect(store, Retention(days=3)).unneeded == ()


def test_a_result_that_is_used_is_young_again(store, table):
    artifact = table(1, kind="train")
    path = result(store, "key", {"record": "Split", "data": {"train": artifact.model_dump(mode="json")}}, age_days=9)
    file = store.path(artifact.file)
    os.utime(file, (0, 0))
    store.discard_untrusted_result("key", {})
    assert collect(store, Retention(days=3)).unneeded == ()
    assert time.time() - path.stat().st_mtime < 60
    assert time.time() - file.stat().st_mtime < 60


def test_the_grace_period_keeps_what_is_young_or_was_kept_again(store, table):
    files = [store.path(table(number).file) for number in range(3)]
    for path in files:
        os.utime(path, (time.time() - 4000, time.time() - 4000))
    table(0)  # kept again
    os.utime(files[1], (time.time() - 3000, time.time() - 3000))
    found = collect(store, ONE)
    assert [each.path for each in found.unneeded] == [files[2].relative_to(store.folder).as_posix()]
    assert [path.exists() for path in files] == [True, True, False]


def test_what_is_used_between_looking_and_removing_stays(store, table, monkeypatch):
    path = store.path(table(1).file)
    os.utime(path, (0, 0))
    check = waste

    def slow(*given):
        found = check(*given)
        table(1)
        return found

    monkeypatch.setattr("tasks.registering.collect.waste", slow)
    assert collect(store, ONE).unneeded == ()
    assert path.exists()


def test_signatures_of_records_that_never_were_go(store, registry, draft):
    version = registry.register(draft("a"))
    for content in ((store.folder / "versions" / "000001.json").read_bytes(), b"another"):
        store.create_file(name_of(content), b"signature")
    found = collect(store, ONE, AT_ONCE)
    assert [each.kind for each in found.unneeded] == ["signatures"]
    assert len(list((store.folder / "signatures").iterdir())) == 1
    assert version.number == 1


def test_a_collector_that_was_overtaken_stops(store, table, monkeypatch):
    paths = [store.path(table(number).file) for number in range(3)]
    remove = Store.remove

    def overtaken(*given):
        done = remove(*given)
        with Leases(store).held("be faster"):
            pass
        return done

    monkeypatch.setattr(Store, "remove", overtaken)
    monkeypatch.setattr("tasks.registering.collect.LOCK_SECONDS", 0)
    with pytest.raises(StoreError, match="took too long to collect what nothing needs"):
        collect(store, ONE, AT_ONCE)
    assert sum(path.exists() for path in paths) == 2


@pytest.mark.parametrize("folder", ["versions", "decisions", "snapshots", "corrections"])
def test_nothing_is_removed_where_a_record_cannot_be_read(store, registry, draft, table, take, folder):
    registry.promote(registry.register(draft("a")), None)
    take(table(1))
    rows = table(2, kind="corrections")
    store.append("corrections", lambda number: Correction(number=number, rows=rows, by="x", at=datetime.now(UTC)))
    table(3)
    record = store.folder / folder / "000001.json"
    record.write_bytes(record.read_bytes().replace(b'"', b"'", 1))
    before = there(store)
    with pytest.raises(StoreError, match=rf"{folder}/000001\.json"):
        collect(store, ONE, AT_ONCE)
    assert {each for each in there(store) if "leases" not in each} == {each for each in before if "leases" not in each}


def test_a_run_whose_files_were_collected_is_told_so(store, registry, draft):
    late = draft("late")
    collect(store, ONE, AT_ONCE)
    with pytest.raises(StoreError, match="is gone from the store, so nothing was written that names it; run again"):
        registry.register(late)
    assert Decisions(store).all() == []


def test_a_snapshot_whose_rows_were_collected_is_not_taken(store, table, take):
    rows = table(1)
    collect(store, ONE, AT_ONCE)
    with pytest.raises(StoreError, match="is gone from the store, so nothing was written that names it; run again"):
        take(rows)
    assert Snapshots(store).entries() == []
