"""Pointers and decisions: what moves them, what hinders that, and that of two who move them one wins."""

import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tasks.errors import ProblemError, StoreError
from tasks.records import Decision
from tasks.registering.decisions import Decisions
from tasks.registry import Registry
from tasks.store import Store


@pytest.fixture
def registry(store):
    return Registry(store)


@pytest.fixture
def promoted(registry, draft):
    """Give a function that registers and promotes a version for each key, each after the other."""

    def promote(keys, **verdict):
        for key in keys:
            champion = registry.champion()
            version = registry.register(draft(key, **verdict))
            assert isinstance(registry.promote(version, champion.number if champion else None), Decision)
        return registry

    return promote


def pointers(registry):
    decision = registry.decision()
    return decision.champion, decision.previous, decision.anchor, decision.blocked


def test_an_empty_registry(registry):
    assert registry.versions() == []
    assert registry.history() == []
    assert registry.decision() is None
    assert registry.champion() is registry.previous() is registry.anchor() is None
    assert registry.settled("a") is None
    with pytest.raises(ProblemError, match="houses has no version 3; it has none yet"):
        registry.version(3)


def test_promotion_names_the_versions_and_the_reason(registry, promoted):
    promoted("ab")
    one, two = registry.history()
    assert (one.number, one.version, one.previous, one.kind) == (1, 1, None, "promoted")
    assert (two.number, two.version, two.previous, two.reason) == (2, 2, 1, "Because of b.")
    assert registry.decision() == two
    assert registry.champion().key == "b"
    assert registry.previous().key == "a"
    assert two.at <= datetime.now(UTC)
    assert two.by


@pytest.mark.parametrize("judged_against", [None, 1, 3, 7])
def test_a_version_judged_against_another_champion_is_not_promoted(registry, promoted, draft, judged_against):
    promoted("ab")
    before = registry.history()
    assert registry.promote(registry.register(draft("c")), judged_against) == "champion changed"
    assert registry.history() == before
    assert registry.promote(registry.register(draft("c")), 2).version == 3


def test_the_first_promotion_needs_no_champion(registry, draft):
    version = registry.register(draft("a"))
    assert registry.promote(version, 1) == "champion changed"
    decision = registry.promote(version, None)
    assert (decision.version, decision.champion, decision.anchor) == (1, 1, 1)
    assert registry.promote(registry.register(draft("b")), None) == "champion changed"
    registry.hold(registry.version(2), "champion changed", "Too late.")
    assert registry.promote(version, None) == decision  # in production already: nothing new is written
    assert len(registry.history()) == 2


def test_the_condition_is_checked_anew_where_another_was_faster(registry, promoted, draft, store, monkeypatch):
    """The other's decision is created between our reading and our writing."""
    promoted("a")
    ours, theirs = registry.register(draft("b")), registry.register(draft("c"))
    create, other = Store.create, Decisions(store)
    state = registry.decision()

    def overtaken(self, name, record):
        monkeypatch.setattr(Store, "create", create)
        if isinstance(record, Decision):
            number = state.number + 1
            rival = {
                "number": number,
                "version": theirs.number,
                "champion": theirs.number,
                "previous": 1,
                "manifest": None,
            }
            other.append(lambda *_: state.model_copy(update=rival))
        else:
            monkeypatch.setattr(Store, "create", overtaken)
        return create(self, name, record)

    monkeypatch.setattr(Store, "create", overtaken)
    assert registry.promote(ours, 1) == "champion changed"
    assert registry.champion().number == 3
    assert [decision.version for decision in registry.history()] == [1, 3]


PROMOTER = """
import sys, time
from pathlib import Path
from tasks.registry import Registry
from tasks.store import Store
root, go, number = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
registry = Registry(Store(root, "houses"))
version = registry.version(number)
(go.parent / f"ready-{number}").touch()
while not go.exists():
    time.sleep(0.001)
print(registry.promote(version, 1))
"""


def test_of_processes_that_promote_at_once_exactly_one_wins(registry, promoted, draft, store, tmp_path):
    promoted("a")
    numbers = [registry.register(draft(key)).number for key in "bcde"]
    go = tmp_path / "go"
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROMOTER, str(store.root), str(go), str(number)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent.parent,
        )
        for number in numbers
    ]
    try:
        deadline = time.monotonic() + 600
        while not all((tmp_path / f"ready-{number}").exists() for number in numbers) and time.monotonic() < deadline:
            time.sleep(0.01)
        go.touch()
        answers = [process.communicate(timeout=600) for process in running]
    finally:
        for process in running:
            process.kill()
    assert [errors for _, errors in answers] == [""] * 4
    lost = [out.strip() == "champion changed" for out, _ in answers]
    assert sum(lost) == 3
    assert registry.champion().number == numbers[lost.index(False)]
    assert len(registry.history()) == 2


