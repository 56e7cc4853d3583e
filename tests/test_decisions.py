"""The log of decisions: none may be missing, and what older stores wrote is read as decisions."""

from datetime import UTC, datetime

import pytest

from tasks.errors import StoreError
from tasks.records import Decision
from tasks.registering.decisions import FIRST, Decisions, following
from tasks.registering.leases import Leases
from tasks.registry import Registry

OLD = """{{
 "schema_version": 1,
 "number": {number},
 "version": {version},
 "previous": {previous},
 "kind": "{kind}",
 "reason": "The first version, with accuracy 0.9889 [0.9777, 0.9972] on 359 unseen rows.",
 "by": "root",
 "at": "2026-11-21T10:25:07.842480Z"
}}
"""


@pytest.fixture
def decisions(store):
    return Decisions(store)


def decide(decisions, kind="promoted", **changes):
    return decisions.append(lambda number, state: following(number, state, kind, "Because.", "géron", **changes))


def write_old(store, *moves):
    (store.folder / "deployments").mkdir(parents=True)
    for number, (version, previous, kind) in enumerate(moves, start=1):
        text = OLD.format(number=number, version=version, previous=previous or "null", kind=kind)
        (store.folder / "deployments" / f"{number:06}.json").write_text(text)


def test_before_the_first_nothing_is_in_force(decisions):
    assert decisions.newest() is None
    assert decisions.number() == 0
    assert decisions.all() == []
    assert (FIRST.champion, FIRST.previous, FIRST.anchor, FIRST.blocked, FIRST.frozen) == (None, None, None, (), False)


def test_each_carries_what_the_one_before_left_in_force(decisions):
    one = decide(decisions, version=3, champion=3, anchor=3, blocked=(1,))
    two = decide(decisions, "frozen", frozen=True)
    assert (two.number, two.champion, two.anchor, two.blocked, two.frozen) == (2, 3, 3, (1,), True)
    assert (two.version, two.cause, two.manifest) == (None, None, None)
    assert decisions.newest() == two
    assert decisions.number() == 2
    assert decisions.all() == [one, two]
    assert two.by == "géron"
    assert following(3, two, "unfrozen", "Because.", None).by


@pytest.mark.parametrize("gone", [1, 2, 3])
def test_one_that_is_missing_is_named(decisions, store, gone):
    """The newest too: the last release of the lock tells that there was one more."""
    for _ in range(3):
        with Leases(store).held("decide"):
            decide(decisions, version=1, champion=1)
    (store.folder / "decisions" / f"00000{gone}.json").unlink()
    with pytest.raises(StoreError, match=rf"decisions/00000{gone}\.json is missing, so nobody knows what is in prod"):
        decisions.newest()


def test_one_in_anothers_place_is_named(decisions, store):
    for number in (1, 2):
        decide(decisions, version=number, champion=number)
    folder = store.folder / "decisions"
    (folder / "000002.json").write_bytes((folder / "000001.json").read_bytes())
    with pytest.raises(StoreError, match=r"000002\.json was changed .*\(it is the record of number 1\)"):
        decisions.newest()


def test_deployments_of_older_stores_are_decisions(decisions, store):
    write_old(store, (1, None, "promotion"), (2, 1, "promotion"), (3, 2, "promotion"), (2, 3, "rollback"))
    one, two, three, back = decisions.all()
    assert decisions.number() == 4
    assert one == Decision(
        schema_version=1,
        number=1,
        kind="promoted",
        version=1,
        reason="The first version, with accuracy 0.9889 [0.9777, 0.9972] on 359 unseen rows.",
        by="root",
        at=datetime(2026, 11, 21, 10, 25, 7, 842480, UTC),
        champion=1,
        anchor=1,
    )
    assert (two.champion, two.previous, two.anchor) == (2, 1, 2)
    assert (three.champion, three.previous, three.blocked) == (3, 2, ())
    assert (back.kind, back.version, back.champion, back.previous, back.blocked) == ("rolled back", 2, 2, 1, (3,))


def test_going_forth_again_in_an_older_store_blocks_nothing(decisions, store):
    write_old(store, (1, None, "promotion"), (2, 1, "promotion"), (1, 2, "rollback"), (2, 1, "rollback"))
    assert decisions.all()[2].blocked == (2,)
    assert (decisions.newest().champion, decisions.newest().previous, decisions.newest().blocked) == (2, 1, ())


def test_numbering_goes_on_behind_those_of_older_stores(decisions, store):
    write_old(store, (1, None, "promotion"), (2, 1, "promotion"))
    new = decide(decisions, "frozen", frozen=True)
    assert (new.number, new.champion, new.previous, new.frozen) == (3, 2, 1, True)
    assert [decision.number for decision in decisions.all()] == [1, 2, 3]
    (store.folder / "deployments" / "000001.json").unlink()
    with pytest.raises(StoreError, match=r"deployments/000001\.json is missing"):
        decisions.newest()


def test_an_older_store_is_rolled_back_and_promoted_in(store, draft):
    registry = Registry(store)
    for key in "ab":
        registry.register(draft(key))
    write_old(store, (1, None, "promotion"), (2, 1, "promotion"))
    assert registry.champion().key == "b"
    assert registry.rollback().champion == 1
    assert registry.promote(registry.register(draft("b", day=2)), 1) == "blocked"
    assert registry.promote(registry.register(draft("c", standing="equivalent")), 1).anchor == 1
    assert [decision.number for decision in registry.history()] == [1, 2, 3, 4]
