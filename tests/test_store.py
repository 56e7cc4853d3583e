import json
import os
import pickle
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.candidates import Candidate
from tasks.errors import ProblemError, StoreError
from tasks.records import Column, Deployment, File, Trial
from tasks.store import Store

TABLE = pa.table({"rooms": [1, 2, None], "place": ["shore", "hill", None]})
RECORD = Column(name="rooms", dtype="int64")


def draft(tmp_path, content=b"newt", name="draft"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def everything_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_kept_file_is_named_by_its_content(store, tmp_path):
    # printf newt | sha256sum
    digest = "0af0314a0d41115a67cf2384f8193b254accdf955d2efd883e77fab1464fe095"
    file = store.keep(draft(tmp_path), "models", ".bin")
    assert file.size == 4
    assert file.path == f"models/{file.sha256}.bin"
    assert store.path(file) == store.folder / file.path
    assert store.path(file).read_bytes() == b"newt"
    assert file.sha256 == digest


def test_the_same_content_is_kept_once(store, tmp_path):
    first = store.keep(draft(tmp_path), "models", ".bin")
    assert store.keep(draft(tmp_path), "models", ".bin") == first
    assert len(list((store.folder / "models").iterdir())) == 1


def test_a_damaged_file_is_mended_when_its_content_is_kept_again(store, tmp_path):
    file = store.keep(draft(tmp_path), "models", ".bin")
    store.path(file).write_bytes(b"nawt")
    store.keep(draft(tmp_path), "models", ".bin")
    assert store.path(file).read_bytes() == b"newt"


def test_a_kept_file_is_found_by_its_digest(store, tmp_path):
    file = store.keep(draft(tmp_path), "downloads", "-houses.csv")
    assert store.find("downloads", file.sha256) == file
    assert store.find("downloads", "0" * 64) is None
    assert store.find("models", file.sha256) is None


def test_a_changed_byte_is_found_and_named(store, tmp_path):
    file = store.keep(draft(tmp_path), "models", ".bin")
    path = store.path(file)
    path.write_bytes(b"newT")
    with pytest.raises(StoreError) as caught:
        store.path(file)
    assert f"{path} was changed after it was written" in str(caught.value)
    assert file.sha256[:12] in str(caught.value)


def test_a_missing_file_is_named(store, tmp_path):
    file = store.keep(draft(tmp_path), "models", ".bin")
    store.path(file).unlink()
    with pytest.raises(StoreError, match="is missing from the store") as caught:
        store.path(file)
    assert str(store.folder / file.path) in str(caught.value)


# Tables.


def test_a_table_comes_back_as_it_was(store):
    artifact = store.keep_table(TABLE, "raw")
    assert artifact.rows == 3
    assert artifact.columns == (Column(name="rooms", dtype="int64"), Column(name="place", dtype="string"))
    assert artifact.names == ("rooms", "place")
    assert artifact.file.path.startswith("artifacts/raw/")
    assert store.table(artifact).equals(TABLE)
    assert store.table(artifact, ["place"]).equals(TABLE.select(["place"]))


def test_equal_tables_are_equal_bytes(tmp_path):
    other = pa.Table.from_pandas(TABLE.to_pandas(), schema=TABLE.schema)  # with pandas metadata
    assert other.schema.metadata
    artifacts = [
        Store(tmp_path / place, "houses").keep_table(table, "raw")
        for place, table in (("here", TABLE), ("there", other))
    ]
    assert artifacts[0] == artifacts[1]
    changed = TABLE.set_column(0, "rooms", pa.array([1, 2, 3]))
    assert Store(tmp_path / "here", "houses").keep_table(changed, "raw") != artifacts[0]


def test_a_changed_byte_of_a_table_is_found(store):
    artifact = store.keep_table(TABLE, "raw")
    path = store.path(artifact.file)
    pq.write_table(TABLE.slice(1), path)  # a whole, readable table: only its digest tells
    with pytest.raises(StoreError, match="was changed"):
        store.table(artifact)


def test_nothing_is_left_in_scratch(store, tmp_path):
    store.keep_table(TABLE, "raw")
    store.create("versions/000001.json", RECORD)
    store.create("versions/000001.json", RECORD)
    store.project({"a": store.keep(draft(tmp_path), "models", "")}, tmp_path / "out")
    assert list((store.root / ".scratch").iterdir()) == []


# Records.


def test_a_record_is_created_once(store):
    assert store.create("versions/000001.json", RECORD) is True
    assert store.create("versions/000001.json", Column(name="other", dtype="x")) is False
    assert store.record("versions/000001.json", Column) == RECORD


def test_numbers_and_names_are_sorted(store):
    for number in (10, 2, 1):
        store.create(f"versions/{number:06}.json", RECORD)
    store.create("versions/draft.json", RECORD)
    assert store.numbers("versions") == [1, 2, 10]
    assert store.numbers("deployments") == []
    assert store.names("versions") == [
        "versions/000001.json",
        "versions/000002.json",
        "versions/000010.json",
        "versions/draft.json",
    ]


def test_a_record_of_the_wrong_kind_is_an_error(store):
    store.create("versions/000001.json", RECORD)
    with pytest.raises(StoreError, match="is not a Deployment that this version of Salamander reads"):
        store.record("versions/000001.json", Deployment)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"name": "rooms", "dtype": "int64", "schema_version": 3}',
        b'{"name": "rooms", "dtype": "int64", "surprise": 1}',
        pickle.dumps({"name": "rooms"}),
    ],
)
def test_a_damaged_record_is_an_error(store, content):
    store.folder.mkdir(parents=True)
    (store.folder / "record.json").write_bytes(content)
    with pytest.raises(StoreError, match=r"record\.json is not a Column"):
        store.record("record.json", Column)


