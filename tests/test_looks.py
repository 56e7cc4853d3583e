import threading
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from tasks.columns import ROW
from tasks.judging.looks import LOOKS, Looks, fresh_rows_needed, spent
from tasks.records import Interval, Look, Scores

INTERVAL = Interval(value=1.0, low=0.9, high=1.1)


def scores(store, rows, champion=1, anchor=1, confidence=0.95, value=0.0, judged=True) -> Scores:
    """Give scores on rows that are told apart by their numbers."""
    table = pa.table({ROW: np.array(list(rows), dtype="uint64"), "challenger": np.full(len(rows), value)})
    return Scores(
        metric="rmse",
        confidence=confidence,
        rows=len(rows),
        excluded_rows=0,
        challenger=INTERVAL,
        champion=INTERVAL if judged else None,
        champion_version=champion,
        anchor_version=anchor,
        predictions=store.keep_table(table, "predictions"),
    )


def artifact(store, rows):
    return scores(store, rows).predictions


def test_the_budget_of_an_error_is_spent_over_twenty_looks(store):
    looks = Looks(store)
    taken = [looks.take(f"model {number}", scores(store, range(50))) for number in range(LOOKS + 2)]
    harmonic = sum(Fraction(1, k) for k in range(1, 21))
    for k, look in enumerate(taken[:LOOKS], 1):
        assert look.alpha == pytest.approx(float(Fraction(5, 100) / (harmonic * k)), rel=1e-12)
        assert (look.number, look.earlier, look.fresh_rows_needed) == (k, k - 1, 0)
    assert sum(look.alpha for look in taken) == pytest.approx(0.05, rel=1e-12)
    assert [look.alpha for look in taken[LOOKS:]] == [0.0, 0.0]
    assert taken[LOOKS].fresh_rows_needed == 3  # 50 x 20 looks over 53 rows is 18.9 before, and 19 are allowed
    assert taken[LOOKS + 1].fresh_rows_needed == 6


def test_confidence_is_what_is_spent(store):
    assert Looks(store).take("m", scores(store, range(9), confidence=0.9)).alpha == pytest.approx(
        0.1 / 3.5977, rel=1e-4
    )


def test_the_same_look_costs_nothing(store):
    looks = Looks(store)
    first = looks.take("model", scores(store, range(50)))
    again = looks.take("model", scores(store, range(49, -1, -1), value=1.0))
    assert again == first
    assert store.numbers("looks") == [1]
    assert Looks(store).take("model", scores(store, range(50))) == first  # in another run too


@pytest.mark.parametrize(
    "other", [{"challenger": "other"}, {"champion": 2}, {"anchor": 2}, {"anchor": None}, {"rows": range(51)}], ids=str
)
def test_another_challenger_champion_anchor_or_other_rows_are_another_look(store, other):
    looks = Looks(store)
    looks.take("model", scores(store, range(50)))
    rest = {key: value for key, value in other.items() if key in {"champion", "anchor"}}
    look = looks.take(other.get("challenger", "model"), scores(store, other.get("rows", range(50)), **rest))
    assert look.number == 2
    assert look.earlier == pytest.approx(50 / len(other.get("rows", range(50))))


def test_without_a_champion_that_was_judged_there_is_no_look(store):
    looks = Looks(store)
    assert looks.take("model", scores(store, range(50), champion=None, judged=False)) is None
    assert looks.take("model", scores(store, range(50), judged=False)) is None
    assert store.numbers("looks") == []


def test_fresh_rows_bring_a_fresh_budget_in_their_share(store):
    looks = Looks(store)
    for number in range(4):
        looks.take(f"model {number}", scores(store, range(100)))
    look = looks.take("model", scores(store, range(50, 150)))
    assert look.earlier == 2.0  # half of the rows had four looks
    assert look.alpha == spent(1 - 0.95, 2.0)
    assert looks.take("model", scores(store, range(1000, 1100))).earlier == 0.0


def test_where_a_tenth_of_the_rows_is_renewed_each_time_the_budget_never_ends(store):
    looks = Looks(store)
    taken = [looks.take(f"m{k}", scores(store, range(10 * k, 10 * k + 100))) for k in range(30)]
    assert taken[-1].earlier == pytest.approx(np.mean(np.minimum(np.arange(10), 29)), abs=1e-9)
    assert min(look.alpha for look in taken) == spent(1 - 0.95, 4.5)


def test_the_rows_that_are_needed_make_another_look_possible(store):
    looks = Looks(store)
    for number in range(LOOKS):
        looks.take(f"model {number}", scores(store, range(100)))
    worn = looks.take("one more", scores(store, range(100)))
    assert worn.alpha == 0.0
    one_less = scores(store, range(99 + worn.fresh_rows_needed))
    enough = scores(store, range(100 + worn.fresh_rows_needed))
    assert fresh_rows_needed(100, 20.0) == 6
    # the look that came too late counts as well
    assert looks.take("later", one_less).alpha == 0.0
    assert spent(0.05, 20 * 100 / (100 + fresh_rows_needed(100, 20.0))) > 0
    assert spent(0.05, 20 * 100 / (99 + fresh_rows_needed(100, 20.0))) == 0
    assert enough.rows == 106


def test_what_is_left(store):
    looks = Looks(store)
    rows = artifact(store, range(100))
    left = [looks.left(rows)]
    for number in range(LOOKS):
        looks.take(f"model {number}", scores(store, range(100)))
        left.append(looks.left(rows))
    assert left[0] == 1.0
    assert left[1] == pytest.approx(1 - 1 / 3.59774, rel=1e-4)
    assert all(before > after for before, after in pairwise(left))
    assert left[-1] == 0.0
    assert looks.left(artifact(store, range(100, 120))) == 1.0
    half = looks.left(artifact(store, range(50, 150)))
    assert 0 < half < 1


def test_of_looks_at_once_each_gets_its_own_number_and_counts_the_others(store):
    looks, found, ready = Looks(store), list[Look](), threading.Barrier(6)
    given = scores(store, range(50))

    def take(number):
        ready.wait()
        found.append(looks.take(f"model {number % 3}", given))

    threads = [threading.Thread(target=take, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.numbers("looks") == [1, 2, 3]
    assert sorted({look.earlier for look in found}) == [0.0, 1.0, 2.0]
    assert {(look.challenger, look.number) for look in found} == {
        (look.challenger, look.number) for look in looks.all()
    }
