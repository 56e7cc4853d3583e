"""Scoring: predictions for millions of rows, batch by batch, beside the same model asked for all of them in memory.

Claimed: the peak memory of `salamander predict` does not grow with the rows: at ten times as many it is at most 1.25
times as much; it is lower than that of asking the model for all rows at once; and it takes at most four times as long,
with all that the model alone does not do: every row is checked against the suite of expectations, and what was read
and predicted is kept under its digest.

Measured: wall seconds and peak memory of the whole command, and of a process that reads the same Parquet files with
pandas, asks the same deployed model and writes Parquet, its imports included; on generated rows in the shape of
housing, a thousandth of which break an expectation. Both predict the same for all others, to the last bit.

Source: ours; the suite is that of data/housing, the rows are those of benchmarks/scale.py.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from measuring import (
    ROOT,
    Environment,
    arguments_parser,
    declare,
    mark,
    own_server,
    progress,
    promoted,
    scratch,
    show,
    train,
)
from scale import blocks

ROWS, TRAINED_ON, ROWS_A_FILE, BAD = 10_000_000, 20_000, 2**20, 1_000
HIGHEST_GROWTH, HIGHEST_RATIO = 1.25, 4.0
PROBLEM = {
    "task": "regression",
    "target": "median_house_value",
    "identity": ["number"],
    "source": {"kind": "files", "path": "districts.parquet"},
    "columns": {"drop": ["number"]},
    "derived": {"rooms_per_household": "total_rooms / households"},
    "candidates": [{"name": "boosting", "estimator": "HistGradientBoostingRegressor"}],
}


def write(folder: Path, rows: int, *, bad: bool) -> None:
    """Write generated rows as Parquet files of a million rows; if ``bad``, one of a thousand has no possible age."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True)
    start, waiting = 0, 0
    writer: Any = None
    for batch in blocks(rows):
        number = np.arange(start, start + batch.num_rows)
        table = pa.Table.from_batches([batch]).append_column("number", pa.array(number))
        if bad:
            age = np.where(number % BAD, batch["housing_median_age"].to_numpy(), 99.0)
            table = table.set_column(2, "housing_median_age", pa.array(age))
        if writer is None:
            writer = pq.ParquetWriter(folder / f"part-{start:012}.parquet", table.schema)
        writer.write_table(table)
        start, waiting = start + batch.num_rows, waiting + batch.num_rows
        if waiting >= ROWS_A_FILE or start == rows:
            writer.close()
            writer, waiting = None, 0


def deployed(environment: Environment, project: Path) -> None:
    """Train and deploy the model that is asked."""
    declare(project, "districts", PROBLEM, "housing")
    write(project / "training", TRAINED_ON, bad=False)
    next((project / "training").iterdir()).rename(project / "districts.parquet")
    promoted(train(environment, "districts", project, project / "store")[0])


def in_memory(project: Path, source: Path, out: Path) -> None:
    """Ask the deployed model for all rows at once, as a notebook would."""
    import pandas as pd

    from tasks.reference import load_version
    from tasks.registry import Registry
    from tasks.store import Store

    store = Store(project / "store", "districts")
    rows = pd.read_parquet(source)
    values = load_version(Registry(store).version(1), store).predict(rows).values
    pd.DataFrame({"number": rows["number"], "prediction": values}).to_parquet(out)


def timed(command: list[str], environment: Environment, folder: Path) -> dict[str, float]:
    """Give the wall seconds and the peak memory of a command, of its own process alone.

    Raises
    ------
    SystemExit
        It failed; shows the end of what it said.
    """
    said = folder / "said.txt"
    with said.open("w") as stream:
        begun = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=stream, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{said.read_text()[-2000:]}\nThis command failed: {' '.join(command)}")
    return {"seconds": round(seconds, 2), "gigabytes": round(usage.ru_maxrss * 1024 / 1e9, 3)}


