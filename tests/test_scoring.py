"""Scoring, from the command line end to end: tomorrow's row knows today's, and rows that the suite refuses are told."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from flows.cli import run
from tasks.store import Store

DECLARED = """
task = "regression"
target = "cold"
identity = ["day"]

[source]
kind = "files"
path = "days.csv"

[history]
order = "day"
of = "cold"
lags = [1, 2]

[columns]
drop = ["day"]

[split]
kind = "time"
by = "day"
test_size = "60 days"

[cross_validation]
folds = 2

[[candidates]]
name = "same-as-yesterday"
estimator = "ColumnForecast"
parameters = { column = "cold_lag_1" }
"""

SCORING = """
[scoring]
out = "nights/%Y/out.csv"
interval = 0.8

[scoring.source]
kind = "files"
path = "FOLDER/inbox.csv"

[scoring.schedule]
cron = "0 6 * * *"
"""

EXPECTED = """
import great_expectations.expectations as gxe

print("[/b] a suite may say what it likes")
EXPECTATIONS = [
    gxe.ExpectColumnValuesToBeBetween(
        column="wind", min_value=0, max_value=99, severity="critical", notes="Of metres a second [/b]."
    ),
    gxe.ExpectColumnValuesToNotBeNull(column="cold", severity="critical", notes="It is always some degrees."),
]
SCORING = [
    gxe.ExpectTableRowCountToBeBetween(max_value=5, severity="critical", notes="Nobody knows the week after."),
]
"""


def days(first: int, number: int) -> pd.DataFrame:
    at = np.arange(first, first + number)
    return pd.DataFrame(
        {"day": pd.Timestamp("2024-01-01") + pd.to_timedelta(at, "D"), "wind": at % 7 + 0.5, "cold": at / 4}
    )


@pytest.fixture(scope="module")
def station(server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a project with a trained forecast of 300 days."""
    folder = tmp_path_factory.mktemp("station")
    (folder / "data" / "nights").mkdir(parents=True)
    (folder / "expectations").mkdir()
    (folder / "data" / "nights" / "problem.toml").write_text(DECLARED)
    (folder / "expectations" / "nights.py").write_text(EXPECTED)
    days(0, 300).to_csv(folder / "days.csv", index=False)
    assert run(["train", "nights", "--json", "--project", str(folder)]) == 0
    return folder


