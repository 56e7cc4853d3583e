"""A table that grows, gets dirty and is mended, from the command line, end to end: a story of chapters in order."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from flows.cli import run
from tasks.registry import Registry
from tasks.store import Store

DECLARED = """
task = "classification"
target = "grower"
identity = ["number"]

[source]
kind = "files"
path = "wines.csv"
mode = "append"

[columns]
drop = ["number"]

[split]
stratify = "grower"

[[candidates]]
name = "logistic"
estimator = "LogisticRegression"

[gate]
margin = 0.5
"""

EXPECTED = """
import great_expectations.expectations as gxe

print("The suite is run.")
EXPECTATIONS = [
    gxe.ExpectTableRowCountToBeBetween(min_value=200, severity="critical", notes="300 wines to begin with."),
    gxe.ExpectColumnValuesToBeBetween(
        column="alcohol", min_value=9, max_value=16, severity="critical", notes="Per cent; wine has 11 to 15."
    ),
]
"""


def wines(numbers: Any, shift: float = 0.0) -> pd.DataFrame:
    numbers = np.asarray(numbers)
    random = np.random.default_rng(numbers[0])
    grower = numbers % 3
    return pd.DataFrame(
        {
            "number": numbers,
            "alcohol": (12 + 0.6 * grower + random.normal(0, 0.2, len(numbers)) + shift).round(3),
            "colour": random.normal(grower, 0.5).round(3),
            "grower": np.array(["Ada", "Ben", "Cleo"])[grower],
        }
    )


@pytest.fixture
def cellar(server: str, tmp_path: Path) -> Path:
    (tmp_path / "data" / "wines").mkdir(parents=True)
    (tmp_path / "expectations").mkdir()
    (tmp_path / "data" / "wines" / "problem.toml").write_text(DECLARED)
    (tmp_path / "expectations" / "wines.py").write_text(EXPECTED)
    return tmp_path


@pytest.fixture
def said(cellar: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Give a function that runs a command in the cellar; it gives the exit code and the JSON, or what was printed."""

    def command(*arguments: str, plain: bool = False) -> tuple[int, Any]:
        capsys.readouterr()
        code = run([*arguments, "--project", str(cellar), *([] if plain else ["--json"])])
        out = capsys.readouterr()
        assert "Traceback" not in out.out
        return code, out.out + out.err if plain else json.loads(out.out)

    return command


def deliver(cellar: Path, frame: pd.DataFrame) -> None:
    frame.to_csv(cellar / "wines.csv", index=False)


def history(said: Callable[..., Any]) -> list[tuple[Any, ...]]:
    names = ("snapshot", "outcome", "rows", "added", "changed", "gone", "quarantine", "versions")
    snapshots = said("data", "wines")[1]["snapshots"]
    return [tuple(row[name] for name in names) for row in reversed(snapshots)]


def production(cellar: Path) -> int | None:
    champion = Registry(Store(cellar.absolute() / "data" / "store", "wines")).champion()
    return champion.number if champion else None


FIRST = (1, "accepted", 300, 300, 0, 0, 0, [1])


def the_first_batch_is_the_first_snapshot(cellar: Path, said: Callable[..., Any]) -> None:
    deliver(cellar, wines(range(300)))
    code, answer = said("train", "wines")
    assert (code, answer["outcome"]) == (0, "promoted")
    assert history(said) == [FIRST]
    assert "300" in said("data", "wines", plain=True)[1]


def a_batch_adds_rows_and_corrects_others(cellar: Path, said: Callable[..., Any]) -> None:
    corrected = wines(range(10), shift=0.1)
    deliver(cellar, pd.concat([wines(range(300, 350)), corrected]))
    code, answer = said("validate", "wines")
    assert (code, answer["outcome"]) == (0, "accepted")
    assert history(said) == [FIRST, (2, "accepted", 350, 50, 10, 0, 0, [])]


def the_same_batch_twice_changes_nothing(cellar: Path, said: Callable[..., Any]) -> None:
    assert said("validate", "wines")[0] == 0
    assert len(history(said)) == 2


