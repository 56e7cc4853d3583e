"""Nothing breaks: not by kill -9, not on a full disk, not where files may not grow, not in a read-only store."""

import contextlib
import json
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.cli import run
from tasks.errors import StoreError
from tasks.gate import Retention
from tasks.reference import load_version
from tasks.registering.collect import collect
from tasks.registering.leases import Leases
from tasks.registry import Registry
from tasks.store import Store

PROJECT = Path(__file__).parent.parent


def test_two_processes_that_are_killed_twenty_times_break_nothing() -> None:
    """The benchmark, in small: each time the champion loads and predicts the same, and nothing referred to is gone."""
    command = [sys.executable, "benchmarks/crashes.py", "--kills", "20", "--seed", "11", "--json"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert (answer["kills"], answer["violations"], answer["wrong"]) == (20, 0, [])
    assert answer["decisions"]["promoted"] > 1


@contextlib.contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """Mount a small file system in memory on a folder, or skip the test where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextlib.contextmanager
def small_disk(root: Path) -> Iterator[None]:
    with mounted(root, "-t", "tmpfs", "-o", "size=2m", "tmpfs"):
        yield


@contextlib.contextmanager
def small_files(_: Path) -> Iterator[None]:
    """Forbid this process to write files larger than 30 kB, as a quota would."""
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


def fill(root: Path) -> None:
    with (root / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 512)


def in_production(store: Store, version_of) -> Registry:
    registry = Registry(store)
    for number in (1, 2):
        registry.promote(registry.register(version_of(n_estimators=number)), number - 1 or None)
    return registry


def records(store: Store) -> dict[str, bytes]:
    files = (path for path in store.folder.rglob("*") if path.is_file() and path.parent.name != "leases")
    return {str(path): path.read_bytes() for path in files}


def check_that_all_works(registry: Registry, number: int) -> None:
    champion = registry.champion()
    assert champion.number == number
    registry.check_files(champion)
    load_version(champion, registry.store)
    assert len(registry.versions()) == 2
    assert registry.history()


def test_on_a_full_disk_every_change_is_refused_and_the_champion_stays(store, version_of, capsys) -> None:
    with small_disk(store.root):
        registry = in_production(store, version_of)
        draft = version_of(n_estimators=3)
        fill(store.root)
        before = records(store)
        for change in (
            lambda: version_of(n_estimators=4),
            lambda: registry.register(draft),
            lambda: registry.promote(registry.version(1), 2),
            lambda: registry.hold(registry.version(1), "worse", "It is."),
            registry.rollback,
            lambda: registry.freeze("It is full."),
            lambda: collect(store, Retention(), by="géron"),
        ):
            with pytest.raises(StoreError, match="cannot be written: No space left on device; nothing was changed"):
                change()
            assert records(store) == before
            check_that_all_works(registry, 2)
        capsys.readouterr()
        assert run(["rollback", "houses", "--store", str(store.root)]) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        assert (
            printed.err == f"The store {store.root} cannot be written: No space left on device; nothing was changed.\n"
        )
        (store.root / "ballast").unlink()
        assert list((store.root / ".scratch").iterdir()) == []
        assert registry.rollback().champion == 1
        check_that_all_works(registry, 1)


def test_a_disk_that_fills_up_in_the_middle_of_a_rollback_breaks_nothing(store, version_of, capsys) -> None:
    """With a page more each time: first the lease has no room, then the decision, then the release of the lease."""
    codes = []
    with small_disk(store.root):
        registry = in_production(store, version_of)
        for pages in range(16):
            fill(store.root)
            with (store.root / "ballast").open("r+b") as file:
                file.truncate(file.seek(0, 2) - 4096 * pages)
            codes.append(run(["rollback", "houses", "--to", "1", "--store", str(store.root)]))
            printed = capsys.readouterr()
            assert (printed.err == "") == (codes[-1] == 0)
            assert not codes[-1] or printed.err.endswith("No space left on device; nothing was changed.\n")
            check_that_all_works(registry, 2 if codes[-1] else 1)
            (store.root / "ballast").unlink()
            with Leases(store, timeout_seconds=0).held("look"):  # nobody holds the lock any more
                pass
            if not codes[-1]:
                registry.rollback(to=2)
    assert set(codes) == {0, 1}
    assert codes == sorted(codes, reverse=True)


def test_where_files_may_not_grow_a_model_is_refused_whole(store, version_of) -> None:
    """A quota, or a limit of the process: what works where nothing may be mounted."""
    registry = in_production(store, version_of)
    before = records(store)
    with small_files(store.root):
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        with pytest.raises(StoreError, match="cannot be written: File too large; nothing was changed"):
            version_of(n_estimators=20)
    assert records(store) == before
    assert list((store.root / ".scratch").iterdir()) == []
    check_that_all_works(registry, 2)


def test_a_store_that_is_read_only_can_be_read_and_nothing_else(store, version_of, capsys) -> None:
    registry = in_production(store, version_of)
    before = records(store)
    with mounted(store.root, "--bind", str(store.root)):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(store.root)], check=True)
        check_that_all_works(registry, 2)
        for command in ("status", "versions", "history"):
            assert run([command, "houses", "--store", str(store.root)]) == 0
        registry.project()
        for change in (
            lambda: version_of(n_estimators=4),
            lambda: registry.register(registry.version(1)),
            registry.rollback,
            lambda: registry.freeze("It is read-only."),
            lambda: collect(store, Retention()),
        ):
            with pytest.raises(StoreError, match="cannot be written: Read-only file system; nothing was changed"):
                change()
        capsys.readouterr()
        assert run(["rollback", "houses", "--store", str(store.root)]) == 1
        assert "Read-only file system" in capsys.readouterr().err
    assert records(store) == before
