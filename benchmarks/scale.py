"""Scale: whether time and memory stay in proportion when a table grows from thousands of rows to millions.

Claimed: a row of twenty million takes at most 1.3 times as long as one of two million; the fetch is at least a third as
fast as PyArrow's bare conversion from CSV to Parquet; no step but the validation, which is Great Expectations' own,
needs more than 6 GB at twenty million rows.

Measured: wall and processor seconds, and the peak memory of fetch, validate, split and featurize on a generated table
in the shape of housing (nine numbers, one text), each step in a process of its own without its imports; and of PyArrow
converting the same file in the same run. Two and twenty million rows are compared only where both are asked for.

Source: ours; the declaration and the suite are those of data/housing.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from measuring import ROOT, arguments_parser, mark, progress, run, scratch, show

STEPS = ("pyarrow", "fetch", "validate", "split", "featurize")
SIZES = (20_000, 2_000_000)
LARGE = 2_000_000
HIGHEST_RATIO, LOWEST_SPEED, HIGHEST_GIGABYTES = 1.3, 1 / 3, 6.0
ROWS_A_BLOCK = 2**18
PLACES = ("<1H OCEAN", "INLAND", "ISLAND", "NEAR BAY", "NEAR OCEAN")


def blocks(rows: int) -> Iterator[Any]:
    """Give batches of districts: the ranges and the digits of the census, every row of its own."""
    import numpy as np
    import pyarrow as pa

    rng = np.random.default_rng(42)
    for start in range(0, rows, ROWS_A_BLOCK):
        count = min(ROWS_A_BLOCK, rows - start)
        households = np.ceil(rng.gamma(2.0, 250.0, count)).clip(1, 6082)
        income = rng.lognormal(1.25, 0.47, count).clip(0.4999, 15.0001).round(4)
        columns = {
            "longitude": rng.uniform(-124.35, -114.31, count).round(2),
            "latitude": rng.uniform(32.54, 41.95, count).round(2),
            "housing_median_age": rng.integers(1, 53, count).astype("float64"),
            "total_rooms": (households * rng.uniform(3, 8, count)).round().clip(2, 39_320),
            "total_bedrooms": np.where(rng.random(count) < 0.01, np.nan, (households * 1.05).round()),
            "population": (households * rng.uniform(1, 5, count)).round().clip(3, 35_682),
            "households": households,
            "median_income": income,
            "median_house_value": (income * 45_000 + rng.normal(0, 50_000, count)).round().clip(14_999, 500_001),
            "ocean_proximity": np.array(PLACES)[rng.choice(5, count, p=[0.44, 0.32, 0.001, 0.11, 0.129])],
        }
        yield pa.RecordBatch.from_pydict({name: pa.array(of, from_pandas=True) for name, of in columns.items()})


def write_csv(path: Path, rows: int) -> None:
    """Write the generated table."""
    import pyarrow.csv as pc

    batches = blocks(rows)
    first = next(batches)
    with pc.CSVWriter(path, first.schema, write_options=pc.WriteOptions(quoting_style="needed")) as writer:
        writer.write(first)
        for batch in batches:
            writer.write(batch)


def convert(source: Path, target: Path) -> None:
    """Convert CSV to Parquet as PyArrow's documentation does it, with the compression that the store has."""
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    with pc.open_csv(source) as reader, pq.ParquetWriter(target, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)


def prepared(step: str, folder: Path) -> Callable[[], Any]:
    """Give what a step has to do, with all that it imports imported, and what the step before gave read."""
    if step == "pyarrow":
        import pyarrow.csv
        import pyarrow.parquet

        return lambda: convert(folder / "housing.csv", folder / "bare.parquet")
    import pandas  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    from pydantic import TypeAdapter

    from tasks.columns import feature_set
    from tasks.problem import load_problem
    from tasks.records import Snapshot, Split, Validated
    from tasks.sources import Source
    from tasks.store import Store

    problem, store = load_problem("housing", ROOT), Store(folder / "store", "housing")

    def before(kind: Any) -> Any:
        return kind.model_validate_json((folder / f"{kind.__name__}.json").read_text(encoding="utf-8"))

    if step == "fetch":
        from tasks.fetch import fetch

        os.environ["SALAMANDER_MIRROR"] = str(folder)
        size = (folder / "housing.csv").stat().st_size
        source = {"kind": "url", "url": "https://example.org/housing.csv", "largest_bytes": size + 1}
        declared = TypeAdapter(Source).validate_python(source)
        return lambda: fetch.fn(declared, store)
    if step == "validate":
        import great_expectations  # noqa: F401

        from tasks.suites import find_suite
        from tasks.validate import validate

        suite, unit = find_suite("housing", ROOT), (problem.identity, problem.target)
        return lambda: validate.fn(before(Snapshot), suite, problem.quarantine, *unit, None, (), store)
    from tasks.featurize import featurize
    from tasks.split import split

    if step == "split":
        rule, folds = problem.split, problem.cross_validation.folds
        validated = Validated(data=before(Snapshot).data, expectations=0)
        return lambda: split.fn(validated, rule, problem.identity, problem.target, folds, problem.task, store)
    columns = feature_set(problem, before(Snapshot).data.columns)
    return lambda: featurize.fn(before(Split), columns, store)


