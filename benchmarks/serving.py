"""Serving: requests a second, p50, p99 and memory beside MLServer, beside a bare route, and beside `predict` alone.

Claimed: on one connection the p50 of a single row is at most 2 ms above that of `predict` itself; at 16 connections
Salamander answers at least 1.2 times as many single rows a second as MLServer, with at most 0.7 times its p99.

Measured: a boosting model of housing and a support vector machine of digits, each in one process that answers HTTP:
`salamander serve --workers 1` with everything on (checks, batches, metrics, the log of predictions); MLServer from PyPI
in an environment of its own, with its adaptive batching on, which loads the same files through the same library; a
FastAPI route that only calls `predict`. Requests of 1 and 100 rows, on 1 to 32 connections that ask again as soon as
they are answered, from a client in a process of its own on the same machine. The contenders take turns, a round each;
medians of the rounds. `predict` alone is timed in this process between the rounds. Memory is the resident set of all of
a server's processes.

Source: MLServer, https://github.com/SeldonIO/MLServer; ours. Data: data/housing, data/digits.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from load import Load, load
from measuring import (
    ROOT,
    arguments_parser,
    declare,
    declared,
    free_port,
    mark,
    own_server,
    progress,
    promoted,
    run,
    scratch,
    show,
    train,
)
from production import champion, predictor
from servers import Server, serving, started

MLSERVER = ["mlserver==1.7.1", "scikit-learn", "pandas", "pyarrow", "skops", "cronsim", "setuptools<81"]
CANDIDATES = {
    "housing": {"name": "boosting", "estimator": "HistGradientBoostingRegressor", "parameters": {"max_iter": 200}},
    "digits": {"name": "svm", "estimator": "SVC", "scale": "none", "parameters": {"C": 10.0}},
}
MOST_ABOVE_PREDICT, LEAST_THROUGHPUT, MOST_P99 = 2.0, 1.2, 0.7


@dataclass(frozen=True)
class Contender:
    """A server that is up, where it is asked, and the bodies by number of rows."""

    server: Server
    url: str
    bodies: dict[int, Path]


def rows_of(problem: str, store: Path, most: int) -> list[dict[str, Any]]:
    """Give test rows as the model reads them, those without missing values."""
    from tasks.columns import source_columns

    version, place = champion(store, problem)
    return (
        place.table(version.test, source_columns(version.model.columns)).to_pandas().dropna()[:most].to_dict("records")
    )


def bodies(folder: Path, name: str, made: dict[int, Any]) -> dict[int, Path]:
    """Write the body of a request for each number of rows."""
    found = {count: folder / f"{name}-{count}.json" for count in made}
    for count, path in found.items():
        path.write_text(json.dumps(made[count]), encoding="utf-8")
    return found


def as_tensors(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Give rows as MLServer takes them (Open Inference Protocol): a tensor for each column."""
    kinds = {str: "BYTES", int: "INT64", float: "FP64"}
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    inputs = [
        {"name": name, "shape": [len(rows), 1], "datatype": kinds[type(values[0])], "data": values}
        for name, values in columns.items()
    ]
    for each in inputs:
        if each["datatype"] == "BYTES":
            each["parameters"] = {"content_type": "str"}
    return {"parameters": {"content_type": "pd"}, "inputs": inputs}


@contextmanager
def salamander(problem: str, store: Path, project: Path, folder: Path, rows: dict[int, Any]) -> Generator[Contender]:
    """Start `salamander serve`."""
    with serving(project, store, folder / "salamander.log", problem) as server:
        asked = {count: {"instances": some} for count, some in rows.items()}
        url = f"{server.address}/v1/models/{problem}:predict"
        yield Contender(server, url, bodies(folder, "salamander", asked))


