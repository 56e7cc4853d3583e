"""The folder for TensorFlow Serving: the highest number in it is the champion's."""

import pytest

from tasks.registering.leases import Leases
from tasks.registry import Registry


@pytest.fixture
def registry(store):
    return Registry(store)


@pytest.fixture
def put(registry, draft):
    """Give a function that puts a network, or something else, into production, and brings the folder in line."""

    def promote(key, name="saved_model/saved_model.pb"):
        champion = registry.champion()
        version = registry.register(draft(key, files={name: key.encode()}))
        registry.promote(version, champion.number if champion else None)
        registry.project()

    return promote


def served(store):
    folder = store.root / "serving" / store.problem
    return {int(path.name): (path / "saved_model.pb").read_bytes() for path in folder.glob("[0-9]*")}


def test_the_highest_number_served_is_the_champion(registry, put, store):
    assert registry.project() is None
    assert served(store) == {}
    for number, key in enumerate(("one", "two", "three"), start=1):
        put(key)
        assert max(served(store)) == number
    registry.project()
    assert served(store) == {1: b"one", 2: b"two", 3: b"three"}
    registry.rollback()
    registry.project()
    assert served(store) == {1: b"one", 2: b"two"}
    registry.rollback(to=3)
    registry.project()
    assert served(store)[3] == b"three"


def test_a_champion_without_a_network_is_not_served_by_an_older_one(put, store):
    """TensorFlow Serving would go on answering with version 1 when version 2, a forest, is in production."""
    put("net")
    put("forest", "model.skops")
    assert served(store) == {}


def test_what_is_no_version_stays(registry, put, store):
    folder = store.root / "serving" / store.problem
    (folder / "7-of-mine").mkdir(parents=True)
    put("net")
    put("forest", "model.skops")
    assert [path.name for path in folder.iterdir()] == ["7-of-mine"]


def test_a_folder_that_is_in_line_takes_no_lock(put, registry, store):
    put("net")
    leases = store.numbers("leases")
    registry.project()
    assert store.numbers("leases") == leases


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"other"), lambda path: path.unlink()])
def test_a_projected_file_that_was_tampered_with_is_laid_out_anew(put, registry, store, damage):
    put("net")
    damage(store.root / "serving" / "houses" / "1" / "saved_model.pb")
    registry.project()
    assert served(store) == {1: b"net"}


def test_a_rollback_meets_a_folder_that_another_run_brings_in_line(put, registry, store, monkeypatch):
    """Who waits for the lock looks at the champion again: what was rolled back from meanwhile is not laid out."""
    put("one")
    put("two")
    (store.root / "serving" / "houses" / "2" / "saved_model.pb").unlink()
    held = Leases.held

    def late(self, work, seconds=60.0):
        monkeypatch.setattr(Leases, "held", held)
        Registry(store).rollback()
        return held(self, work, seconds)

    monkeypatch.setattr(Leases, "held", late)
    registry.project()
    assert served(store) == {1: b"one"}