def test_the_anchor_moves_to_what_is_better_first_or_adopted(registry, promoted, draft):
    promoted("a", standing="equivalent")
    assert pointers(registry) == (1, None, 1, ())
    promoted("b", standing="equivalent")
    assert pointers(registry) == (2, 1, 1, ())
    promoted("c", standing="better")
    assert pointers(registry) == (3, 2, 3, ())
    registry.promote(registry.register(draft("d")), 3, kind="adopted")
    assert pointers(registry) == (4, 3, 4, ())
    assert registry.decision().kind == "adopted"
    assert registry.anchor().key == "d"


def test_the_anchor_moves_to_what_a_person_took_against_the_verdict(registry, promoted, draft):
    promoted("a")
    worse = registry.register(draft("b", promote=False, cause="worse", standing="worse", judged_against=1))
    decision = registry.promote(worse, 1, overridden="worse", reason="The law asks for it.", by="géron")
    assert (decision.cause, decision.reason, decision.by) == ("worse", "The law asks for it.", "géron")
    assert pointers(registry) == (2, 1, 2, ())


def test_rollback_goes_back_one_by_one_and_then_says_that_there_is_none(registry, promoted):
    promoted("abc")
    assert registry.rollback().version == 2
    assert registry.rollback().version == 1
    with pytest.raises(ProblemError) as caught:
        registry.rollback()
    assert str(caught.value) == "houses version 1 was the first in production: there is none before."
    assert [decision.version for decision in registry.history()] == [1, 2, 3, 2, 1]
    assert [decision.kind for decision in registry.history()][3:] == ["rolled back", "rolled back"]
    assert pointers(registry) == (1, None, 1, (3, 2))
    assert registry.decision().reason == "Rolled back from version 2."


def test_the_anchor_of_a_rollback_is_the_one_that_stood_then(registry, promoted):
    promoted("a")
    promoted("b", standing="equivalent")
    promoted("c", standing="better")
    assert pointers(registry) == (3, 2, 3, ())
    assert registry.rollback(reason="It drifts.", by="géron").reason == "It drifts."
    assert pointers(registry) == (2, 1, 1, (3,))


def test_promotion_after_a_rollback_goes_on_from_there(registry, promoted):
    promoted("abc")
    registry.rollback()
    promoted("d")
    assert pointers(registry) == (4, 2, 1, (3,))
    assert registry.rollback().version == 2
    assert registry.rollback().version == 1


def test_rollback_to_a_version_that_was_in_production(registry, promoted):
    promoted("abc")
    assert registry.rollback(to=1).version == 1
    assert pointers(registry) == (1, None, 1, (3,))
    assert registry.rollback(to=3).version == 3  # and forth again: its block is taken away, and none is set
    assert pointers(registry) == (3, 2, 1, ())
    assert registry.rollback().version == 2


def test_rollback_passes_over_what_is_blocked(registry, promoted):
    promoted("abc")
    registry.block(registry.version(2), "It is biased.")
    assert registry.rollback().version == 1
    assert pointers(registry) == (1, None, 1, (2, 3))
    promoted("d")
    registry.block(registry.version(1), "It is biased too.")
    with pytest.raises(ProblemError, match="no version before version 4 that is not blocked; name one with --to"):
        registry.rollback()
    assert registry.champion().number == 4


@pytest.mark.parametrize("to", [3, 4, 99, 0, -1])
def test_rollback_to_a_version_that_was_never_in_production_or_is_now_is_refused(registry, promoted, draft, to):
    promoted("abc")
    registry.register(draft("held", promote=False, cause="worse"))
    before = registry.history()
    with pytest.raises(ProblemError) as caught:
        registry.rollback(to=to)
    assert f"cannot go back to version {to}" in str(caught.value)
    assert str(caught.value).endswith("are not now: 1, 2.")
    assert registry.history() == before


def test_rollback_without_a_champion_is_refused(registry, draft):
    registry.register(draft("a"))
    with pytest.raises(ProblemError, match="houses has no version in production"):
        registry.rollback()


def test_rollback_to_a_version_whose_files_are_damaged_is_refused(registry, promoted, store):
    promoted("ab")
    store.path(registry.version(1).model.files["model.skops"]).write_bytes(b"two")
    with pytest.raises(StoreError, match="was changed after it was written"):
        registry.rollback()
    assert registry.decision().version == 2


