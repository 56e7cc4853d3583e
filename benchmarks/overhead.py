"""Overhead: what orchestration, validation, records and judging cost beside the same work in a bare script.

Claimed: `salamander train` takes at most 1.15 times as long as a good script without any of it.

Measured: wall seconds of the whole command (imports included) on housing, on a Prefect server that is up, with a fresh
store each time so that nothing is kept from before; divided by the wall seconds of `bare_housing.py`, which does the
same pandas and scikit-learn work: the same rows, derived columns, pipelines, 5 folds of the same two candidates (a
forest of 400 trees, a gradient boosting of 2,000 iterations without early stopping), the last fit, the bootstrap, the
saved model. The two take turns, one pair a round; the claim is about the median of the ratios. Both must end with the
same test RMSE, else the comparison is void. Both read the archive from disk: the network's mood is not measured.

Source: ours; the data is that of data/housing/problem.toml.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from bare_housing import BINS, CANDIDATES, DERIVED, FOLDS, SEED
from measuring import (
    Environment,
    arguments_parser,
    declare,
    declared,
    mark,
    own_server,
    progress,
    promoted,
    run,
    scratch,
    show,
    train,
)

HIGHEST_RATIO = 1.15
SAME = 1e-3


def declare_problem(project: Path) -> None:
    """Write the problem whose work is that of `bare_housing.py`."""
    candidates = [
        {"name": f"candidate-{place}", "estimator": estimator, "parameters": parameters}
        for place, (estimator, parameters) in enumerate(CANDIDATES.items(), start=1)
    ]
    same = {
        "derived": DERIVED,
        "features": [],
        "ensembles": [],
        "split": {"kind": "shuffle", "test_size": 0.2, "seed": SEED, "stratify": "median_income", "bins": BINS},
        "cross_validation": {"folds": FOLDS},
        "candidates": candidates,
        "seed": SEED,
    }
    declare(project, "housing", declared("housing") | same, suite="housing")


def archive_of_housing(folder: Path) -> Path:
    """Give the published archive: the mirror's, else downloaded into a folder that serves as a mirror from then on."""
    from tasks.reading.downloads import MIRROR, download, mirrored

    url = declared("housing")["source"]["url"]
    mirror = Path(os.environ.setdefault(MIRROR, str(folder)))
    found = mirrored(url, mirror)
    if found is None:
        found = folder / url.rpartition("/")[2]
        download(url, found, largest_bytes=2**30)
        os.environ[MIRROR] = str(folder)
    return found


def warm_up(environment: Environment, folder: Path) -> None:
    """Start the server, and let the disk's cache hold the libraries of both: one run that trains next to nothing."""
    one = {"candidates": [{"name": "linear", "estimator": "LinearRegression"}], "ensembles": [], "gate": {}}
    declare(folder / "warm", "housing", declared("housing") | one, suite="housing")
    train(environment, "housing", folder / "warm", folder / "warm-store")


def run_flow(environment: Environment, folder: Path, number: int) -> tuple[float, float]:
    """Give the test RMSE and the seconds of `salamander train` in a fresh store."""
    record, seconds = train(environment, "housing", folder / "project", folder / f"store-{number}")
    return promoted(record)["test"]["value"], seconds


def run_bare(environment: Environment, archive: Path, target: Path) -> tuple[float, float]:
    """Give the test RMSE and the seconds of the bare script."""
    script = Path(__file__).with_name("bare_housing.py")
    begun = time.perf_counter()
    found = json.loads(run([sys.executable, str(script), str(archive), str(target)], environment))
    return found["test_rmse"], time.perf_counter() - begun


def measure(rounds: int) -> dict[str, Any]:
    """Give the seconds of both in every round, and the median of the ratios."""
    flow_seconds, bare_seconds = [], []
    with scratch() as folder:
        archive = archive_of_housing(folder)
        declare_problem(folder / "project")
        with own_server() as environment:
            warm_up(environment, folder)
            for number in range(1, rounds + 1):
                flow_rmse, flow = run_flow(environment, folder, number)
                bare_rmse, bare = run_bare(environment, archive, folder / "model.joblib")
                if abs(flow_rmse / bare_rmse - 1) > SAME:
                    raise SystemExit(f"Not the same work: test RMSE {flow_rmse:,.1f} and {bare_rmse:,.1f}.")
                progress(f"round {number}: flow {flow:.1f} s, bare {bare:.1f} s, ratio {flow / bare:.3f}")
                flow_seconds.append(round(flow, 2))
                bare_seconds.append(round(bare, 2))
    ratios = [round(flow / bare, 4) for flow, bare in zip(flow_seconds, bare_seconds, strict=True)]
    found = {"ratio": statistics.median(ratios), "ratios": ratios}
    return found | {"flow_seconds": flow_seconds, "bare_seconds": bare_seconds, "test_rmse": flow_rmse}


def print_table(found: dict[str, Any]) -> None:
    """Print every round and the median beside its target."""
    rounds = zip(found["flow_seconds"], found["bare_seconds"], found["ratios"], strict=True)
    rows = [
        (f"round {number}", f"{flow:.1f} s", f"{bare:.1f} s", f"{ratio:.3f}", "", "")
        for number, (flow, bare, ratio) in enumerate(rounds, start=1)
    ]
    medians = (statistics.median(found["flow_seconds"]), statistics.median(found["bare_seconds"]))
    met = mark(found["ratio"] <= HIGHEST_RATIO)
    median = (f"{medians[0]:.1f} s", f"{medians[1]:.1f} s", f"{found['ratio']:.3f}")
    rows.append(("median", *median, f"at most {HIGHEST_RATIO}", met))
    title = f"The same work on housing (both end with a test RMSE of {found['test_rmse']:,.0f})"
    show(title, ("", "salamander train", "bare script", "ratio", "target", ""), rows)


def main() -> None:
    """Measure, then print a table or JSON."""
    parser = arguments_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="pairs of runs (default: 5)")
    wanted = parser.parse_args()
    found = measure(wanted.rounds)
    print(json.dumps(found)) if wanted.json else print_table(found)


if __name__ == "__main__":
    main()