@pytest.fixture
def said(station: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Give a function that predicts for rows; it gives the exit code and what is on stdout."""

    def command(rows: pd.DataFrame, *more: str) -> tuple[int, str]:
        rows.to_csv(station / "rows.csv", index=False)
        out = ["--out", str(station / "out.csv"), "--project", str(station)]
        capsys.readouterr()
        return run(["predict", "nights", str(station / "rows.csv"), *out, *more]), capsys.readouterr().out

    return command


def test_the_rows_of_a_file_look_back_on_the_data_and_only_json_is_printed(
    station: Path, said: Callable[..., tuple[int, str]]
) -> None:
    tomorrow = days(300, 1).drop(columns="cold")
    again = days(299, 1).drop(columns="cold")  # without its value, which the data has
    code, out = said(pd.concat([tomorrow, again]), "--json")
    assert (code, json.loads(out)["outcome"]) == (0, "predicted")
    assert pd.read_csv(station / "out.csv")["prediction"].tolist() == [299 / 4, 298 / 4]


def test_rows_that_break_an_expectation_get_the_reason_in_place_of_a_prediction(
    station: Path, said: Callable[..., tuple[int, str]]
) -> None:
    code, out = said(days(300, 3).assign(wind=[1.0, 1e4, float("inf")]))
    assert code == 0
    assert "1 predictions of version 1" in out
    assert "2 of the 3 rows have none" in out
    assert "[/b]" in out
    found: Any = pd.read_csv(station / "out.csv")
    assert found["prediction"].notna().tolist() == [True, False, False]
    assert found["reason"].str.endswith("Of metres a second [/b].").tolist()[1:] == [True, True]
    assert pd.isna(found["reason"][0])


def test_what_is_expected_of_all_rows_to_predict_refuses_them(
    station: Path, said: Callable[..., tuple[int, str]]
) -> None:
    (station / "out.csv").unlink(missing_ok=True)
    code, out = said(days(300, 6), "--json")
    assert (code, json.loads(out)["outcome"]) == (3, "refused")
    assert "No row was predicted: 1 of 2 expectations" in json.loads(out)["sentence"]
    assert "Nobody knows the week after." in json.loads(out)["sentence"]
    assert not (station / "out.csv").exists()


def test_a_file_that_was_only_checked_is_not_said_to_be_in_quarantine(
    station: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    days(0, 200).assign(wind=[1e4, *[1.0] * 199]).to_csv(station / "other.csv", index=False)
    assert run(["validate", "nights", str(station / "other.csv"), "--project", str(station)]) == 0
    out = capsys.readouterr().out
    assert "1 more would be set aside; this was a check of a file" in out
    assert "salamander quarantine" not in out
    days(0, 200).drop(columns="wind").to_csv(station / "other.csv", index=False)
    arguments = ["validate", "nights", str(station / "other.csv"), "--project", str(station), "--json"]
    assert run(arguments) == 3
    refused = json.loads(capsys.readouterr().out)["sentence"]
    assert "'wind' is missing" in refused
    run([*arguments, "--accept-columns"])
    assert json.loads(capsys.readouterr().out)["sentence"] != refused


def test_snapshot_zero_is_not_the_newest(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "nights", "1", "--snapshot", "0", "--json", "--project", str(station)]) == 2
    assert "nights has no snapshot 0" in json.loads(capsys.readouterr().out)["sentence"]


# Rows that cannot be read, and what is asked beside the predictions.


def test_a_value_that_cannot_be_read_costs_its_own_row_the_prediction(
    station: Path, said: Callable[..., tuple[int, str]]
) -> None:
    code, out = said(days(300, 3).assign(wind=["1.5", "calm", "2"]))
    assert code == 0
    assert "2 predictions of version 1" in out
    found: Any = pd.read_csv(station / "out.csv")
    assert found["prediction"].notna().tolist() == [True, False, True]
    assert found["reason"][1] == "wind: a number: that is what the column held in training; it is 'calm'"


def test_strict_writes_nothing_where_a_row_gets_no_prediction(
    station: Path, said: Callable[..., tuple[int, str]]
) -> None:
    (station / "out.csv").unlink(missing_ok=True)
    code, out = said(days(300, 3).assign(wind=["1.5", "calm", "2"]), "--strict", "--json")
    assert (code, json.loads(out)["outcome"]) == (3, "refused")
    assert "1 of 3 rows would have none; 1 break wind: a number" in json.loads(out)["sentence"]
    assert "'calm' in row 1" in json.loads(out)["sentence"]
    assert not (station / "out.csv").exists()
    code, _ = said(days(300, 3), "--strict")
    assert (code, len(pd.read_csv(station / "out.csv"))) == (0, 3)


def test_intervals_stand_beside_the_predictions_and_other_levels_are_told(
    station: Path, said: Callable[..., tuple[int, str]]
) -> None:
    code, _ = said(days(300, 2), "--interval", "0.9")
    found: Any = pd.read_csv(station / "out.csv")
    assert code == 0
    assert list(found) == ["day", "prediction", "low", "high", "version", "reason"]
    assert ((found["low"] <= found["prediction"]) & (found["prediction"] <= found["high"])).all()
    code, out = said(days(300, 2), "--interval", "0.42", "--json")
    assert code == 2
    assert "This version has no interval of level 0.42; allowed are: 0.5" in json.loads(out)["sentence"]


# Where rows come from and go to.


def test_the_files_of_a_glob_are_one_table(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for part, first in enumerate((300, 302)):
        days(first, 2).to_csv(station / f"part-{part}.csv", index=False)
    arguments = ["--out", str(station / "parts.parquet"), "--project", str(station), "--json"]
    assert run(["predict", "nights", str(station / "part-*.csv"), *arguments]) == 0
    assert pd.read_parquet(station / "parts.parquet")["prediction"].tolist() == [299 / 4, 300 / 4, 301 / 4, 302 / 4]


def test_rows_at_an_address_are_predicted(
    station: Path, serve: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    days(300, 1).to_csv(station / "tomorrow.csv", index=False)

    class Files(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(station))

    address = f"http://127.0.0.1:{serve(Files).server_port}/tomorrow.csv"
    out = station / "fetched.csv"
    assert run(["predict", "nights", address, "--out", str(out), "--project", str(station), "--json"]) == 0
    assert pd.read_csv(out)["prediction"].tolist() == [299 / 4]


def test_what_a_problem_declares_is_scored_without_naming_it(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["predict", "nights", "--project", str(station), "--json"]
    assert run(arguments) == 2
    assert "nights declares no [scoring] with a source" in json.loads(capsys.readouterr().out)["sentence"]
    days(300, 2).to_csv(station / "inbox.csv", index=False)
    declared = station / "data" / "nights" / "problem.toml"
    declared.write_text(f"{DECLARED}\n{SCORING.replace('FOLDER', str(station))}")
    try:
        assert run(arguments) == 0
    finally:
        declared.write_text(DECLARED)
    (out,) = station.glob("nights/*/out.csv")  # in a folder that was not there
    assert out.parent.name == f"{datetime.now(UTC):%Y}"
    assert list(pd.read_csv(out)) == ["day", "prediction", "low", "high", "version", "reason"]


# Scoring equals evaluation.


def test_the_test_set_gets_the_predictions_that_it_was_judged_by(
    train: Callable[..., Any], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, version, _ = train()
    store = Store(project.absolute() / "data" / "store", "wine")
    pq.write_table(store.table(version.test), project / "test.parquet")
    out = project / "out.parquet"
    arguments = ["--out", str(out), "--project", str(project), "--json"]
    assert run(["predict", "wine", str(project / "test.parquet"), *arguments]) == 0
    judged = store.table(version.scores.predictions).to_pandas()
    found = pd.read_parquet(out)
    assert found["prediction"].tolist() == judged["challenger"].tolist()
    for label in version.model.classes:
        np.testing.assert_array_equal(found[f"probability_{label}"], judged[f"challenger_probability_{label}"])
