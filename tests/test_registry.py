import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tasks.errors import ProblemError, StoreError
from tasks.records import Artifact, File, Interval, Model, Scores, Snapshot, Verdict, Version
from tasks.registry import Registry
from tasks.store import Store

NOTHING = Artifact(file=File(path="x", sha256="0" * 64, size=1), rows=1, columns=())


def draft(key="a", *, promote=True, files=None, day=1, judged_against=None, cause="worse") -> Version:
    model = Model.model_validate(
        {
            "candidate": {"name": "ridge", "estimator": "Ridge"},
            "task": "regression",
            "files": files or {},
            "columns": {"target": "price", "roles": {}, "derived": {}},
            "leaderboard": (),
            "trained_on": NOTHING,
            "libraries": {},
            "seed": 7,
        }
    )
    ours = Interval(value=1.0, low=0.5, high=1.5)
    return Version(
        number=0,
        key=key,
        model=model,
        scores=Scores(
            metric="rmse",
            confidence=0.95,
            rows=9,
            excluded_rows=0,
            challenger=ours,
            champion_version=judged_against,
            predictions=NOTHING,
        ),
        verdict=Verdict(promote=promote, cause=None if promote else cause, rules=(), reason=f"Because of {key}."),
        snapshot=Snapshot(data=NOTHING, origin="here"),
        test=NOTHING,
        problem_digest="p",
        code_digest="c",
        created=datetime(2026, 1, day, tzinfo=UTC),
    )


@pytest.fixture
def registry(store):
    return Registry(store)


def in_production(registry, keys):
    """Register and promote a version for each key, each after the other."""
    for key in keys:
        champion = registry.champion()
        assert registry.promote(registry.register(draft(key)), champion.number if champion else None)
    return registry


def test_an_empty_registry(registry):
    assert registry.versions() == []
    assert registry.deployments() == []
    assert registry.deployment() is None
    assert registry.champion() is None
    assert registry.settled("a") is None
    with pytest.raises(ProblemError, match="houses has no version 3; it has none yet"):
        registry.version(3)


def test_numbers_rise_and_the_same_content_is_the_same_version(registry):
    first = registry.register(draft("a"))
    assert first.number == 1
    assert registry.register(draft("a", day=2)) == first  # another clock, the same content
    second = registry.register(draft("b"))
    assert second.number == 2
    assert registry.register(draft("a")) == first
    assert registry.versions() == [first, second]
    assert registry.version(2) == second
    with pytest.raises(ProblemError, match="has no version 7; it has 1, 2"):
        registry.version(7)


def test_promotion_names_the_versions_and_the_reason(registry):
    in_production(registry, "ab")
    one, two = registry.deployments()
    assert (one.number, one.version, one.previous, one.kind) == (1, 1, None, "promotion")
    assert (two.number, two.version, two.previous, two.reason) == (2, 2, 1, "Because of b.")
    assert registry.deployment() == two
    assert registry.champion().key == "b"


@pytest.mark.parametrize("judged_against", [None, 1, 3, 7])
def test_a_version_judged_against_another_champion_is_not_promoted(registry, judged_against):
    in_production(registry, "ab")
    before = registry.deployments()
    assert registry.promote(registry.register(draft("c")), judged_against) is None
    assert registry.deployments() == before
    assert registry.promote(registry.register(draft("c")), 2).version == 3


def test_the_first_promotion_needs_no_champion(registry):
    version = registry.register(draft("a"))
    assert registry.promote(version, 1) is None
    deployment = registry.promote(version, None)
    assert deployment.version == 1
    assert registry.promote(registry.register(draft("b")), None) is None
    assert registry.promote(version, None) == deployment  # in production already: nothing new is written
    assert registry.deployments() == [deployment]


def test_of_two_that_read_the_same_champion_one_wins(registry, store, monkeypatch):
    """The other's record is created between our reading and our writing."""
    in_production(registry, "a")
    ours, theirs = registry.register(draft("b")), registry.register(draft("c"))
    current = registry.deployment()
    assert Registry(store).promote(theirs, 1).version == 3
    monkeypatch.setattr(registry, "deployment", lambda: current)
    assert registry.promote(ours, 1) is None
    assert Registry(store).champion().number == 3


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
    pass
