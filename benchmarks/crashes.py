"""Two processes deploy, roll back and collect on one store, and are killed (kill -9) at random moments.

After each kill the other process is stopped for a moment, so that the store stands still, and all of it is checked: the
champion loads, its digests fit, and a real model repeats its stored predictions; every version that can be seen is
whole; all that a kept version or snapshot names is there, and what is gone was said to go; each promotion replaced the
champion that it was judged against; only what was in production stands where TensorFlow Serving looks. Then the killed
process is started anew. At the end a last run must find nothing locked.

    python benchmarks/crashes.py --kills 200 --seed 7
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import signal
import statistics
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from measuring import arguments_parser, mark, progress, run, scratch, show  # noqa: E402

from tasks.errors import ProblemError, StoreError  # noqa: E402
from tasks.gate import Retention  # noqa: E402
from tasks.records import (  # noqa: E402
    Artifact,
    Changes,
    Decision,
    FeatureSet,
    Interval,
    Model,
    Scores,
    Snapshot,
    Table,
    Verdict,
    Version,
)
from tasks.registering.collect import collect  # noqa: E402
from tasks.registering.decisions import Decisions  # noqa: E402
from tasks.registering.leases import Lease, Leases  # noqa: E402
from tasks.registering.seals import unsealed  # noqa: E402
from tasks.registry import Registry  # noqa: E402
from tasks.snapshots import Snapshots  # noqa: E402
from tasks.store import Store, digest_of, numbered  # noqa: E402

PRELOADED = ["pyarrow.pandas_compat", "pyarrow.parquet", "skops.io", "sklearn.tree", "tasks.reference", "crashes"]
PROBLEM, RETENTION, AT_ONCE = "houses", Retention(versions=3, snapshots=3, days=0), timedelta(0)
COLUMNS = FeatureSet(target="y", roles={"x": "numeric"}, derived={})
ACTIONS = ("start", "deploy", "roll back", "collect")
LIKELY = (0, 4, 3, 3)
COLLECTED_MEANWHILE = ("is gone from the store", "is missing from the store")


# What the two processes do.


def work(root: Path, seed: int, doing: Any, faults: Any) -> None:
    """Deploy, roll back and collect in turn, as the seed has it, until somebody ends this process."""
    store, chosen = Store(root, PROBLEM), random.Random(seed)  # noqa: S311
    try:
        while True:
            action = chosen.choices(ACTIONS, LIKELY)[0]
            doing.value = ACTIONS.index(action)
            try:
                {"deploy": deploy, "roll back": roll_back, "collect": remove}[action](store, chosen)
            except StoreError as error:  # the other one collects what no version names yet: that is what it says
                if not any(words in str(error) for words in COLLECTED_MEANWHILE):
                    raise
    except Exception:
        faults.put(traceback.format_exc())
        raise


def deploy(store: Store, chosen: random.Random) -> None:
    """Make a version of a new tree, judged against the champion, and promote it."""
    registry = Registry(store)
    champion = registry.champion()
    version = registry.register(_draft(store, champion, chosen.randrange(10**9)))
    done = registry.promote(version, champion.number if champion else None)
    if isinstance(done, str):
        registry.hold(version, done, "Another was faster.")
    registry.project()


def roll_back(store: Store, _: random.Random) -> None:
    """Go back to the version before, where there is one."""
    registry = Registry(store)
    try:
        registry.rollback()
    except ProblemError:
        return
    except StoreError as error:
        if "was changed by another run just now" not in str(error):
            raise
    registry.project()


def remove(store: Store, _: random.Random) -> None:
    """Collect what nothing needs, however young it is."""
    collect(store, RETENTION, AT_ONCE)


def _draft(store: Store, champion: Version | None, seed: int) -> Version:
    import numpy as np
    import pandas as pd

    from tasks.candidates import Candidate
    from tasks.columns import ROW
    from tasks.estimators import build
    from tasks.keys import library_versions
    from tasks.models import Predictor, save

    numbers = np.random.default_rng(seed)
    rows = pd.DataFrame({"x": numbers.uniform(size=40), "y": numbers.uniform(size=40)})
    rows[ROW] = np.arange(40, dtype="uint64")
    candidate = Candidate(name="tree", estimator="DecisionTreeRegressor", parameters={"max_depth": 3})
    fitted = build(candidate, "regression", COLUMNS, 7).fit(rows[["x"]], rows["y"].to_numpy())
    files = save(fitted, COLUMNS, store) | {"saved_model/saved_model.pb": _served(store, seed)}
    test = _kept(store, rows, "test")
    predicted = Predictor(fitted, COLUMNS).predict(rows).values
    predictions = pd.DataFrame({ROW: rows[ROW], "target": rows["y"], "challenger": predicted})
    raw = Snapshot(data=Table(parts=(_kept(store, rows.drop(columns=ROW), "raw"),)), origin="here")
    Snapshots(store).keep(raw, "accepted", Changes(added=40, changed=0, gone=0))
    return Version(
        number=0,
        key=str(seed),
        model=Model(
            candidate=candidate,
            task="regression",
            files=files,
            columns=COLUMNS,
            leaderboard=(),
            trained_on=_kept(store, rows[[ROW]], "trained_on"),
            libraries=library_versions(),
            seed=7,
        ),
        scores=Scores(
            metric="rmse",
            confidence=0.95,
            rows=40,
            excluded_rows=0,
            challenger=Interval(value=1, low=0, high=2),
            champion_version=champion.number if champion else None,
            predictions=_kept(store, predictions, "predictions"),
        ),
        verdict=Verdict(promote=True, rules=(), reason="It is new."),
        snapshot=raw,
        test=test,
        problem_digest="p",
        code_digest="c",
        created=datetime.now(UTC),
    )


def _kept(store: Store, frame: Any, kind: str) -> Artifact:
    import pyarrow as pa

    return store.keep_table(pa.Table.from_pandas(frame, preserve_index=False), kind)


def _served(store: Store, seed: int) -> Any:
    with store.scratch() as folder:
        (folder / "saved_model.pb").write_text(f"a graph of {seed}")
        return store.keep(folder / "saved_model.pb", "models", ".pb")


# What must be true whenever they are killed.


def violations(store: Store) -> list[str]:
    """Give all that is not as it must be in a store that stands still."""
    registry = Registry(store)
    history, versions = registry.history(), registry.versions()
    return [*_champion(registry), *_files(store, versions, history), *_history(versions, history), *_served_ones(store)]


def _champion(registry: Registry) -> list[str]:
    from tasks.reference import load_version

    champion = registry.champion()
    if champion is None:
        return []
    registry.check_files(champion)
    load_version(champion, registry.store)
    return []


def _files(store: Store, versions: list[Version], history: list[Decision]) -> list[str]:
    """Check that what a kept version or snapshot names is there, and that what is gone was decided on."""
    collected = {decision.version for decision in history if decision.kind == "collected"}
    kept = {version.number for version in versions[-RETENTION.versions :]} | {each.champion for each in history}
    lost = {version.number: store.gone(version) for version in versions}
    missed = [number for number, gone in lost.items() if gone and (number in kept or number not in collected)]
    found = [f"version {number} is there, but {lost[number][0]} is gone" for number in missed]
    accepted = [entry for entry in Snapshots(store).entries() if entry.outcome == "accepted"]
    lost = {entry.number: store.gone(entry) for entry in accepted[-RETENTION.snapshots :]}
    return [*found, *(f"snapshot {number} is there, but {gone[0]} is gone" for number, gone in lost.items() if gone)]


def _history(versions: list[Version], history: list[Decision]) -> list[str]:
    """Check numbers, and that each promotion replaced the champion that its version was judged against."""
    found: list[str] = []
    if [version.number for version in versions] != list(range(1, len(versions) + 1)):
        found.append("a number of a version is missing")
    before: int | None = None
    for decision in history:
        if decision.kind == "promoted":
            judged_against = versions[(decision.version or 0) - 1].scores.champion_version
            if not decision.previous == judged_against == before:
                found.append(f"decision {decision.number} replaced {before}, judged was against {judged_against}")
        before = decision.champion
    return found


def _served_ones(store: Store) -> list[str]:
    """Check that only whole versions that were in production stand where TensorFlow Serving looks."""
    once = {decision.champion for decision in Decisions(store).all()}
    found: list[str] = []
    for path in (store.root / "serving" / PROBLEM).glob("*"):
        files = Registry(store).version(int(path.name)).model.served_files
        if int(path.name) not in once:
            found.append(f"{path} was never in production")
        if any(not (path / name).is_file() or digest_of(path / name) != file.sha256 for name, file in files.items()):
            found.append(f"{path} is not whole")
    return found


# The killing.


@dataclass
class Tally:
    """What happened: kills by what the process was doing, those in the middle of a change, and what was found wrong."""

    kills: int = 0
    doing: Counter[str] = field(default_factory=Counter)
    holding: int = 0
    wrong: list[str] = field(default_factory=list)


class Worker:
    """One of the two processes, started anew whenever it is killed."""

    def __init__(self, context: Any, root: Path, seed: int, faults: Any) -> None:
        self.doing = context.Value("i", 0)
        self.process = context.Process(target=work, args=(root, seed, self.doing, faults), daemon=True)
        self.process.start()

    def kill(self) -> str:
        """Kill it; give what it was doing."""
        self.process.kill()
        self.process.join()
        return ACTIONS[self.doing.value]


def killed(root: Path, kills: int, seed: int, longest_seconds: float) -> Tally:
    """Kill one of two processes at a random moment, check the store, start it anew: so many times."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    chosen, store, tally, faults = random.Random(seed), Store(root, PROBLEM), Tally(), context.SimpleQueue()  # noqa: S311
    workers = [Worker(context, root, seed + number, faults) for number in (1, 2)]
    while not store.numbers("decisions") and faults.empty():  # until the first of them has something to lose
        time.sleep(0.05)
    for number in range(kills):
        time.sleep(chosen.uniform(0, longest_seconds))
        victim = chosen.randrange(2)
        other = workers[1 - victim].process
        tally.doing[workers[victim].kill()] += 1
        tally.holding += _holds(store, workers[victim].process.pid)
        stop(other.pid)
        tally.wrong += _found(violations, store, f"after kill {number + 1}")
        os.kill(other.pid, signal.SIGCONT)
        workers[victim] = Worker(context, root, seed + 3 + number, faults)
        tally.kills += 1
        if number % 20 == 19:
            progress(f"{number + 1} kills, {len(store.numbers('decisions'))} decisions, {len(tally.wrong)} violations")
    for worker in workers:
        worker.kill()
    while not faults.empty():
        tally.wrong.append(faults.get())
    tally.wrong += _found(_last_run, store, "at the end")
    return tally