def one_step(step: str, folder: Path) -> dict[str, float]:
    """Do a step in this process; keep its record for the next, and give its seconds and this process's peak memory."""
    from prefect.logging import disable_run_logger

    work = prepared(step, folder)
    with disable_run_logger():
        processor, wall = time.process_time(), time.perf_counter()
        record = work()
        seconds, processor_seconds = time.perf_counter() - wall, time.process_time() - processor
    if record is not None:
        (folder / f"{type(record).__name__}.json").write_text(record.model_dump_json(), encoding="utf-8")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    return {"seconds": round(seconds, 3), "processor_seconds": round(processor_seconds, 3), "gigabytes": round(peak, 3)}


def measure(rows: int, steps: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Give for each step its seconds, rows a second and peak memory."""
    found: dict[str, dict[str, float]] = {}
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with scratch() as folder:
        write_csv(folder / "housing.csv", rows)
        for step in steps:
            command = [sys.executable, __file__, "--step", step, "--folder", str(folder)]
            found[step] = json.loads(run(command, environment).splitlines()[-1])
            found[step]["rows_a_second"] = round(rows / found[step]["seconds"])
            progress(f"{rows:,} rows: {step} {found[step]}")
    return found


def targets(found: dict[int, dict[str, dict[str, float]]]) -> list[dict[str, Any]]:
    """Give every claim that the sizes measured allow to check."""
    largest = max(found)
    claims: list[dict[str, Any]] = []
    for step, figures in found[largest].items():
        if step not in {"pyarrow", "validate"}:
            claims.append({"claim": f"{step}: peak memory, GB", "value": figures["gigabytes"]})
            claims[-1] |= {"target": f"at most {HIGHEST_GIGABYTES:g}", "met": figures["gigabytes"] <= HIGHEST_GIGABYTES}
        if step != "pyarrow" and largest > LARGE and LARGE in found:
            ratio = found[LARGE][step]["rows_a_second"] / figures["rows_a_second"]
            claims.append({"claim": f"{step}: time a row, to that at {LARGE:,}", "value": round(ratio, 3)})
            claims[-1] |= {"target": f"at most {HIGHEST_RATIO}", "met": ratio <= HIGHEST_RATIO}
    if {"fetch", "pyarrow"} <= set(found[largest]):
        speed = found[largest]["fetch"]["rows_a_second"] / found[largest]["pyarrow"]["rows_a_second"]
        claims.append({"claim": "fetch: speed, to PyArrow's conversion", "value": round(speed, 3)})
        claims[-1] |= {"target": f"at least {LOWEST_SPEED:.2f}", "met": speed >= LOWEST_SPEED}
    return claims


def print_tables(found: dict[int, dict[str, dict[str, float]]]) -> None:
    """Print every step of every size, then the claims for the largest."""
    rows = [
        (
            f"{step}, {size:,} rows",
            f"{figures['seconds']:.2f} s",
            f"{figures['processor_seconds']:.2f} s",
            f"{figures['rows_a_second']:,}",
            f"{figures['gigabytes']:.2f} GB",
        )
        for size, steps in found.items()
        for step, figures in steps.items()
    ]
    show("Each step in a process of its own", ("", "wall", "processor", "rows a second", "peak memory"), rows)
    claims = [(each["claim"], f"{each['value']:.3f}", each["target"], mark(each["met"])) for each in targets(found)]
    show(f"At {max(found):,} rows", ("", "measured", "target", ""), claims)


def main() -> None:
    """Measure, then print tables or JSON."""
    parser = arguments_parser(__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=SIZES, help="sizes (default: 20000 2000000)")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=STEPS, help="default: all of them")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.step:
        print(json.dumps(one_step(wanted.step, wanted.folder)))
        return
    found = {rows: measure(rows, tuple(wanted.steps)) for rows in sorted(wanted.rows)}
    print(json.dumps({"sizes": found, "claims": targets(found)})) if wanted.json else print_tables(found)


if __name__ == "__main__":
    main()
