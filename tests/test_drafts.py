"""`salamander new`: what it prints, what it writes, and that what it wrote trains at once."""

import io
import json
import os
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sklearn.datasets
from rich.console import Console

from flows.cli import run
from flows.drafts import draft_view, new_problem, show_draft
from tasks.problem import load_problem

MIRROR = Path(os.environ.get("SALAMANDER_MIRROR", "/nowhere"))
needs_mirror = pytest.mark.skipif(not MIRROR.is_dir(), reason="SALAMANDER_MIRROR names no folder")
New = Callable[..., tuple[int, str, str]]


@pytest.fixture
def new(project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> New:
    """Give a function that runs `salamander new` in the project; it gives exit code, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "120")

    def command(name: str, data: object, target: str, *more: str) -> tuple[int, str, str]:
        capsys.readouterr()
        arguments = ["new", name, "--data", str(data), "--target", target, *more, "--project", str(project)]
        code = run(arguments)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return command


def written(name: str, folder: Path, **settings: Any) -> Path:
    frame = getattr(sklearn.datasets, f"load_{name}")(as_frame=True).frame
    path = folder / f"{name}.csv"
    frame.to_csv(path, index=False, **settings)
    return path


def test_a_classification_trains_at_once(new: New, train: Callable[..., Any], project: Path, tmp_path: Path) -> None:
    code, out, err = new("grapes", written("wine", tmp_path, sep=";", decimal=","), "target")
    assert (code, err) == (0, "")
    for text in ("178 rows and 14 columns", "flavanoids", "target has its share", "separator = ';'", "train grapes"):
        assert text in " ".join(re.sub("[│ ]+", " ", out).split()).replace("each class has", "target has")
    assert max(map(len, out.splitlines()[:10])) <= 120
    record, version, _ = train("grapes")
    assert record.outcome == "promoted", record.sentence
    assert version.scores.challenger.value > 0.9


def test_a_regression_trains_at_once(new: New, train: Callable[..., Any], tmp_path: Path) -> None:
    assert new("sugar", written("diabetes", tmp_path), "target")[0] == 0
    record, version, _ = train("sugar")
    assert record.outcome == "promoted", record.sentence
    assert {trial.candidate.name for trial in version.model.leaderboard} == {"dummy", "ridge", "forest", "boosting"}
    assert record.findings == ()


def test_a_series_trains_at_once(new: New, train: Callable[..., Any], tmp_path: Path) -> None:
    days = pd.date_range("2020-01-01", periods=400)
    path = tmp_path / "days.csv"
    pd.DataFrame({"day": days, "load": [(n % 7 - 3) ** 2 + n / 50 for n in range(400)]}).to_csv(path, index=False)
    code, out, _ = new("load", path, "load")
    assert code == 0, out
    record, _, _ = train("load")
    assert record.outcome == "promoted", record.sentence


def test_json_is_one_object_with_every_guess_and_its_reason(new: New, tmp_path: Path) -> None:
    code, out, err = new("grapes", written("wine", tmp_path), "target", "--json")
    assert (code, err, out.count("\n")) == (0, "", 1)
    answer = json.loads(out)
    assert answer["task"]["guess"] == "classification"
    assert {each["role"] for each in answer["columns"]} == {"numeric", "target"}
    assert all(each["why"] for each in answer["columns"])
    assert [Path(file).name for file in answer["files"]] == ["problem.toml", "README.md", "grapes.py"]


@pytest.mark.parametrize(
    ("name", "content", "target", "exit_code", "sentence"),
    [
        ("Grapes", "a,b\n", "b", 2, "cannot name a problem"),
        ("wine", "a,b\n", "b", 2, "exists and is not overwritten"),
        ("grapes", "", "b", 3, "t.csv"),
        ("grapes", "a,b\n", "b", 3, "t.csv"),
        ("grapes", "a,label\n1,2\n", "lable", 2, "did you mean 'label'?"),
        ("grapes", None, "b", 2, "There is no file"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_written(
    new: New, project: Path, tmp_path: Path, name: str, content: str | None, target: str, exit_code: int, sentence: str
) -> None:
    if content is not None:
        (tmp_path / "t.csv").write_text(content)
    before = sorted(project.rglob("*"))
    code, out, err = new(name, tmp_path / "t.csv", target)
    assert (code, out, err.count("\n")) == (exit_code, "", 1)
    assert sentence in err
    assert sorted(project.rglob("*")) == before


def test_many_columns_share_a_line(project: Path) -> None:
    found, files = new_problem("figures", "sklearn:digits", "target", None, project)
    shown = io.StringIO()
    show_draft(Console(file=shown, width=120), found, files)
    assert re.search(r"pixel_0_0|pixel_0_1 \.\.\. pixel_7_7", shown.getvalue())
    assert len(shown.getvalue().splitlines()) < 50


@needs_mirror
def test_housing_is_seen_as_its_datasheet_describes_it(project: Path, tmp_path: Path) -> None:
    with tarfile.open(MIRROR / "housing" / "housing.tgz") as archive:
        archive.extract("housing.csv", tmp_path, filter="data")
    view = draft_view(*new_problem("houses", str(tmp_path / "housing.csv"), "median_house_value", None, project))
    capped = {each["column"]: each["sentence"] for each in view["warnings"] if each["kind"] == "capped values"}
    assert set(capped) == {"median_house_value", "housing_median_age", "median_income"}
    assert "965 rows (4.7%) are exactly 500,001" in capped["median_house_value"]
    assert "exactly 52" in capped["housing_median_age"]
    assert {each["column"]: each["role"] for each in view["columns"]}["ocean_proximity"] == "categorical"
    assert (view["task"]["guess"], view["strata"]["guess"]) == ("regression", "median_income")


@needs_mirror
def test_titanic_is_seen_as_a_person_would(project: Path) -> None:
    view = draft_view(*new_problem("ship", str(MIRROR / "titanic" / "train.csv"), "Survived", None, project))
    roles = {each["column"]: each["role"] for each in view["columns"]}
    assert view["identity"]["guess"] == ["PassengerId"]
    assert [name for name, role in roles.items() if role == "dropped"] == ["Name", "Ticket", "Cabin"]
    assert [name for name, role in roles.items() if role == "categorical"] == ["Sex", "Embarked"]
    kinds = {each["kind"] for each in view["warnings"]}
    assert "many missing values" in kinds
    assert not kinds & {"imbalanced target", "gives the target away"}
    assert load_problem("ship", project).split.stratify == "Survived"