def test_a_missing_record_is_an_error(store):
    with pytest.raises(StoreError, match=r"000007\.json cannot be read: No such file"):
        store.record("versions/000007.json", Column)


def test_a_record_with_a_clock_comes_back_equal(store):
    deployment = Deployment(
        number=1,
        version=1,
        previous=None,
        kind="promotion",
        reason="The first.",
        by="géron",
        at=datetime(2026, 7, 1, 12, 30, 15, 123456, tzinfo=UTC),
    )
    store.create("deployments/000001.json", deployment)
    assert store.record("deployments/000001.json", Deployment) == deployment


WRITER = """
import sys, time
from pathlib import Path
from tasks.records import Column
from tasks.store import Store
root, go, me = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
store = Store(root, "houses")
(go.parent / f"ready-{me}").touch()
while not go.exists():
    time.sleep(0.001)
won = [store.create(f"versions/{number:06}.json", Column(name=me, dtype="x" * 5000)) for number in range(1, 21)]
print("".join("1" if each else "0" for each in won))
"""


def test_of_many_processes_exactly_one_creates_a_record(store, tmp_path):
    go, people = tmp_path / "go", [f"process-{number}" for number in range(5)]
    command = [sys.executable, "-c", WRITER, str(store.root), str(go)]
    project = Path(__file__).parent.parent
    running = [
        subprocess.Popen([*command, me], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=project)
        for me in people
    ]
    try:
        deadline = time.monotonic() + 600
        while not all((tmp_path / f"ready-{me}").exists() for me in people) and time.monotonic() < deadline:
            time.sleep(0.01)
        go.touch()
        answers = [process.communicate(timeout=600) for process in running]
    finally:
        for process in running:
            process.kill()
    assert [errors for _, errors in answers] == [""] * 5
    won = [out.strip() for out, _ in answers]
    for number in range(1, 21):
        winners = [me for me, wins in zip(people, won, strict=True) if wins[number - 1] == "1"]
        assert len(winners) == 1
        assert store.record(f"versions/{number:06}.json", Column).name == winners[0]
    assert list((store.root / ".scratch").iterdir()) == []


# Cached results.

OURS = {"type": "json", "object_encoder": "tasks.records.encode"}


def result(store, value, serializer=OURS):
    """Write a result as Prefect lays it out, and give its path."""
    path = store.folder / "results" / "key"
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"storage_key": "key", "serializer": serializer}
    path.write_text(json.dumps({"metadata": metadata, "result": json.dumps(value)}))
    return path


