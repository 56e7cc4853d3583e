"""The lock in the store: one holder at a time, and who is gone, asleep or elsewhere does not hold it for ever."""

import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tasks.errors import StoreError
from tasks.records import Column
from tasks.registering.leases import KEPT, Lease, Leases, user
from tasks.store import Store, numbered

PROJECT = Path(__file__).parent.parent
HOLDER = """
import sys
from pathlib import Path
from tasks.registering.leases import Leases
from tasks.store import Store
with Leases(Store(Path(sys.argv[1]), "houses")).held("wait here"):
    print("held", flush=True)
    sys.stdin.read()
"""
COUNTER = """
import sys
from pathlib import Path
from tasks.registering.leases import Leases
from tasks.store import Store
root, counter = Path(sys.argv[1]), Path(sys.argv[2])
for _ in range(20):
    with Leases(Store(root, "houses"), 600).held("count"):
        counter.write_text(str(int(counter.read_text()) + 1))
"""


def leases(store, timeout_seconds=0.2):
    return Leases(store, timeout_seconds)


def foreign(store, **changes):
    """Write the lease of another holder and give it."""
    with Leases(store).held("look at") as held:
        like = held.lease
    other = like.model_copy(update={"number": like.number + 1, "by": "géron", "work": "collect"} | changes)
    assert store.create(numbered("leases", other.number), other)
    return other


@pytest.fixture
def holder(store):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(store.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_who_waits_too_long_is_told_who_holds_it(store, holder):
    with pytest.raises(StoreError) as caught, leases(store).held("promote version 3"):
        pass
    sentence = str(caught.value)
    assert sentence.startswith(f"{store.folder} is locked by {user()} since ")
    assert f"to wait here (process {holder.pid} on " in sentence
    assert sentence.endswith("UTC.")
    assert "\n" not in sentence


def test_who_waits_long_enough_gets_it(store, holder):
    got = []

    def wait():
        with leases(store, 600).held("promote") as held:
            got.append(held.lease.number)

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.2)
    assert got == []
    holder.communicate("")
    waiting.join(600)
    assert got == [2]


def test_a_killed_holder_holds_it_no_more(store, holder):
    holder.kill()  # and not waited for: a zombie
    with leases(store, 600).held("promote") as held:
        assert held.lease.number == 2


def test_threads_wait_for_each_other_too(store):
    with leases(store).held("one"):
        failed = []

        def other():
            try:
                with leases(store).held("other"):
                    pass
            except StoreError as error:
                failed.append(error)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(failed) == 1


def test_a_process_that_got_the_number_of_a_dead_one_does_not_hold_its_lock(store):
    foreign(store, process=os.getpid(), process_started="1")
    with leases(store).held("promote"):
        pass


def test_a_lease_from_elsewhere_holds_until_its_time_is_over(store, monkeypatch):
    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(hours=2)

    soon = datetime.now(UTC) + timedelta(hours=1)
    other = foreign(store, machine="another", process=1, process_started="1", expires=soon, command="salamander gc")
    sentence = r"is locked by géron since .* to collect \(process 1 on .*: salamander gc\)"
    with pytest.raises(StoreError, match=sentence), leases(store).held("promote"):
        pass
    monkeypatch.setattr("tasks.registering.leases.datetime", Later)
    with leases(store).held("promote") as held:
        assert held.lease.number == other.number + 1


def test_who_was_overtaken_is_told(store):
    with leases(store).held("collect", seconds=0) as slow:
        slow.check()
        with leases(store).held("promote") as fast:
            fast.check()
            with pytest.raises(StoreError, match=r"This process took too long to collect: its lock on .* was taken"):
                slow.check()
        with pytest.raises(StoreError, match="took too long"):
            slow.check()


def test_a_number_that_was_tidied_away_is_no_lock(store, monkeypatch):
    """Between our look at the newest and our writing, others take and release so many that our number is free again."""
    numbers, looked = Store.numbers, []

    def slow(self, folder):
        found = numbers(self, folder)
        if not looked:
            looked.append(True)
            for _ in range(KEPT + 3):
                with leases(store).held("be faster"):
                    pass
        return found

    monkeypatch.setattr(Store, "numbers", slow)
    with leases(store).held("promote") as held:
        held.check()
        assert held.lease.number == KEPT + 4


def test_old_leases_are_tidied_away(store):
    for _ in range(KEPT + 5):
        with leases(store).held("promote"):
            pass
    assert store.numbers("leases") == list(range(6, KEPT + 6))
    assert len(list((store.folder / "leases").iterdir())) == 2 * KEPT


def test_a_record_is_not_written_under_a_lock_that_was_taken_over(store):
    def make(number):
        with leases(store).held("collect"):
            return Column(name="rooms", dtype="int64")

    with pytest.raises(StoreError, match=r"took too long to look: its lock on .* was taken over, so it stopped"):
        leases(store).append("columns", "look", make, seconds=0)
    assert store.names("columns") == []


def test_it_is_released_where_the_work_fails(store):
    with pytest.raises(ValueError, match="no"), leases(store).held("promote"):
        raise ValueError("no")
    with leases(store).held("promote") as held:
        assert held.lease.number == 2


def test_a_release_tells_how_many_decisions_there_were(store):
    assert leases(store).decisions_seen() == 0
    with leases(store).held("promote"):
        store.create("decisions/000005.json", Column(name="rooms", dtype="int64"))
        assert leases(store).decisions_seen() == 0
    assert leases(store).decisions_seen() == 5
    with leases(store).held("promote"):
        assert leases(store).decisions_seen() == 5


def test_a_damaged_release_tells_nothing_and_a_damaged_lease_can_be_removed(store):
    for _ in range(2):
        with leases(store).held("promote"):
            store.create("decisions/000005.json", Column(name="rooms", dtype="int64"))
    folder = store.folder / "leases"
    (folder / "000002.released.json").write_bytes(b"damaged")
    assert leases(store).decisions_seen() == 5
    (folder / "000001.released.json").unlink()
    assert leases(store).decisions_seen() == 0
    (folder / "000003.json").write_bytes(b"damaged")
    with pytest.raises(
        StoreError, match=r"000003\.json is not a Lease .* nothing else of Salamander runs on this store, r"
    ):
        leases(store).held("promote").__enter__()
    (folder / "000003.json").unlink()
    with leases(store).held("promote") as held:
        assert held.lease.number == 3


def test_a_release_that_cannot_be_written_ends_the_lease_all_the_same(store, monkeypatch):
    create = Store.create

    def full(self, name, record):
        if name.endswith(".released.json"):
            raise StoreError("The disk is full.")
        return create(self, name, record)

    monkeypatch.setattr(Store, "create", full)
    with leases(store).held("promote"):
        pass
    with leases(store).held("promote"):
        assert isinstance(store.record("leases/000001.json", Lease), Lease)


def test_of_many_processes_one_at_a_time_holds_it(store, tmp_path):
    counter = tmp_path / "counter"
    counter.write_text("0")
    command = [sys.executable, "-c", COUNTER, str(store.root), str(counter)]
    running = [subprocess.Popen(command, cwd=PROJECT) for _ in range(3)]
    assert [process.wait(600) for process in running] == [0, 0, 0]
    assert counter.read_text() == "60"


def test_a_user_without_a_name_has_a_number(monkeypatch):
    def unknown():
        raise KeyError("getpwuid(): uid not found: 1000740000")

    monkeypatch.setattr("getpass.getuser", unknown)
    assert user() == f"user {os.getuid()}"
