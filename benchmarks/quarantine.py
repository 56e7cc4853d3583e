"""Quarantine: what it costs, beyond the run of Great Expectations itself, to tell every bad row of a table and move it.

Claimed: of a million rows with planted bad ones exactly these go to quarantine, in at most 1 s beyond the run of Great
Expectations (whose own ``COMPLETE`` result, which tells all bad rows, took 15.8 s and 1 GB on such a table).

Measured: the step `validate` as the flow runs it, on a generated table in the shape of `housing` with missing values,
outliers, unknown places and rows with more bedrooms than rooms, in wall seconds; and in the same process, on the same
table, what the step took before there was a quarantine: reading the table and one run of Great Expectations with
``SUMMARY`` results and Data Docs. Each is run several times after one run to warm up; the medians are compared. The
seconds of the processor are given beside those of the clock, for a machine that others use as well.

Source: generated with a fixed seed; no network is needed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measuring import arguments_parser, mark, progress, scratch, show

MOST_SECONDS = 1.0
PLACES = ["<1H OCEAN", "INLAND", "ISLAND", "NEAR BAY", "NEAR OCEAN"]
SUITE = """
import great_expectations.expectations as gxe

NUMBERS = ["longitude", "latitude", "age", "rooms", "bedrooms", "population", "households", "income", "value"]
EXPECTATIONS = [
    gxe.ExpectTableRowCountToBeBetween(min_value=1000, severity="critical", notes="A download was not cut short."),
    gxe.ExpectColumnMeanToBeBetween(column="income", min_value=3, max_value=5, severity="critical", notes="As ever."),
    *(gxe.ExpectColumnValuesToNotBeNull(column=name, severity="critical", notes="Counted.") for name in NUMBERS),
    *(
        gxe.ExpectColumnValuesToBeBetween(
            column=name, min_value=-200, max_value=600_000, severity="critical", notes="Known."
        )
        for name in NUMBERS
    ),
    gxe.ExpectColumnValuesToBeInSet(
        column="place",
        value_set=["<1H OCEAN", "INLAND", "ISLAND", "NEAR BAY", "NEAR OCEAN"],
        severity="critical",
        notes="Five.",
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="rooms",
        column_B="bedrooms",
        or_equal=True,
        ignore_row_if="either_value_is_missing",
        severity="critical",
        notes="A bedroom is a room.",
    ),
]
"""


def planted(rows: int, share: float) -> tuple[Any, Any]:
    """Give a frame of that many rows, and the positions of the bad ones among them: that share, rising."""
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(42)
    limits = {"longitude": (-124, -114), "latitude": (32, 42), "age": (1, 52), "rooms": (500, 9000)}
    limits |= {"bedrooms": (1, 500), "population": (3, 9000), "households": (1, 3000), "income": (0.5, 7.5)}
    frame = pd.DataFrame({name: random.uniform(*between, rows) for name, between in limits.items()})
    frame["value"] = random.uniform(15_000, 500_001, rows)
    frame["place"] = random.choice(PLACES, rows)
    bad = random.choice(rows, int(share * rows), replace=False)
    missing, outliers, unknown, pairs = np.array_split(bad, 4)
    frame.loc[missing, "population"] = np.nan
    frame.loc[outliers, "income"] = 87_000_000.0
    frame.loc[unknown, "place"] = "MOON"
    frame.loc[pairs, "bedrooms"] = 9_500.0
    return frame, np.sort(bad)


def seconds(work: Callable[[], Any], rounds: int) -> tuple[float, float, Any]:
    """Give the medians of the seconds of clock and processor that work takes, done once before, and what it gives."""
    given = work()
    clock: list[float] = []
    processor: list[float] = []
    for _ in range(rounds):
        begun, busy = time.perf_counter(), time.process_time()
        given = work()
        clock.append(time.perf_counter() - begun)
        processor.append(time.process_time() - busy)
    return statistics.median(clock), statistics.median(processor), given


def measure(rows: int, share: float, rounds: int) -> dict[str, Any]:
    """Give the seconds of the step, of the run of Great Expectations alone, and whether the planted rows were told."""
    import pyarrow as pa
    from prefect.logging import disable_run_logger

    from tasks.checks import check
    from tasks.problem import Quarantine
    from tasks.quarantine import POSITION
    from tasks.records import Snapshot
    from tasks.store import Store
    from tasks.suites import find_suite, load_expectations
    from tasks.validate import validate

    with scratch() as folder, disable_run_logger():
        (folder / "expectations").mkdir()
        (folder / "expectations" / "rows.py").write_text(SUITE, encoding="utf-8")
        store, suite = Store(folder / "store", "rows"), find_suite("rows", Path(folder))
        progress(f"Generating {rows:,} rows ...")
        frame, bad = planted(rows, share)
        table = store.keep_table(pa.Table.from_pandas(frame, preserve_index=False), "raw")
        snapshot, rule = Snapshot(data=table, origin="generated"), Quarantine(budget=0.5)
        as_warnings = [each.copy(update={"severity": "warning"}) for each in load_expectations(suite)]
        progress("Great Expectations alone ...")
        alone, alone_busy, _ = seconds(
            lambda: check(store.table(table).to_pandas(), as_warnings, "rows", folder / "docs"), rounds
        )
        progress("With the quarantine ...")
        whole, whole_busy, record = seconds(
            lambda: validate.fn(snapshot, suite, rule, (), "value", None, (), store), rounds
        )
        told = store.table(record.quarantine)[POSITION].to_pylist() if record.quarantine else []
    return {
        "rows": rows,
        "bad_rows": len(bad),
        "exact": told == bad.tolist(),
        "great_expectations_seconds": round(alone, 2),
        "validate_seconds": round(whole, 2),
        "beyond_seconds": round(whole - alone, 2),
        "beyond_processor_seconds": round(whole_busy - alone_busy, 2),
    }


def print_table(found: dict[str, Any]) -> None:
    """Print the figures beside their targets."""
    beyond = found["beyond_seconds"]
    rows = [
        ("planted rows told exactly", f"{found['bad_rows']:,}", "all, no other", mark(found["exact"])),
        ("Great Expectations alone", f"{found['great_expectations_seconds']:.2f} s", "", ""),
        ("validate, with quarantine", f"{found['validate_seconds']:.2f} s", "", ""),
        ("beyond Great Expectations", f"{beyond:.2f} s", f"at most {MOST_SECONDS} s", mark(beyond <= MOST_SECONDS)),
        ("the same, of the processor", f"{found['beyond_processor_seconds']:.2f} s", "", ""),
    ]
    show(f"quarantine, {found['rows']:,} rows", ("", "measured", "target", ""), rows)


def _arguments() -> argparse.Namespace:
    parser = arguments_parser(__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the table (default: 1,000,000)")
    parser.add_argument("--share", type=float, default=0.005, help="share of bad rows (default: 0.005)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each (default: 3)")
    return parser.parse_args()


def main() -> None:
    """Measure, then print a table or JSON."""
    wanted = _arguments()
    found = measure(wanted.rows, wanted.share, wanted.rounds)
    print(json.dumps(found)) if wanted.json else print_table(found)


if __name__ == "__main__":
    main()
