"""Every file of a version, changed in one byte, removed or replaced by another's: refused by name, and nothing changes.

A pickle in a model's place is never executed, whatever the records say of it.
"""

import io
import json
import pickle
import random
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from flows.cli import run
from tasks.errors import SalamanderError, StoreError
from tasks.fresh_process import FreshProcess
from tasks.records import Version
from tasks.reference import load_version
from tasks.registering.seals import sealed
from tasks.registering.signatures import name_of
from tasks.registry import Registry
from tasks.store import Store, named_files

KEY = Ed25519PrivateKey.generate()


@pytest.fixture
def signing(monkeypatch: pytest.MonkeyPatch) -> None:
    private = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    monkeypatch.setenv("SALAMANDER_SIGNING_KEY", private.decode())
    monkeypatch.setenv("SALAMANDER_VERIFY_KEY", public.decode())


@pytest.fixture
def registry(store: Store, version_of, signing: None) -> Registry:
    """Give a registry of three signed forests that were in production, the third is now; each has rows of its own."""
    found = Registry(store)
    for number in (1, 2, 3):
        version = found.register(version_of(n_estimators=number + 2, test_rows=30 + number))
        found.promote(version, number - 1 or None)
    return found


def files_of(store: Store, number: int) -> dict[str, Path]:
    """Give every file of a version: its record and signature, the decision on it, its model and its tables."""
    record = store.folder / "versions" / f"{number:06}.json"
    named = dict.fromkeys(named_files(json.loads(record.read_bytes())))
    return {
        "record": record,
        "signature": store.folder / name_of(record.read_bytes()),
        "decision": store.folder / "decisions" / f"{number:06}.json",
        **{f"{path.split('/')[-2]} {place}": store.folder / path for place, path in enumerate(named)},
    }


def use(registry: Registry, number: int) -> None:
    """Use a version as all of Salamander does: its history, its model, every table that it was made or judged by."""
    assert registry.history()
    version = registry.version(number)
    registry.check_files(version)
    load_version(version, registry.store)
    for table in (version.model.trained_on, version.scores.predictions, version.test, version.snapshot.data):
        registry.store.table(table)


def content_of(folder: Path) -> dict[str, bytes]:
    """Give all that a store holds, the leases of its lock left aside."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.parent.name != "leases")
    return {str(path): path.read_bytes() for path in files}


def damages(path: Path, other: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    content, random_place = path.read_bytes(), random.Random(path.name)  # noqa: S311
    places = {0, len(content) // 2, len(content) - 1, *(random_place.randrange(len(content)) for _ in range(5))}
    for place in sorted(places):
        flipped = bytearray(content)
        flipped[place] ^= 1 << random_place.randrange(8)
        yield f"byte {place} flipped", lambda flipped=bytes(flipped): path.write_bytes(flipped)
    yield "cut", lambda: path.write_bytes(content[:-1])
    yield "empty", lambda: path.write_bytes(b"")
    yield "removed", path.unlink
    if other.read_bytes() != content:
        yield "replaced by another version's", lambda: path.write_bytes(other.read_bytes())


@pytest.mark.parametrize("number", [3, 2])
def test_every_file_of_a_version_that_was_tampered_with_is_refused_by_name(
    registry: Registry, store: Store, number: int
) -> None:
    ours, theirs = files_of(store, number), files_of(store, 1)
    assert len(ours) == 7  # record, signature, decision, model, rows trained on, predictions, test rows
    seen = 0
    for kind, path in ours.items():
        content = path.read_bytes()
        for damage, do in damages(path, theirs[kind]):
            do()
            with pytest.raises(StoreError) as caught:
                use(registry, number)
            sentence = str(caught.value)
            assert path.name in sentence, f"{kind} {damage}: {sentence}"
            assert "\n" not in sentence
            path.write_bytes(content)
            seen += 1
    assert seen >= 7 * 9
    use(registry, number)


def test_nothing_changes_where_a_rollback_meets_what_was_tampered_with(
    registry: Registry, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of what a rollback uses: not the rows that the version was trained on."""
    ours, theirs = files_of(store, 2), files_of(store, 1)
    assert [kind for kind in ours if kind.startswith("train ")]
    for kind, path in ours.items():
        if kind.startswith("train "):
            continue
        content = path.read_bytes()
        for damage, do in damages(path, theirs[kind]):
            do()
            before = content_of(store.folder)
            capsys.readouterr()
            code = run(["rollback", "houses", "--store", str(store.root)])
            printed = capsys.readouterr()
            assert (code, printed.out) == (1, ""), f"{kind} {damage}: {printed.out}{printed.err}"
            assert path.name in printed.err
            assert printed.err.count("\n") == 1
            assert content_of(store.folder) == before
            path.write_bytes(content)
    assert run(["rollback", "houses", "--store", str(store.root)]) == 0
    assert registry.champion().number == 2