@contextmanager
def mlserver(problem: str, store: Path, folder: Path, rows: dict[int, Any], python: Path) -> Generator[Contender]:
    """Start MLServer with adaptive batching."""
    ports = {name: free_port() for name in ("http_port", "grpc_port", "metrics_port")}
    models = folder / "mlserver" / problem
    models.mkdir(parents=True)
    settings = {"host": "127.0.0.1", "debug": False, "parallel_workers": 0, **ports}
    (folder / "mlserver" / "settings.json").write_text(json.dumps(settings))
    model = {
        "name": problem,
        "implementation": "mlserver_runtime.Runtime",
        "max_batch_size": 32,
        "max_batch_time": 0.01,
    }
    (models / "model-settings.json").write_text(json.dumps(model))
    path = os.pathsep.join([str(ROOT), str(ROOT / "benchmarks")])
    environment = {**os.environ, "PYTHONPATH": path, "SALAMANDER_STORE": str(store), "OMP_NUM_THREADS": "1"}
    command = [str(python.with_name("mlserver")), "start", str(folder / "mlserver")]
    address, path = f"http://127.0.0.1:{ports['http_port']}", f"/v2/models/{problem}"
    with started(command, address, f"{path}/ready", folder / "mlserver.log", environment) as server:
        asked = {count: as_tensors(some) for count, some in rows.items()}
        yield Contender(server, f"{address}{path}/infer", bodies(folder, "mlserver", asked))


@contextmanager
def bare(problem: str, store: Path, folder: Path, rows: dict[int, Any]) -> Generator[Contender]:
    """Start a FastAPI route that only calls `predict`."""
    port = free_port()
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "benchmarks"),
        "SALAMANDER_STORE": str(store),
        "SALAMANDER_PROBLEM": problem,
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "uvicorn", "bare_serving:app", "--port", str(port), "--no-access-log"]
    address = f"http://127.0.0.1:{port}"
    with started(command, address, "/docs", folder / "bare.log", environment) as server:
        asked = {count: {"instances": some} for count, some in rows.items()}
        yield Contender(server, f"{address}/predict", bodies(folder, "bare", asked))


def predict_alone(problem: str, store: Path, rows: list[dict[str, Any]], seconds: float) -> float:
    """Give the median milliseconds of `predict` for a frame of these rows, on one thread."""
    import pandas as pd
    from threadpoolctl import threadpool_limits

    model, frame, taken = predictor(store, problem), pd.DataFrame(rows), []
    with threadpool_limits(1):
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            begun = time.perf_counter()
            model.predict(frame)
            taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1e3


