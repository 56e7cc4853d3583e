"""Pure functions over the history of decisions: what a version is held for, and whether that is settled."""

import pytest

from tasks.registering.decisions import FIRST, following
from tasks.registering.settled import held_for, is_settled, waiting


def history(*steps):
    """Give the decisions that follow each other, each with what it changes."""
    found = []
    for kind, changes in steps:
        found.append(following(len(found) + 1, found[-1] if found else FIRST, kind, "Because.", "géron", **changes))
    return found


PROMOTED = ("promoted", {"version": 1, "champion": 1})
REPLACED = ("promoted", {"version": 7, "champion": 7, "previous": 1})


@pytest.fixture
def version(draft):
    def numbered(number=2, **verdict):
        return draft(judged_against=1, **verdict).model_copy(update={"number": number})

    return numbered


@pytest.mark.parametrize(
    ("cause", "now", "after_another_champion"),
    [
        ("worse", True, False),
        ("equivalent", True, False),
        ("cannot tell", True, False),
        ("rule broken", True, False),
        ("rejected", True, True),
        ("awaiting approval", False, False),
        ("champion unreadable", False, False),
        ("champion changed", False, False),
        ("not deployed", False, False),
        ("frozen", False, False),
        ("blocked", False, False),
    ],
)
@pytest.mark.parametrize("decided", [True, False])
def test_only_what_stays_so_is_settled(version, cause, now, after_another_champion, decided):
    """By the decision on it; where a run died before that, or the store is of schema 1, by its verdict."""
    held = version(promote=False, cause="worse" if decided else cause)
    steps = [PROMOTED, ("held", {"version": 2, "cause": cause})] if decided else [PROMOTED]
    assert held_for(held, history(*steps)) == cause
    assert is_settled(held, history(*steps), blocked=False) == now
    assert is_settled(held, history(*steps, REPLACED), blocked=False) == after_another_champion
    assert is_settled(held, history(*steps), blocked=True)


def test_what_passed_the_gate_and_was_never_decided_on_is_not_settled(version):
    assert held_for(version(), history(PROMOTED)) is None
    assert not is_settled(version(), history(PROMOTED), blocked=False)
    assert not is_settled(version(), [], blocked=False)


def test_what_was_frozen_is_settled_while_all_is(version):
    steps = [PROMOTED, ("frozen", {"frozen": True}), ("held", {"version": 2, "cause": "frozen"})]
    assert is_settled(version(), history(*steps), blocked=False)
    assert not is_settled(version(), history(*steps, ("unfrozen", {"frozen": False})), blocked=False)


def test_what_was_in_production_is_settled_unless_it_was_unblocked_since(version):
    steps = [PROMOTED, ("promoted", {"version": 2, "champion": 2, "previous": 1})]
    assert is_settled(version(), history(*steps), blocked=False)
    assert is_settled(version(), history(*steps, REPLACED), blocked=False)
    steps += [("rolled back", {"version": 1, "champion": 1, "blocked": (2,)})]
    assert is_settled(version(), history(*steps), blocked=True)
    steps += [("unblocked", {"version": 2, "blocked": ()})]
    assert not is_settled(version(), history(*steps), blocked=False)
    assert not is_settled(version(), history(*steps, ("collected", {"version": 2})), blocked=False)


def test_a_promotion_ends_what_a_version_was_held_for(version):
    steps = [PROMOTED, ("held", {"version": 2, "cause": "worse"}), ("promoted", {"version": 2, "champion": 2})]
    assert held_for(version(), history(*steps)) is None
    assert held_for(version(), history(*steps, ("blocked", {"version": 3}))) is None


def test_a_version_waits_for_a_person_while_the_champion_stays(version):
    steps = [PROMOTED, ("held", {"version": 2, "cause": "awaiting approval"})]
    assert waiting(version(), history(*steps))
    assert not waiting(version(), history(*steps, REPLACED))
    assert not waiting(version(), history(*steps, ("rejected", {"version": 2, "cause": "rejected"})))
    assert not waiting(version(), history(PROMOTED))
