"""Six planted cases: each verdict names the true cause. On a generated table everywhere, on housing with its mirror."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.records import RunRecord, Version

ROOT = Path(__file__).parent.parent
MIRROR = Path(os.environ.get("SALAMANDER_MIRROR", "no mirror"))
SEED = 5

Candidate = tuple[str, str]
Judge = Callable[..., tuple[RunRecord, Version]]

RIDGE = ("Ridge", "")
FOREST = ("ExtraTreesRegressor", "n_estimators = 30, min_samples_leaf = 2")
BOOSTING = ("HistGradientBoostingRegressor", "early_stopping = false, max_iter = 200")
SLOW_FOREST = ("ExtraTreesRegressor", "n_estimators = 1200, max_leaf_nodes = 300, min_samples_leaf = 2")
MARGINS = "slice_margin = 0.05\n"
SLICES = {
    "generated": MARGINS + '[[gate.slices]]\nname = "place"\nby = "place"\n',
    "housing": MARGINS + '[[gate.slices]]\nname = "income"\nby = "median_income"\nbins = [1.5, 3.0, 4.5, 6.0]\n',
}
"""What matters to one slice alone: without it a model is worse there, however good it is elsewhere."""
DROPPED = {"generated": "wave", "housing": "median_income"}
HARMED = {"generated": "place: island", "housing": "income: 6 to inf"}


def table() -> pd.DataFrame:
    """Give houses whose price a line explains badly, except on islands, where the waves explain most of it."""
    rng = np.random.default_rng(SEED)
    rows = 6_000
    place = rng.choice(["inland", "bay", "island"], rows, p=[0.6, 0.32, 0.08])
    frame = pd.DataFrame({f"x{number}": rng.normal(size=rows) for number in range(1, 5)} | {"place": place})
    frame["wave"] = np.where(place == "island", rng.normal(size=rows), 0.0)
    hills = 3 * np.sin(2 * frame["x1"]) + frame["x2"] * frame["x3"]
    frame["price"] = 30 + hills + 2 * (place == "bay") + 4 * frame["wave"] + rng.normal(0, 0.5, rows)
    return frame


def declaration(kind: str, project: Path, candidate: Candidate, gate: str = "", drop: str = "", seed: int = 42) -> str:
    """Give the declaration of a table with one candidate."""
    if kind == "housing":
        head = (ROOT / "data" / "housing" / "problem.toml").read_text(encoding="utf-8").split("[[candidates]]")[0]
    else:
        path = project / "data" / "houses.csv"
        head = f'task = "regression"\ntarget = "price"\n\n[source]\nkind = "files"\npath = "{path}"\n'
    columns = f'[columns]\ndrop = ["{drop}"]\n' if drop else ""
    tried = f'[[candidates]]\nname = "tried"\nestimator = "{candidate[0]}"\nparameters = {{ {candidate[1]} }}\n'
    return f"seed = {seed}\n{head}\n{columns}\n{tried}\n[gate]\n{gate}"


@pytest.fixture(params=["generated", "housing"])
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "housing" and not list(MIRROR.rglob("housing.tgz")):
        pytest.skip("SALAMANDER_MIRROR names no folder that has housing.tgz")
    return request.param


@pytest.fixture
def judge(kind: str, project: Path, train: Callable[..., tuple[RunRecord, Version | None, str]]) -> Judge:
    """Give a function that declares the table with one candidate and trains it."""
    name = "houses" if kind == "generated" else "housing"
    (project / "data" / name).mkdir()
    suite = "EXPECTATIONS = []\n"
    (project / "expectations" / f"{name}.py").write_text(suite)
    if kind == "generated":
        table().to_csv(project / "data" / "houses.csv", index=False)

    def run(candidate: Candidate, gate: str = "", drop: str = "", seed: int = 42) -> tuple[RunRecord, Version]:
        text = declaration(kind, project, candidate, gate, drop, seed)
        (project / "data" / name / "problem.toml").write_text(text)
        record, version, shown = train(name)
        assert version is not None, shown
        return record, version

    return run


def broken(version: Version) -> list[str]:
    return [rule.name for rule in version.verdict.rules if not rule.passed]


def test_a_better_model_is_promoted_as_better(judge: Judge) -> None:
    judge(RIDGE)
    run, version = judge(BOOSTING)
    assert (run.outcome, version.verdict.standing) == ("promoted", "better")
    assert version.verdict.reason.startswith("Better than version 1")


def test_the_same_model_with_another_seed_is_equivalent(judge: Judge) -> None:
    judge(FOREST)
    run, version = judge(FOREST, gate='promote_when = "better"\n', seed=43)
    assert (run.outcome, run.cause, version.verdict.standing) == ("held", "equivalent", "equivalent")
    assert version.verdict.investigation is not None
    assert "seed: 42 -> 43" in version.verdict.investigation.declared


def test_a_worse_model_is_held_as_worse_and_the_rows_that_lost_most_are_named(judge: Judge) -> None:
    judge(FOREST)
    run, version = judge(RIDGE)
    assert (run.outcome, run.cause, run.champion) == ("held", "worse", 1)
    assert broken(version) == ["not worse than version 1"]
    found = version.verdict.investigation
    assert found is not None
    assert len(found.worst_rows) == 5
    assert "candidates[tried].estimator: ExtraTreesRegressor -> Ridge" in found.declared


def test_better_overall_but_worse_on_one_slice_is_held_for_that_slice(kind: str, judge: Judge) -> None:
    judge(RIDGE)
    run, version = judge(BOOSTING, gate=SLICES[kind], drop=DROPPED[kind])
    assert version.verdict.standing == "better"
    assert (run.outcome, run.cause) == ("held", "rule broken")
    assert broken(version) == ["no slice harmed"]
    assert HARMED[kind] in [part.name for part in version.verdict.slices if part.harmed]
    assert HARMED[kind] in run.sentence


def test_better_but_too_slow_to_serve_is_held_for_its_latency(judge: Judge) -> None:
    _, first = judge(RIDGE)
    assert first.measurements is not None
    limit = 3 * first.measurements.row_milliseconds
    run, version = judge(SLOW_FOREST, gate=f"row_milliseconds_at_most = {limit}\n")
    assert version.verdict.standing == "better"
    assert (run.outcome, run.cause) == ("held", "rule broken")
    assert broken(version) == ["a row fast enough"]