def a_few_bad_rows_go_to_quarantine_and_the_rest_is_trained_on(cellar: Path, said: Callable[..., Any]) -> None:
    batch = wines(range(350, 550))
    batch.loc[7, "alcohol"] = 99.0
    deliver(cellar, batch)
    code, answer = said("train", "wines")
    assert (code, answer["outcome"]) == (0, "promoted")
    assert history(said)[-1] == (3, "accepted", 550, 200, 0, 0, 1, [2])
    rows = said("quarantine", "wines")[1]["rows"]
    assert [(row["number"], row["alcohol"]) for row in rows] == [(357, 99.0)]
    assert "wine has 11 to 15" in rows[0]["salamander_reasons"][0]
    assert "99.0" in said("quarantine", "wines", plain=True)[1]


def corrected_rows_come_back(cellar: Path, said: Callable[..., Any]) -> None:
    file = cellar / "bad.csv"
    assert said("quarantine", "wines", "--out", str(file))[1]["rows"] == 1
    code, answer = said("quarantine", "wines", "--release", str(file))
    assert (code, answer["exit_code"], answer["outcome"]) == (3, 3, "refused"), "it is as bad as before"
    frame = pd.read_csv(file)
    frame["alcohol"] = 12.5
    frame.to_csv(file, index=False)
    assert said("quarantine", "wines", "--release", str(file))[0] == 0
    code, answer = said("validate", "wines")
    assert (code, answer["outcome"]) == (0, "accepted")
    assert history(said)[-1] == (4, "accepted", 550, 0, 0, 0, 0, [2])
    for option in ("--release", "--out"):
        code, answer = said("quarantine", "wines", option, str(file))
        assert code == 2
        assert "No row of wines is in quarantine" in answer["sentence"]


def a_batch_that_is_mostly_bad_is_refused_whole(cellar: Path, said: Callable[..., Any]) -> None:
    deliver(cellar, wines(range(550, 560), shift=50))
    code, answer = said("train", "wines")
    assert (code, answer["outcome"], answer["champion"]) == (3, "refused", 2)
    assert "quarantine" in answer["sentence"]
    assert history(said)[-1] == (5, "refused", 560, 10, 0, 0, 10, [])
    assert "refused" in said("data", "wines", plain=True)[1]
    code, answer = said("train", "wines", "--snapshot", "5")
    assert (code, answer["exit_code"]) == (2, 2)
    assert "was refused" in answer["sentence"]


def an_old_snapshot_is_trained_on_again(_: Path, said: Callable[..., Any]) -> None:
    code, answer = said("train", "wines", "--snapshot", "2")
    assert (code, answer["outcome"]) == (0, "promoted")
    assert history(said)[1][-1] == [3]
    assert len(history(said)) == 5, "what was accepted last is still what the next batch is added to"


def any_version_is_evaluated_on_any_snapshot(_: Path, said: Callable[..., Any]) -> None:
    code, answer = said("evaluate", "wines", "1", "--snapshot", "4")
    assert (code, answer["outcome"]) == (0, "evaluated")
    scores = answer["scores"]
    assert scores["rows"] > 80
    assert abs(scores["rows"] + scores["excluded_rows"] - 0.2 * 550) <= 3, "a row a stratum, at most"
    assert scores["challenger"]["value"] > 0.9
    code, answer = said("evaluate", "wines", "1", "--snapshot", "9")
    assert code == 2
    assert "has no snapshot 9" in answer["sentence"]


def a_file_is_predicted_in_its_order(cellar: Path, said: Callable[..., Any]) -> None:
    rows, out = cellar / "new.csv", cellar / "predicted.csv"
    fresh = wines(range(600, 630)).drop(columns="grower")
    fresh.to_csv(rows, index=False)
    code, answer = said("predict", "wines", str(rows), "--out", str(out), "--version", "1")
    assert (code, answer["outcome"]) == (0, "predicted")
    found = pd.read_csv(out)
    assert found["number"].tolist() == list(range(600, 630))
    assert (found["prediction"] == wines(range(600, 630))["grower"]).mean() >= 0.8
    assert set(found.columns[-5:]) == {"probability_Ada", "probability_Ben", "probability_Cleo", "version", "reason"}
    fresh.drop(columns="colour").to_csv(rows, index=False)
    code, answer = said("predict", "wines", str(rows), "--out", str(out))
    assert code == 3
    assert "no column 'colour'" in answer["sentence"]
    assert said("predict", "wines", str(rows), "--out", str(cellar / "x.xlsx"))[0] == 2