def stop(process: int) -> None:
    """Stop a process, and wait until each of its threads stands: one in a system call ends it first."""
    os.kill(process, signal.SIGSTOP)
    while not all(_stands(thread) for thread in Path(f"/proc/{process}/task").iterdir()):
        time.sleep(0.001)


def _stands(thread: Path) -> bool:
    try:
        return (thread / "stat").read_text().rpartition(")")[2].split()[0] in "TZX"
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return True


def _found(check: Callable[[Store], list[str]], store: Store, when: str) -> list[str]:
    try:
        return [f"{when}: {each}" for each in check(store)]
    except Exception:
        return [f"{when}: {traceback.format_exc()}"]


def _holds(store: Store, process: int | None) -> bool:
    """Tell whether a process that was killed held the lock: then it was in the middle of a change."""
    newest = max(store.numbers("leases"), default=0)
    path = store.folder / numbered("leases", newest)
    if not newest or path.with_name(f"{path.stem}.released.json").exists():
        return False
    return unsealed(path, path.read_bytes(), Lease).process == process


def _last_run(store: Store) -> list[str]:
    """Check that what is left can go on, with nothing to wait for: deploy, roll back and collect once more."""
    chosen, registry = random.Random(0), Registry(store)  # noqa: S311
    with Leases(store, timeout_seconds=0).held("look"):  # or a process that is dead would hold the lock
        pass
    for action in (deploy, roll_back, remove):
        action(store, chosen)
    registry.project()
    shown = max(int(path.name) for path in (store.root / "serving" / PROBLEM).glob("*"))
    champion = registry.champion()
    found = [] if champion and shown == champion.number else [f"version {shown} is served, {champion} is champion"]
    return [*found, *violations(store)]


