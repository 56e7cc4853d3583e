"""The log of predictions: what the declaration says, no more, and never in the way of an answer."""

import asyncio
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from serving import journal as module
from serving.journal import Journal
from serving.metrics import Metrics
from serving.request_id import begin
from serving.served import Served
from tasks.errors import ProblemError
from tasks.gate import Retention
from tasks.registering.collect import collect
from tasks.served_rows import served_rows
from tests.waiting import until

ROWS = {"x": np.array([1.0, np.nan]), "place": np.array(["shore", None], dtype=object)}


@pytest.fixture
def declared(project) -> Callable[[str], None]:
    """Give a function that writes the declaration of ``houses``."""

    def written(serving: str) -> None:
        folder = project / "data" / "houses"
        folder.mkdir(exist_ok=True)
        head = 'task = "regression"\ntarget = "y"\nsource = { kind = "bundled", name = "diabetes" }\n'
        (folder / "problem.toml").write_text(f'{head}candidates = "auto"\n[serving]\n{serving}\n')

    return written


@pytest.fixture
def journal() -> Journal:
    return Journal(Metrics())


@pytest.fixture
def served(store, version_of) -> Served:
    return Served(version_of("DecisionTreeRegressor"), store)


@pytest.fixture
def noting(journal, served, store, project, declared) -> Callable[..., None]:
    """Give a function that has the journal note what ``served`` answers, as declared under ``[serving]``."""

    def begun(serving: str = "") -> None:
        declared(serving)
        served.noted = journal.page(served, store, project)

    return begun


def answer(served: Served, times: int = 1) -> None:
    async def asked() -> None:
        for number in range(times):
            begin(f"request-{number}")
            await served.answer(ROWS)
        await served.close()

    asyncio.run(asked())


def noted(store) -> list[dict]:
    return [row for batch in served_rows(store) for row in batch.to_pylist()]


def count(journal: Journal, name: str) -> float:
    lines = journal._metrics.text().decode().splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith(f"salamander_journal_{name}_total"))


def test_what_was_asked_and_predicted_is_noted(journal, served, store, noting) -> None:
    noting()
    answer(served)
    journal.close()
    rows = noted(store)
    values = served.predict(ROWS).values.tolist()
    assert [row["prediction"] for row in rows] == values
    assert [row["asked"] for row in rows] == [{"x": 1.0, "place": "shore"}, {"x": None, "place": None}]
    assert [(row["request"], row["row"], row["version"]) for row in rows] == [("request-0", 0, 0), ("request-0", 1, 0)]
    assert time.time() - rows[0]["at"].timestamp() < 3600
    assert count(journal, "rows") == 2


def test_classes_are_noted_with_their_probabilities(journal, store, version_of, project, declared) -> None:
    declared("")
    served = Served(version_of("DecisionTreeClassifier"), store)
    served.noted = journal.page(served, store, project)
    answer(served)
    journal.close()
    found = served.predict(ROWS)
    assert [row["prediction"] for row in noted(store)] == found.values.tolist()
    assert [row["probabilities"] for row in noted(store)] == found.probabilities.tolist()


def test_private_columns_are_left_out(journal, served, store, project, declared) -> None:
    declared('private = ["place"]')
    served.noted = journal.page(served, store, project)
    answer(served)
    journal.close()
    assert [row["asked"] for row in noted(store)] == [{"x": 1.0}, {"x": None}]


def test_a_share_of_the_requests_is_noted_whole_or_not_at_all(journal, served, store, noting) -> None:
    noting("log = 0.3")
    answer(served, 300)
    journal.close()
    found = [row["request"] for row in noted(store)]
    assert 60 <= len({*found}) <= 120
    assert all(found.count(name) == 2 for name in found)


def test_nothing_is_noted_where_that_is_declared_or_nobody_knows(journal, served, store, project, declared) -> None:
    declared("log = 0")
    assert journal.page(served, store, project) is None
    declared("log = 2")
    with pytest.raises(ProblemError, match=r"serving.log"):
        journal.page(served, store, project)
    journal.close()


def test_what_finds_no_room_is_counted_and_answered_all_the_same(journal, served, store, monkeypatch, noting) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 1)
    noting()
    answer(served)
    journal.close()
    assert noted(store) == []
    assert count(journal, "dropped_rows") == 2


def test_where_the_store_cannot_be_written_answers_go_on(journal, served, store, noting) -> None:
    noting()
    (store.folder / "served").write_text("in the way")
    answer(served)
    journal.close()
    assert count(journal, "dropped_rows") == 2


def test_a_journal_that_is_large_becomes_a_part_while_others_are_written(
    journal, served, store, monkeypatch, noting
) -> None:
    monkeypatch.setattr(module, "PART_BYTES", 1)
    noting()
    answer(served)
    until(lambda: any((store.folder / "served").glob("*.parquet")))
    answer(served, 3)
    journal.close()
    assert len(noted(store)) == 8


def test_collecting_leaves_what_was_noted_alone(journal, served, store, noting) -> None:
    noting()
    answer(served)
    journal.close()
    from datetime import timedelta

    collect(store, Retention(versions=1, snapshots=1, days=0), timedelta(0))
    assert len(noted(store)) == 2


def test_what_others_left_is_settled_beside_and_never_in_the_way(journal, served, store, noting) -> None:
    folder = store.folder / "served"
    folder.mkdir()
    left = folder / "20260101T000000000000-v0-aaaaaaaaaaaa.arrows"
    left.write_bytes(bytes(1000))
    noting()
    answer(served)
    journal.close()
    assert not left.exists()
    assert len(noted(store)) == 2


def test_a_part_that_cannot_be_written_is_tried_again_and_noting_goes_on(
    journal, served, store, monkeypatch, noting
) -> None:
    def full(_store) -> None:
        tried.set()
        raise OSError("no room")

    tried = threading.Event()
    with monkeypatch.context() as patched:
        patched.setattr(module, "PART_BYTES", 1)
        patched.setattr(module, "recover", full)
        noting()
        answer(served)
        assert tried.wait(600)
        until(lambda: count(journal, "rows") == 2)
    answer(served, 3)
    journal.close()
    assert len(noted(store)) == 8
    assert not [*(store.folder / "served").glob("*.arrows")]