print(int(registry.promote(version, 1) is not None))
"""


def test_of_processes_that_promote_at_once_exactly_one_wins(registry, store, tmp_path):
    in_production(registry, "a")
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
        deadline = time.monotonic() + 60
        while not all((tmp_path / f"ready-{number}").exists() for number in numbers) and time.monotonic() < deadline:
            time.sleep(0.01)
        go.touch()
        answers = [process.communicate(timeout=60) for process in running]
    finally:
        for process in running:
            process.kill()
    assert [errors for _, errors in answers] == [""] * 4
    winners = [number for number, (out, _) in zip(numbers, answers, strict=True) if out.strip() == "1"]
    assert len(winners) == 1
    assert registry.champion().number == winners[0]
    assert len(registry.deployments()) == 2


def test_rollback_goes_back_one_by_one_and_then_says_that_there_is_none(registry):
    in_production(registry, "abc")
    assert registry.rollback().version == 2
    assert registry.rollback().version == 1
    with pytest.raises(ProblemError) as caught:
        registry.rollback()
    assert str(caught.value) == "houses version 1 was the first in production: there is none before."
    assert [deployment.version for deployment in registry.deployments()] == [1, 2, 3, 2, 1]
    assert [deployment.kind for deployment in registry.deployments()][3:] == ["rollback", "rollback"]
    assert registry.deployment().previous == 2
    assert registry.deployment().reason == "Rolled back from version 2."


def test_promotion_after_a_rollback_goes_on_from_there(registry):
    in_production(registry, "abc")
    registry.rollback()
    in_production(registry, "d")
    assert registry.deployment().previous == 2
    assert registry.rollback().version == 2
    assert registry.rollback().version == 1


def test_rollback_to_a_version_that_was_in_production(registry):
    in_production(registry, "abc")
    assert registry.rollback(to=1).version == 1
    assert registry.rollback(to=3).version == 3  # and forth again


@pytest.mark.parametrize("to", [3, 4, 99, 0, -1])
def test_rollback_to_a_version_that_was_never_in_production_or_is_now_is_refused(registry, to):
    in_production(registry, "abc")
    registry.register(draft("held", promote=False))
    before = registry.deployments()
    with pytest.raises(ProblemError) as caught:
        registry.rollback(to=to)
    assert f"cannot go back to version {to}" in str(caught.value)
    assert str(caught.value).endswith("are not now: 1, 2.")
    assert registry.deployments() == before


def test_rollback_without_a_champion_is_refused(registry):
    registry.register(draft("a"))
    with pytest.raises(ProblemError, match="houses has no version in production"):
        registry.rollback()


def test_settled_is_held_or_deployed(registry):
    version = registry.register(draft("a"))
    assert registry.settled("a") is None  # registered, but the run died before it was promoted
    registry.promote(version, None)
    assert registry.settled("a") == version
    assert registry.settled("b") is None
    held = registry.register(draft("b", promote=False, judged_against=1))
    assert registry.settled("b") == held
    registry.register(draft("d", promote=False, judged_against=1, cause="champion unreadable"))
    assert registry.settled("d") is None  # the champion may be restored by now
    in_production(registry, "c")
    registry.rollback()
    assert registry.settled("c").number == 4  # rolled back: not promoted again by the next run
    assert registry.settled("b") == held
    in_production(registry, "e")
    assert registry.settled("b") is None  # it was held against another champion than this one


def test_rollback_to_a_version_whose_files_are_damaged_is_refused(registry, store, tmp_path):
    files = kept(store, tmp_path, b"one")
    registry.promote(registry.register(draft("a", files=files)), None)
    registry.promote(registry.register(draft("b")), 1)
    store.path(next(iter(files.values()))).write_bytes(b"two")
    with pytest.raises(StoreError, match="was changed after it was written"):
        registry.rollback()
    assert registry.deployment().version == 2


def kept(store, tmp_path, content):
    path = tmp_path / "draft"
    path.write_bytes(content)
    return {"saved_model/saved_model.pb": store.keep(path, "models", ".pb")}


def served(store):
    folder = store.root / "serving" / store.problem
    return {int(path.name): (path / "saved_model.pb").read_bytes() for path in folder.glob("[0-9]*")}


def test_the_highest_number_served_is_the_champion(registry, store, tmp_path):
    assert registry.project() is None
    assert served(store) == {}
    for number, content in enumerate((b"one", b"two", b"three"), start=1):
        version = registry.register(draft(str(number), files=kept(store, tmp_path, content)))
        registry.promote(version, number - 1 or None)
        registry.project()
        assert max(served(store)) == number
    registry.project()
    assert served(store) == {1: b"one", 2: b"two", 3: b"three"}
    registry.rollback()
    registry.project()
    assert served(store) == {1: b"one", 2: b"two"}
    registry.rollback(to=3)
    registry.project()
    assert served(store)[3] == b"three"


def test_a_champion_without_a_network_is_not_served_by_an_older_one(registry, store, tmp_path):
    """TensorFlow Serving would go on answering with version 1 when version 2, a forest, is in production."""
    registry.promote(registry.register(draft("net", files=kept(store, tmp_path, b"one"))), None)
    registry.project()
    registry.promote(registry.register(draft("forest")), 1)
    registry.project()
    assert served(store) == {}


def test_two_problems_of_one_store_do_not_meet(tmp_path):
    one, other = (Registry(Store(tmp_path / "store", problem)) for problem in ("houses", "digits"))
    in_production(one, "ab")
    assert other.champion() is None
    assert in_production(other, "a").champion().number == 1
    assert one.champion().number == 2