def a_file_is_checked_without_becoming_data(cellar: Path, said: Callable[..., Any]) -> None:
    file = cellar / "other.csv"
    wines(range(300)).to_csv(file, index=False)
    before = history(said)
    assert said("validate", "wines", str(file))[1]["outcome"] == "accepted"
    wines(range(300), shift=40).to_csv(file, index=False)
    code, answer = said("validate", "wines", str(file))
    assert (code, answer["outcome"]) == (3, "refused")
    assert "rows" in answer["sentence"]
    assert Path(answer["docs"]).is_file()
    assert history(said) == before


def columns_that_changed_are_named_and_taken_only_when_told(cellar: Path, said: Callable[..., Any]) -> None:
    batch = wines(range(560, 600))
    deliver(cellar, batch.assign(alcohol="strong"))
    code, answer = said("train", "wines")
    assert (code, answer["outcome"]) == (3, "refused")
    assert "'alcohol'" in answer["sentence"]
    deliver(cellar, batch.drop(columns="colour"))
    code, answer = said("train", "wines")
    assert (code, answer["outcome"]) == (3, "refused")
    assert "'colour' is missing" in answer["sentence"]
    deliver(cellar, batch.assign(cork="natural"))
    assert said("validate", "wines")[1]["outcome"] == "accepted"
    store = Store(cellar.absolute() / "data" / "store", "wines")
    from tasks.snapshots import Snapshots

    assert [column.name for column in Snapshots(store).newest().snapshot.ignored] == ["cork"]
    assert said("validate", "wines", "--accept-columns")[1]["outcome"] == "accepted"
    snapshot = Snapshots(store).newest().snapshot
    assert snapshot.data.names[-1] == "cork"
    corks = store.table(snapshot.data).to_pandas().set_index("number")["cork"]
    assert corks.notna().sum() == 40
    assert corks.loc[570] == "natural"
    assert production(cellar) == 3


def a_replaced_table_that_shrank_by_half_is_refused(cellar: Path, said: Callable[..., Any]) -> None:
    path = cellar / "data" / "wines" / "problem.toml"
    path.write_text(path.read_text().replace('mode = "append"\n', ""))
    deliver(cellar, wines(range(250)).assign(cork="natural"))
    code, answer = said("train", "wines")
    assert (code, answer["outcome"]) == (3, "refused")
    assert "250 rows, the last accepted snapshot had 590" in answer["sentence"]
    assert production(cellar) == 3


def a_table_that_cannot_be_divided_is_not_accepted(cellar: Path, said: Callable[..., Any]) -> None:
    deliver(cellar, wines(range(0, 1500, 3)).assign(cork="natural"))
    code, answer = said("validate", "wines")
    assert (code, answer["outcome"]) == (3, "refused")
    assert "has one class only, 'Ada'" in answer["sentence"]
    assert history(said)[-1][1] == "refused"
    assert production(cellar) == 3


STORY = (
    the_first_batch_is_the_first_snapshot,
    a_batch_adds_rows_and_corrects_others,
    the_same_batch_twice_changes_nothing,
    a_few_bad_rows_go_to_quarantine_and_the_rest_is_trained_on,
    corrected_rows_come_back,
    a_batch_that_is_mostly_bad_is_refused_whole,
    an_old_snapshot_is_trained_on_again,
    any_version_is_evaluated_on_any_snapshot,
    a_file_is_predicted_in_its_order,
    a_file_is_checked_without_becoming_data,
    columns_that_changed_are_named_and_taken_only_when_told,
    a_replaced_table_that_shrank_by_half_is_refused,
    a_table_that_cannot_be_divided_is_not_accepted,
)


def test_a_table_grows_gets_dirty_and_is_mended(cellar: Path, said: Callable[..., Any]) -> None:
    for chapter in STORY:
        chapter(cellar, said)