def rollback_seconds(store: Store) -> float:
    """Give the time that `salamander rollback` takes, as a command and with all its imports: the median of five."""
    taken: list[float] = []
    for _ in range(5):
        deploy(store, random.Random(len(taken)))  # noqa: S311
        command = [sys.executable, "-c", "from flows.cli import main; main()", "rollback", PROBLEM]
        begun = time.perf_counter()
        run([*command, "--store", str(store.root)], os.environ | {"PYTHONPATH": str(ROOT)})
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def report(store: Store, tally: Tally, seconds: float) -> dict[str, Any]:
    """Give what the killing came to."""
    history = Registry(store).history()
    return {
        "rollback_seconds": round(rollback_seconds(store), 2),
        "kills": tally.kills,
        "violations": len(tally.wrong),
        "wrong": tally.wrong[:5],
        "kills_holding_the_lock": tally.holding,
        "kills_by_action": dict(tally.doing),
        "versions": len(store.numbers("versions")),
        "decisions": dict(Counter(decision.kind for decision in history)),
        "seconds": round(seconds, 1),
    }


def main() -> int:
    """Kill, check and report; the exit code says whether anything was found wrong."""
    parser = arguments_parser(__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--longest-seconds", type=float, default=1.5, help="the longest time between two kills")
    parser.add_argument("--store", type=Path, help="keep the store in this folder, to look at it")
    asked = parser.parse_args()
    with scratch() as folder:
        root, begun = asked.store or folder, time.perf_counter()
        shutil.rmtree(root / PROBLEM, ignore_errors=True)
        tally = killed(root, asked.kills, asked.seed, asked.longest_seconds)
        found = report(Store(root, PROBLEM), tally, time.perf_counter() - begun)
    rows = [
        ("violations found", str(found["violations"]), "0", mark(not found["violations"])),
        (
            "rollback as a command, seconds",
            f"{found['rollback_seconds']:.2f}",
            "2",
            mark(found["rollback_seconds"] < 2),
        ),
        ("kills in the middle of a change", str(found["kills_holding_the_lock"]), "reported", ""),
        *((f"kills while it would {name}", str(count), "reported", "") for name, count in tally.doing.items()),
        *((f"decisions: {kind}", str(count), "reported", "") for kind, count in found["decisions"].items()),
    ]
    show(f"{found['kills']} kills of two processes on one store", ("", "measured", "asked", ""), rows)
    for wrong in found["wrong"]:
        progress(wrong)
    if asked.json:
        print(json.dumps(found))
    return int(bool(found["violations"]))


if __name__ == "__main__":
    sys.exit(main())