def test_what_was_rolled_back_from_is_blocked_by_its_content(registry, promoted, draft):
    promoted("ab")
    registry.rollback()
    again = registry.register(draft("other key", files={"model.skops": b"b"}))
    assert registry.is_blocked(again.model)
    assert registry.promote(again, 1) == "blocked"
    other = registry.register(draft("c"))
    assert not registry.is_blocked(other.model)
    registry.unblock(again, "It was the data.")
    assert not registry.is_blocked(again.model)
    assert registry.promote(again, 1).champion == 3


def test_blocking_and_its_refusals(registry, promoted, draft):
    promoted("a")
    held = registry.register(draft("b", promote=False, cause="worse"))
    decision = registry.block(held, "It is biased.", by="géron")
    assert (decision.kind, decision.version, decision.by) == ("blocked", 2, "géron")
    assert (decision.champion, decision.blocked) == (1, (2,))
    with pytest.raises(ProblemError, match="Version 2 of houses is blocked already"):
        registry.block(held, "Again.")
    with pytest.raises(ProblemError, match="Version 1 of houses is in production, so it cannot be blocked"):
        registry.block(registry.version(1), "No.")
    with pytest.raises(ProblemError, match="Version 1 of houses is not blocked; blocked are: 2"):
        registry.unblock(registry.version(1), "No.")
    assert registry.unblock(held, "Fine.").blocked == ()
    assert len(registry.history()) == 3


def test_nothing_is_promoted_while_all_is_frozen_but_rollback_goes_on(registry, promoted, draft):
    promoted("ab")
    assert registry.freeze("Christmas.").frozen
    version = registry.register(draft("c"))
    assert registry.promote(version, 2) == "frozen"
    with pytest.raises(ProblemError, match="houses is frozen already"):
        registry.freeze("Again.")
    assert registry.rollback().frozen
    assert not registry.unfreeze("January.").frozen
    with pytest.raises(ProblemError, match="houses is unfrozen already"):
        registry.unfreeze("Again.")
    assert registry.promote(version, 1).champion == 3


def test_what_is_held_is_written_down_once(registry, promoted, draft):
    promoted("a")
    version = registry.register(draft("b", promote=False, cause="worse", judged_against=1))
    decision = registry.hold(version, "worse", "It is worse.")
    assert (decision.kind, decision.version, decision.cause, decision.champion) == ("held", 2, "worse", 1)
    assert registry.hold(version, "worse", "It is worse.") == decision
    assert registry.hold(version, "frozen", "Frozen.") != decision
    assert registry.held_for(version) == "frozen"
    assert registry.reject(version, "No.").cause == "rejected"
    assert registry.held_for(version) == "rejected"
    with pytest.raises(ProblemError, match="is in production, so it cannot be rejected"):
        registry.reject(registry.version(1), "No.")
    assert len(registry.history()) == 4


# What is settled.


def test_settled_is_held_or_deployed(registry, promoted, draft):
    version = registry.register(draft("a"))
    assert registry.settled("a") is None  # registered, but the run died before it was promoted
    registry.promote(version, None)
    assert registry.settled("a") == version
    assert registry.settled("b") is None
    held = registry.register(draft("b", promote=False, cause="worse", judged_against=1))
    assert registry.settled("b") == held
    promoted("c")
    registry.rollback()
    assert registry.settled("c").number == 3  # rolled back: not promoted again by the next run
    assert registry.settled("b") == held
    promoted("e")
    assert registry.settled("b") is None  # it was held against another champion than this one
    assert registry.settled("a") == version  # in production once, and replaced: old data that came again


def test_what_was_frozen_or_blocked_is_judged_anew_after_that(registry, promoted, draft):
    promoted("a")
    frozen = registry.register(draft("b", judged_against=1))
    registry.freeze("Christmas.")
    registry.hold(frozen, "frozen", "Frozen.")
    assert registry.settled("b") == frozen
    registry.unfreeze("January.")
    assert registry.settled("b") is None
    promoted("c")
    registry.rollback()
    assert registry.settled("c").number == 3
    registry.unblock(registry.version(3), "It was the data.")
    assert registry.settled("c") is None


def test_two_problems_of_one_store_do_not_meet(registry, promoted, store):
    other = Registry(Store(store.root, "digits"))
    promoted("ab")
    assert other.champion() is None
    assert other.freeze("Only this one.").number == 1
    assert not registry.decision().frozen