def environment_of_mlserver(folder: Path) -> Path:
    """Give the Python of a new environment that has MLServer."""
    progress("Installing MLServer in an environment of its own")
    run([sys.executable, "-m", "venv", str(folder)], dict(os.environ))
    python = folder / "bin" / "python"
    run(
        [str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--python", str(python), *MLSERVER],
        dict(os.environ),
    )
    return python


Cell = tuple[str, int, int]


def measured(
    problem: str, project: Path, store: Path, folder: Path, python: Path, asked: Any
) -> tuple[dict[Cell, list[Load]], dict[str, float], dict[int, float]]:
    """Give what clients saw of each contender by rows and connections, its megabytes, and `predict` alone by rows."""
    rows = rows_of(problem, store, 100)
    cells = {1: rows[:1], 100: [rows[place % len(rows)] for place in range(100)]}
    found: dict[Cell, list[Load]] = {}
    alone: dict[int, list[float]] = {count: [] for count in cells}
    with ExitStack() as up:
        contenders = {
            "salamander": up.enter_context(salamander(problem, store, project, folder, cells)),
            "mlserver": up.enter_context(mlserver(problem, store, folder, cells, python)),
            "bare": up.enter_context(bare(problem, store, folder, cells)),
        }
        for turn in range(asked.rounds):
            for count, some in cells.items():
                alone[count].append(predict_alone(problem, store, some, asked.seconds))
                for connections in asked.connections:
                    for name, each in contenders.items():
                        seen = load(each.url, each.bodies[count], connections, asked.seconds)
                        found.setdefault((name, count, connections), []).append(seen)
                        progress(f"{problem}, round {turn + 1}: {name}, {count} rows, {connections}: {seen}")
        memory = {name: each.server.megabytes() for name, each in contenders.items()}
    return found, memory, {count: statistics.median(times) for count, times in alone.items()}


def middle(loads: list[Load]) -> Load:
    """Give the medians of the rounds, and all that failed."""
    figures = {
        name: statistics.median(getattr(each, name) for each in loads) for name in ("requests_per_second", "p50", "p99")
    }
    return Load(**figures, failed=sum(each.failed for each in loads))


def report(
    problem: str, found: dict[Cell, list[Load]], memory: dict[str, float], alone: dict[int, float]
) -> dict[str, Any]:
    """Print what was measured of a problem, and give it with the claims."""
    cells = {cell: middle(loads) for cell, loads in found.items()}
    rows = [
        [
            name,
            str(count),
            str(connections),
            f"{each.requests_per_second:,.0f}",
            f"{each.p50:.1f}",
            f"{each.p99:.1f}",
            str(each.failed),
        ]
        for (name, count, connections), each in sorted(cells.items(), key=lambda item: item[0][1:])
    ]
    show(
        f"{problem} (predict alone: 1 row {alone[1]:.2f} ms, 100 rows {alone[100]:.2f} ms)",
        ["", "rows", "connections", "requests/s", "p50 ms", "p99 ms", "failed"],
        rows,
    )
    claims: dict[str, tuple[float, bool]] = {}
    if ("salamander", 1, 1) in cells:
        above = cells["salamander", 1, 1].p50 - alone[1]
        claims[f"p50 of a row above predict, at most {MOST_ABOVE_PREDICT:g} ms"] = (above, above <= MOST_ABOVE_PREDICT)
    if ("salamander", 1, 16) in cells:
        ours, theirs = cells["salamander", 1, 16], cells["mlserver", 1, 16]
        faster, tail = ours.requests_per_second / theirs.requests_per_second, ours.p99 / theirs.p99
        claims[f"requests/s over MLServer's at 16 connections, at least {LEAST_THROUGHPUT:g}"] = (
            faster,
            faster >= LEAST_THROUGHPUT,
        )
        claims[f"p99 over MLServer's at 16 connections, at most {MOST_P99:g}"] = (tail, tail <= MOST_P99)
    show(
        f"{problem}: claims",
        ["", "measured", ""],
        [[text, f"{value:.2f}", mark(met)] for text, (value, met) in claims.items()],
    )
    show(f"{problem}: resident megabytes", ["", "MB"], [[name, f"{value:,.0f}"] for name, value in memory.items()])
    return {
        "cells": [
            {"who": cell[0], "rows": cell[1], "connections": cell[2], **vars(each)} for cell, each in cells.items()
        ],
        "predict_milliseconds": alone,
        "megabytes": memory,
        "claims": {text: value for text, (value, _) in claims.items()},
    }


def main() -> None:
    """Train, serve, ask, compare."""
    parser = arguments_parser(__doc__)
    parser.add_argument("--problems", nargs="+", choices=list(CANDIDATES), default=list(CANDIDATES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 4, 16, 32])
    parser.add_argument("--mlserver", type=Path, help="the Python of an environment that has MLServer already")
    asked = parser.parse_args()
    found: dict[str, Any] = {}
    with scratch() as folder, own_server() as environment:
        python = asked.mlserver or environment_of_mlserver(folder / "mlserver-environment")
        for problem in asked.problems:
            one = {"candidates": [CANDIDATES[problem]], "features": [], "ensembles": [], "gate": {}}
            declare(folder / "project", problem, declared(problem) | one, suite=problem)
            progress(f"Training {problem}")
            promoted(train(environment, problem, folder / "project", folder / "store")[0])
            place = folder / problem
            place.mkdir()
            figures = measured(problem, folder / "project", folder / "store", place, python, asked)
            found[problem] = report(problem, *figures)
    if asked.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