def test_a_good_result_is_kept(store, tmp_path):
    file = store.keep(draft(tmp_path), "models", ".bin")
    path = result(store, {"record": "Model", "data": {"files": {"a": file.model_dump(mode="json")}, "also": [1, None]}})
    content = path.read_bytes()
    store.discard_untrusted_result("key", OURS)
    assert path.read_bytes() == content


def test_no_result_is_no_trouble(store):
    store.discard_untrusted_result("key", OURS)


@pytest.mark.parametrize("serializer", [{"type": "pickle"}, {"type": "json"}, {}, None, "json"])
def test_a_result_of_another_serializer_is_removed(store, serializer):
    path = result(store, {}, serializer)
    store.discard_untrusted_result("key", OURS)
    assert not path.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"metadata": null}',
        b'{"metadata": {}}',
        b"\xff\xfe",
        b"[" * 100_000,
        pickle.dumps({}),
        json.dumps({"metadata": {"serializer": OURS}}).encode(),
        json.dumps({"metadata": {"serializer": OURS}, "result": {}}).encode(),
        json.dumps({"metadata": {"serializer": OURS}, "result": '{"torn'}).encode(),
    ],
)
def test_a_torn_result_is_removed(store, content):
    path = result(store, {})
    path.write_bytes(content)
    store.discard_untrusted_result("key", OURS)
    assert not path.exists()


@pytest.mark.parametrize("wrap", [lambda file: file, lambda file: {"deep": [{"er": file}]}, lambda file: [1, file]])
def test_a_result_that_names_a_missing_file_is_removed(store, wrap):
    dangling = File(path="models/gone.bin", sha256="0" * 64, size=4).model_dump(mode="json")
    path = result(store, wrap(dangling))
    store.discard_untrusted_result("key", OURS)
    assert not path.exists()


def test_a_result_of_two_files_needs_both(store, tmp_path):
    files = [store.keep(draft(tmp_path, content), "models", ".bin") for content in (b"one", b"two")]
    path = result(store, [file.model_dump(mode="json") for file in files])
    store.discard_untrusted_result("key", OURS)
    assert path.exists()
    store.path(files[1]).unlink()
    store.discard_untrusted_result("key", OURS)
    assert not path.exists()


@pytest.mark.parametrize("kind", ["Trial", "Scores"])
def test_a_result_that_tells_of_a_problem_is_removed(store, kind):
    path = result(store, {"record": kind, "data": {"problem": None}})
    store.discard_untrusted_result("key", OURS)
    assert path.exists()
    path = result(store, {"record": kind, "data": {"problem": "memory ran out"}})
    store.discard_untrusted_result("key", OURS)
    assert not path.exists()


def test_only_old_scratch_is_swept(store):
    with store.scratch() as fresh:
        old = fresh.parent / "killed"
        old.mkdir()
        os.utime(old, (0, 0))
        store.sweep()
        assert fresh.is_dir()
        assert not old.exists()


# Projections.


def test_a_projection_appears_whole(store, tmp_path):
    files = {
        "saved_model.pb": store.keep(draft(tmp_path, b"graph"), "models", ".pb"),
        "variables/index": store.keep(draft(tmp_path, b"index"), "models", ""),
    }
    target = tmp_path / "serving" / "houses" / "3"
    store.project(files, target)
    assert everything_below(target) == ["saved_model.pb", "variables/index"]
    assert (target / "variables" / "index").read_bytes() == b"index"


def test_a_projection_of_a_damaged_file_leaves_nothing(store, tmp_path):
    good, bad = (store.keep(draft(tmp_path, content), "models", "") for content in (b"good", b"bad"))
    store.path(bad).write_bytes(b"bat")
    target = tmp_path / "serving" / "3"
    with pytest.raises(StoreError, match="was changed"):
        store.project({"a": good, "b": bad}, target)
    assert not target.exists()


def test_a_projection_that_is_there_stays(store, tmp_path):
    target = tmp_path / "serving" / "3"
    store.project({"a": store.keep(draft(tmp_path, b"one"), "models", "")}, target)
    store.project({"a": store.keep(draft(tmp_path, b"two"), "models", "")}, target)
    assert (target / "a").read_bytes() == b"one"