def test_a_record_that_somebody_changed_and_sealed_anew_is_refused(registry: Registry, store: Store) -> None:
    """Its seal fits, and its number, but the owner of the key did not sign it."""
    record = store.folder / "versions" / "000003.json"
    other = json.loads(record.read_bytes())
    del other["sha256"]
    forged = Version.model_validate(other | {"key": "forged"})
    record.write_bytes(sealed(forged))
    with pytest.raises(StoreError, match=r"versions/000003\.json is not signed as it is now"):
        registry.champion()


# Smuggled pickles.


class Touch:
    """Unpickled, it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> object:
        return Path.touch, (self.mark,)


def in_its_place(model: bytes, mark: Path) -> bytes:
    return pickle.dumps(Touch(mark))


def as_an_array(model: bytes, mark: Path) -> bytes:
    """Give the zip with its arrays replaced by arrays of objects, which NumPy keeps as pickles."""
    array = io.BytesIO()
    np.save(array, np.array([Touch(mark)], dtype=object), allow_pickle=True)
    return rezipped(model, lambda name, content: array.getvalue() if name.endswith(".npy") else content)


def beside_the_rest(model: bytes, mark: Path) -> bytes:
    """Give the zip with a pickle in it as well, and the estimator's class replaced by one that runs programs."""

    def change(name: str, content: bytes) -> bytes:
        if name != "schema.json":
            return content
        schema = json.loads(content)
        schema |= {"__class__": "system", "__module__": "posix", "__loader__": "FunctionNode"}
        schema["content"] = {"module_path": "posix", "function": "system"}
        return json.dumps(schema).encode()

    return rezipped(model, change, {"data.pkl": pickle.dumps(Touch(mark))})


def rezipped(model: bytes, change: Callable[[str, bytes], bytes], more: dict[str, bytes] | None = None) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(model)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
        for name, content in (more or {}).items():
            new.writestr(name, content)
    return made.getvalue()


@pytest.mark.parametrize("smuggle", [in_its_place, as_an_array, beside_the_rest])
def test_a_smuggled_pickle_is_never_executed(store, version_of, tmp_path, smuggle) -> None:
    """By somebody who registers it as a version: its digest, its record and the decision on it are all as they say."""
    mark = tmp_path / "executed"
    honest = version_of(n_estimators=3)
    file = honest.model.files["model.skops"]
    (tmp_path / "model").write_bytes(smuggle(store.path(file).read_bytes(), mark))
    smuggled = store.keep(tmp_path / "model", "models", ".skops")
    model = honest.model.model_copy(update={"files": {"model.skops": smuggled}})
    registry = Registry(store)
    registry.promote(registry.register(honest.model_copy(update={"model": model})), None)
    champion = registry.champion()
    registry.check_files(champion)
    with pytest.raises(StoreError, match="Version 1 of houses cannot be used") as caught:
        load_version(champion, store)
    assert store.path(smuggled).name in str(caught.value)
    with FreshProcess() as fresh, pytest.raises(SalamanderError, match="failed its rehearsal"):
        fresh.rehearse(champion, store)
    assert not mark.exists()


def test_the_pickles_of_these_tests_do_run_where_they_are_unpickled(tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    pickle.loads(in_its_place(b"", mark))  # noqa: S301
    assert mark.exists()


def test_a_pickle_in_the_place_of_a_registered_model_is_not_executed(registry, store, tmp_path) -> None:
    mark = tmp_path / "executed"
    path = files_of(store, 3)["models 0"]
    path.write_bytes(pickle.dumps(Touch(mark)))
    with pytest.raises(StoreError, match="was changed after it was written"):
        load_version(registry.champion(), store)
    assert not mark.exists()
