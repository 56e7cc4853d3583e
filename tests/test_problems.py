"""The real problems, trained end to end as declared, keep what was promised of them."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.records import RunRecord, Version
from tasks.store import Store

ROOT = Path(__file__).parent.parent
MIRROR = Path(os.environ.get("SALAMANDER_MIRROR", "no mirror"))
FILES = {"titanic": "train.csv", "reviews": "review_polarity.tar.gz", "temperatures": "daily-min-temperatures.csv"}

Trained = tuple[RunRecord, Version | None, str]


@pytest.fixture
def real(project: Path, train: Callable[..., Trained]) -> Callable[..., Version]:
    """Give a function that trains a real problem with the candidates named, or all, and gives its deployed version."""

    def run(problem: str, *candidates: str) -> Version:
        if not list(MIRROR.rglob(FILES[problem])):
            pytest.skip(f"SALAMANDER_MIRROR names no folder that has {FILES[problem]}")
        shutil.copytree(ROOT / "data" / problem, project / "data" / problem)
        shutil.copy(ROOT / "expectations" / f"{problem}.py", project / "expectations")
        path = project / "data" / problem / "problem.toml"
        text = path.read_text()
        blocks = re.findall(r"\[\[candidates\]\]\nname = \"(.*?)\"\n(.*?)\n\n", text + "\n", re.DOTALL)
        if candidates:
            chosen = [f'[[candidates]]\nname = "{name}"\n{rest}\n\n' for name, rest in blocks if name in candidates]
            assert len(chosen) == len(candidates)
            path.write_text("".join([text.split("[[candidates]]")[0], *chosen, text[text.index("[gate]") :]]))
        record, version, shown = train(problem)
        assert record.outcome == "promoted", shown
        assert version is not None
        return version

    return run


def test_titanic(real: Callable[..., Version], train: Callable[..., Trained], tmp_path: Path) -> None:
    version = real("titanic")
    best = version.model.leaderboard[0]
    assert len(best.fold_scores) == 10
    assert best.mean >= 0.825
    assert version.scores.challenger.value >= 0.8
    assert version.model.columns.roles["title"] == "categorical"
    unlabelled = next(MIRROR.rglob("titanic/test.csv"))
    train("titanic", "scoring", file=str(unlabelled), out=str(tmp_path / "survivors.csv"))
    predicted = pd.read_csv(tmp_path / "survivors.csv")
    assert predicted["PassengerId"].tolist() == pd.read_csv(unlabelled)["PassengerId"].tolist()
    assert predicted["prediction"].isin([0, 1]).all()


def test_reviews(real: Callable[..., Version]) -> None:
    version = real("reviews", "logistic", "svm-pairs")
    assert version.scores.rows == 400
    assert version.scores.challenger.value >= 0.86
    assert version.model.columns.roles == {"text": "text"}


def test_temperatures(real: Callable[..., Version], project: Path) -> None:
    version = real("temperatures")
    board = {trial.candidate.name: trial.mean for trial in version.model.leaderboard if trial.problem is None}
    assert len(board) == len(version.model.leaderboard) == 10
    best, *_ = board  # by cross-validation forward in time, on training rows alone
    assert board[best] < 0.875 * board["same-as-yesterday"] < board["same-as-last-year"]
    store = Store(project / "data" / "store", "temperatures")
    train, test = (store.table(side).to_pandas() for side in (version.model.trained_on, version.test))
    assert train["Date"].astype("str").max() == "1988-12-30"
    assert test["Date"].astype("str").min() == "1989-01-01"
    naive = {lag: float(np.abs(test["Temp"] - test[f"Temp_lag_{lag}"]).mean()) for lag in (1, 365)}
    assert naive == pytest.approx({1: 1.9527, 365: 2.9655}, abs=1e-4)
    assert version.scores.challenger.value <= 0.87 * naive[1]
    assert version.scores.challenger.value < naive[365]
