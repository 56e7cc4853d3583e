"""What a process serves follows the pointer: beside the old one, checked, in one step, and never a broken one."""

import asyncio
import threading
from collections.abc import Callable

import numpy as np
import pytest

from serving import repository as module
from serving.journal import Journal
from serving.metrics import Metrics
from serving.repository import NotServed, Repository
from serving.served import Served
from serving.settings import Settings
from tasks.registry import Registry
from tasks.served_rows import served_rows
from tasks.store import Store
from tests.waiting import happened

ROW = {"x": np.array([3.0]), "place": np.array(["hill"], dtype=object)}


@pytest.fixture
def registry(store: Store) -> Registry:
    return Registry(store)


@pytest.fixture
def promote(registry, version_of) -> Callable[..., int]:
    """Give a function that puts a tree of a depth into production; it gives the version's number."""

    def promoted(depth: int) -> int:
        champion = registry.champion()
        version = registry.register(version_of("DecisionTreeRegressor", max_depth=depth))
        registry.promote(version, champion.number if champion else None)
        return version.number

    return promoted


@pytest.fixture
def repository(store) -> Repository:
    return Repository(Settings(store.root.parent, str(store.root), problems=("houses",), poll_seconds=0.01))


@pytest.fixture
def break_file(store, registry) -> Callable[[int], None]:
    """Give a function that changes a byte of a version's model, and back again when it is called again."""

    def broken(number: int) -> None:
        path = store.folder / registry.version(number).model.files["model.skops"].path
        content = path.read_bytes()
        path.write_bytes(content[:-1] if content.endswith(b"!") else content + b"!")

    return broken


def answering(repository: Repository) -> dict[str, int]:
    return {label: served.number for label, served in repository.offers["houses"].all().items()}


def test_nothing_in_production_is_not_offered_until_there_is(repository, promote) -> None:
    repository.load()
    assert repository.offers == {}
    assert repository.ready()
    promote(1)
    repository.load()
    assert answering(repository) == {"champion": 1}


def test_all_problems_that_are_declared_are_served(store, promote, project) -> None:
    (project / "data" / "houses").mkdir()
    (project / "data" / "houses" / "problem.toml").touch()
    promote(1)
    found = Repository(Settings(project, str(store.root)))
    found.load()
    assert list(found.offers) == ["houses"]


def test_versions_are_found_by_number_and_label(repository, promote) -> None:
    for depth in (1, 2, 3):
        promote(depth)
    repository.load()
    assert answering(repository) == {"champion": 3, "previous": 2}
    assert repository.find("houses").number == repository.find("houses", label="champion").number == 3
    assert repository.find("houses", 2) is repository.find("houses", label="previous")
    for asked, sentence in (
        (("houses", 1), r"houses has no version 1 here; served are: 3 \(champion\), 2 \(previous\)."),
        (("houses", None, "best"), "houses has no version best here"),
        (("houses", None, "3"), "houses has no version 3 here"),
        (("hauses",), "There is no model 'hauses' here; served are: houses."),
    ):
        with pytest.raises(NotServed, match=sentence):
            repository.find(*asked)


def test_what_is_held_already_is_not_loaded_again(repository, promote, registry) -> None:
    promote(1)
    repository.load()
    first = repository.find("houses")
    promote(2)
    assert repository.look("houses") == []
    assert repository.find("houses", label="previous") is first
    second = repository.find("houses")
    registry.rollback()
    assert repository.look("houses") == [second]
    assert repository.find("houses") is first
    assert answering(repository) == {"champion": 1}


def test_a_decision_that_moves_nothing_loads_nothing(repository, promote, registry) -> None:
    promote(1)
    repository.load()
    first = repository.find("houses")
    registry.freeze("A holiday.")
    assert repository.look("houses") == []
    assert repository.find("houses") is first


def test_a_version_that_cannot_be_loaded_is_not_taken_and_the_old_one_goes_on(repository, promote, break_file) -> None:
    promote(1)
    repository.load()
    promote(2)
    break_file(2)
    repository.load()
    assert answering(repository) == {"champion": 1}
    assert repository.ready()
    trouble = repository.offers["houses"].trouble
    assert "Version 2 of houses cannot be used: the store/houses/models/" in trouble
    assert str(repository.settings.store) not in trouble
    promote(3)
    repository.load()
    assert answering(repository)["champion"] == 3


def test_a_process_that_starts_then_serves_what_the_others_do(repository, promote, break_file) -> None:
    promote(1)
    promote(2)
    break_file(2)
    repository.load()
    assert answering(repository) == {"champion": 1}
    assert "Version 2" in repository.offers["houses"].trouble