def measure(rows: int) -> dict[str, dict[str, float]]:
    """Give seconds and peak memory of the command for a tenth of the rows and for all, and of asking in memory."""
    found: dict[str, dict[str, float]] = {}
    with own_server() as environment, scratch() as project:
        environment["PYTHONPATH"] = str(ROOT)
        deployed(environment, project)
        place = ["--project", str(project), "--store", str(project / "store")]
        command = str(Path(sys.executable).with_name("salamander"))
        for name, count in (("a tenth", rows // 10), ("all", rows)):
            source, out = project / name, project / f"{name}.parquet"
            write(source, count, bad=True)
            asked = [command, "predict", "districts", str(source), "--out", str(out), *place]
            found[name] = timed(asked, environment, project)
            found[name] |= {"rows": count, "rows_a_second": round(count / found[name]["seconds"])}
            progress(f"{count:,} rows: {found[name]}")
        bare = [sys.executable, __file__, "--in-memory", str(project / "all"), "--project", str(project)]
        found["in memory"] = timed(bare, environment, project)
        found["in memory"] |= {"rows": rows, "rows_a_second": round(rows / found["in memory"]["seconds"])}
        progress(f"in memory: {found['in memory']}")
        found["different"] = {"rows": different(project / "all.parquet", project / "memory.parquet", rows)}
    return found


def different(ours: Path, theirs: Path, rows: int) -> int:
    """Give how many rows have another prediction, or one where they should have none."""
    import numpy as np
    import pandas as pd

    found, expected = (pd.read_parquet(path, columns=["number", "prediction"]) for path in (ours, theirs))
    expected.loc[expected["number"] % BAD == 0, "prediction"] = np.nan
    same = np.isclose(found["prediction"], expected["prediction"], rtol=0, atol=0, equal_nan=True)
    return int((~(same & (found["number"] == expected["number"]))).sum()) + abs(rows - len(found))


def targets(found: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    """Give every claim with what was measured."""
    growth = found["all"]["gigabytes"] / found["a tenth"]["gigabytes"]
    beside = found["all"]["gigabytes"] / found["in memory"]["gigabytes"]
    slower = found["all"]["seconds"] / found["in memory"]["seconds"]
    claims = [
        ("peak memory, to that of a tenth of the rows", growth, f"at most {HIGHEST_GROWTH}", growth <= HIGHEST_GROWTH),
        ("peak memory, to that of asking in memory", beside, "below 1", beside < 1),
        ("time, to that of asking in memory", slower, f"at most {HIGHEST_RATIO:g}", slower <= HIGHEST_RATIO),
        ("rows with another prediction", found["different"]["rows"], "0", not found["different"]["rows"]),
    ]
    return [{"claim": claim, "value": round(value, 3), "target": of, "met": met} for claim, value, of, met in claims]


def main() -> None:
    """Measure, then print tables or JSON."""
    parser = arguments_parser(__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help=f"how many (default: {ROWS:,})")
    parser.add_argument("--in-memory", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--project", type=Path, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.in_memory:
        in_memory(wanted.project, wanted.in_memory, wanted.project / "memory.parquet")
        return
    found = measure(wanted.rows)
    if wanted.json:
        print(json.dumps({"measured": found, "claims": targets(found)}))
        return
    names = {"a tenth": "salamander predict", "all": "salamander predict", "in memory": "the model, in memory"}
    rows = [
        (
            f"{name}, {each['rows']:,} rows",
            f"{each['seconds']:.1f} s",
            f"{each['rows_a_second']:,}",
            f"{each['gigabytes']:.2f} GB",
        )
        for name, each in ((names[key], found[key]) for key in names)
    ]
    show("Whole commands", ("", "wall", "rows a second", "peak memory"), rows)
    claims = [(each["claim"], f"{each['value']:g}", each["target"], mark(each["met"])) for each in targets(found)]
    show(f"At {wanted.rows:,} rows", ("", "measured", "target", ""), claims)


if __name__ == "__main__":
    main()
