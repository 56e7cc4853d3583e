"""Pure functions over the history of decisions: where a rollback goes."""

import pytest

from tasks.errors import ProblemError
from tasks.registering.decisions import FIRST, following
from tasks.registering.way_back import champion_of, version_before, version_named, when_champion


def history(*pointers):
    """Give decisions after which these were champion and previous."""
    found = []
    for champion, previous in pointers:
        state = found[-1] if found else FIRST
        changes = {"version": champion, "champion": champion, "previous": previous}
        found.append(following(len(found) + 1, state, "promoted", "Because.", "géron", **changes))
    return found


def bad(*numbers):
    return lambda number: number in numbers


ABC = history((1, None), (2, 1), (3, 2))


def test_the_version_before_is_the_one_that_was_replaced():
    assert version_before("houses", ABC, bad(3)) == 2
    assert version_before("houses", ABC[:2], bad(2)) == 1


def test_what_is_bad_is_passed_over():
    assert version_before("houses", ABC, bad(2, 3)) == 1
    with pytest.raises(ProblemError, match="houses has no version before version 3 that is not blocked; name one with"):
        version_before("houses", ABC, bad(1, 2, 3))


def test_the_first_has_none_before():
    with pytest.raises(ProblemError, match="houses version 1 was the first in production: there is none before"):
        version_before("houses", ABC[:1], bad(1))


def test_versions_that_replaced_each_other_are_no_endless_way():
    circle = history((1, None), (2, 1), (1, 2))
    with pytest.raises(ProblemError, match="no version before version 1 that is not blocked"):
        version_before("houses", circle, bad(1, 2))


def test_a_version_that_is_named_was_in_production_and_is_not_now():
    assert version_named("houses", ABC, 1) == 1
    with pytest.raises(ProblemError, match=r"cannot go back to version 3: .* not now: 1, 2\."):
        version_named("houses", ABC, 3)
    with pytest.raises(ProblemError, match=r"not now: none\."):
        version_named("houses", ABC[:1], 2)


def test_without_a_champion_there_is_nothing_to_roll_back():
    assert champion_of("houses", ABC) == 3
    for nothing in ([], [following(1, FIRST, "frozen", "Because.", "géron", frozen=True)]):
        with pytest.raises(ProblemError, match="houses has no version in production"):
            champion_of("houses", nothing)


def test_the_last_time_counts():
    again = history((1, None), (2, 1), (3, 2), (1, 3))
    assert when_champion(again, 1).previous == 3
    assert when_champion(again, 2).number == 2