def test_where_nothing_can_be_loaded_it_is_not_ready(repository, promote, break_file) -> None:
    promote(1)
    break_file(1)
    repository.load()
    assert not repository.ready()
    with pytest.raises(NotServed, match="houses has no version champion here; served are: none"):
        repository.find("houses")


def test_what_could_not_be_loaded_is_tried_again_after_a_while(repository, promote, break_file, monkeypatch) -> None:
    promote(1)
    break_file(1)
    repository.load()
    break_file(1)
    repository.load()
    assert not repository.ready()
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0)
    repository._seen["houses"].again_at = 0
    repository.load()
    assert answering(repository) == {"champion": 1}
    assert repository.offers["houses"].trouble is None


def test_one_broken_problem_does_not_hinder_another(store, promote, project) -> None:
    promote(1)
    broken = Store(store.root, "broken")
    (broken.folder / "decisions").mkdir(parents=True)
    (broken.folder / "decisions" / "000001.json").write_text("no record")
    found = Repository(Settings(project, str(store.root), problems=("broken", "houses")))
    found.load()
    assert found.offers["houses"].champion
    assert not found.ready()
    assert found.offers["broken"].trouble


def test_a_swap_is_followed_and_requests_in_flight_end_on_the_old_version(repository, promote) -> None:
    promote(1)

    async def swapped() -> None:
        async with repository.following():
            old = repository.find("houses")
            asked = asyncio.create_task(old.answer(ROW))
            await asyncio.to_thread(promote, 5)
            await happened(lambda: answering(repository) == {"champion": 2, "previous": 1})
            await asyncio.to_thread(promote, 6)
            await happened(lambda: answering(repository) == {"champion": 3, "previous": 2})
            expected = old.predict(ROW).values
            assert (await asked).values == expected
            assert (await old.answer(ROW)).values == expected  # found before, asked after
            assert (await repository.find("houses").answer(ROW)).values != expected

    asyncio.run(swapped())
    text = repository.metrics.text().decode()
    assert 'salamander_swaps_total{problem="houses"} 2.0' in text
    assert 'salamander_version{label="champion",problem="houses"} 3.0' in text


@pytest.fixture
def slow(store, promote, project) -> tuple[Repository, threading.Event, threading.Event]:
    """Give a repository that hangs when it looks at ``slow`` again, when it does, and what lets it go on."""
    found = Repository(Settings(project, str(store.root), problems=("slow", "houses"), poll_seconds=0.01))
    begun, go = threading.Event(), threading.Event()
    look = found.look

    def looked(name: str) -> list[Served]:
        if name == "slow" and found.offers:
            begun.set()
            go.wait()
        return look(name)

    found.look = looked
    promote(1)
    return found, begun, go


def test_a_problem_that_loads_slowly_does_not_delay_another(slow, promote) -> None:
    found, begun, go = slow

    async def followed() -> None:
        try:
            async with found.following():
                await happened(begun.is_set)
                await asyncio.to_thread(promote, 2)
                await happened(lambda: answering(found)["champion"] == 2)
        finally:
            go.set()

    asyncio.run(followed())


def test_nothing_is_under_way_when_it_has_ended(slow) -> None:
    found, begun, go = slow

    async def ended() -> None:
        try:
            async with found.following():
                await happened(begun.is_set)
            assert asyncio.all_tasks() == {asyncio.current_task()}
        finally:
            go.set()

    asyncio.run(ended())


def test_a_declaration_that_changes_counts_at_once(store, promote, project, caplog) -> None:
    def declare(serving: str) -> None:
        place = project / "data" / "houses" / "problem.toml"
        place.parent.mkdir(exist_ok=True)
        head = 'task = "regression"\ntarget = "y"\nsource = { kind = "bundled", name = "diabetes" }\n'
        place.write_text(f'{head}candidates = "auto"\n[serving]\n{serving}\n')

    async def noted(journal: Journal) -> None:
        repository = Repository(Settings(project, str(store.root), problems=("houses",)), journal)
        repository.load()
        for serving in ('private = ["place"]', 'private = ["plase"]', "log = 0", ""):
            declare(serving)
            repository.look("houses")
            await repository.find("houses").answer(ROW)

    declare("")
    promote(1)
    journal = Journal(Metrics())
    asyncio.run(noted(journal))
    journal.close()
    asked = [row["asked"] for batch in served_rows(store) for row in batch.to_pylist()]
    assert sorted(asked, key=len) == [{"x": 3.0}, {"x": 3.0, "place": "hill"}]
    ours = (record for record in caplog.records if record.name == module.LOG.name)  # other threads log too
    (warning,) = (record.message for record in ours if record.levelname == "WARNING")
    assert warning == (
        "Nothing is noted: serving.private of houses names 'plase', which is no column of its data (did you mean "
        "'place'?)."
    )