def test_a_projection_can_be_taken_away(store, tmp_path):
    target = tmp_path / "store" / "serving" / "3"
    store.project({"a": store.keep(draft(tmp_path), "models", "")}, target)
    store.remove_folder(target)
    assert not target.exists()
    assert list((store.root / ".scratch").iterdir()) == []


# Places.


def test_addresses_of_a_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Store.at("here", "houses").root == tmp_path / "here"
    assert Store.at(f"file://{tmp_path}/there", "houses").folder == tmp_path / "there" / "houses"
    assert Store.at("~/store", "houses").root == Path.home() / "store"
    for url in ("s3://bucket/store", "http://example.org", "ftp://x"):
        with pytest.raises(ProblemError, match="is not supported; allowed are a folder and a file:// address"):
            Store.at(url, "houses")


def test_a_new_store_is_empty_and_is_not_created_by_looking(store):
    assert store.numbers("versions") == []
    assert store.names("versions") == []
    assert store.find("models", "0" * 64) is None
    assert not store.root.exists()


@pytest.fixture
def unwritable(tmp_path):
    """Give a store below a regular file: not even root can write there."""
    (tmp_path / "file").write_text("in the way")
    return Store(tmp_path / "file", "houses")


def test_a_table_cannot_be_kept_where_nothing_can_be_written(unwritable):
    with pytest.raises(StoreError, match="cannot be written: Not a directory; nothing was changed"):
        unwritable.keep_table(TABLE, "raw")


def test_a_record_cannot_be_created_where_nothing_can_be_written(unwritable):
    with pytest.raises(StoreError, match="cannot be written"):
        unwritable.create("versions/000001.json", RECORD)


def test_a_folder_that_is_a_file_is_a_store_error(store, tmp_path):
    store.folder.mkdir(parents=True)
    for name in ("versions", "models"):
        (store.folder / name).write_text("in the way")
    with pytest.raises(StoreError):
        store.create("versions/000001.json", RECORD)
    with pytest.raises(StoreError):
        store.keep(draft(tmp_path), "models", ".bin")
    with pytest.raises(StoreError):
        store.record("versions/000001.json", Trial)


@pytest.mark.parametrize(("problems", "stays"), [((None, None), True), ((None, "memory ran out"), False)])
def test_a_search_of_which_a_trial_failed_is_made_again(store, problems, stays):
    path = result(store, {"record": "Trials", "data": {"trials": [{"problem": each} for each in problems]}})
    store.discard_untrusted_result("key", OURS)
    assert path.exists() is stays


# Records of results that can be had again.


def kept_trial(store):
    """Keep a trial with its predictions, and give its name, its path and the trial."""
    predictions = store.keep_table(TABLE, "out_of_fold")
    candidate = Candidate(name="ridge", estimator="Ridge")
    trial = Trial(candidate=candidate, metric="rmse", fold_scores=(0.5,), out_of_fold=predictions)
    name = "results/trials/key.json"
    assert store.create(name, trial)
    return name, store.folder / name, trial


def test_a_known_record_is_read_and_marked_as_used(store):
    name, path, trial = kept_trial(store)
    paths = [path, store.folder / trial.out_of_fold.file.path]
    for each in paths:
        os.utime(each, (0, 0))
    assert store.known(name, Trial) == trial
    assert all(time.time() - each.stat().st_mtime < 3600 for each in paths)
    assert store.named_by_result(name) == {trial.out_of_fold.file.path}


def test_a_record_that_is_not_there_is_not_known(store):
    assert store.known("results/trials/key.json", Trial) is None


@pytest.mark.parametrize("damage", ["changed", "torn", "its file is gone"])
def test_a_known_record_that_was_damaged_is_removed(store, damage):
    name, path, trial = kept_trial(store)
    if damage == "its file is gone":
        (store.folder / trial.out_of_fold.file.path).unlink()
    else:
        content = path.read_bytes()
        path.write_bytes(content.replace(b"0.5", b"0.1") if damage == "changed" else content[:40])
    assert store.known(name, Trial) is None
    assert not path.exists()
