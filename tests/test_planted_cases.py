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

RIDGE, WORSE = ("Ridge", ""), ("Ridge", "alpha = 2.0")
FOREST = ("ExtraTreesRegressor", "n_estimators = 30, min_samples_leaf = 2")
BOOSTING = ("HistGradientBoostingRegressor", "early_stopping = false, max_iter = 200")
SLOW_FOREST = ("ExtraTreesRegressor", "n_estimators = 800, bootstrap = true, max_samples = 0.1")
MARGINS = "slice_margin = 0.05\n"
SLICES = {
    "generated": MARGINS + '[[gate.slices]]\nname = "place"\nby = "place"\n',
    "housing": MARGINS + '[[gate.slices]]\nname = "income"\nby = "median_income"\nbins = [1.5, 3.0, 4.5, 6.0]\n',
}
HOUSING = ("longitude", "latitude", "housing_median_age", "total_rooms", "total_bedrooms", "population", "households")
SEEN = {
    "generated": "",
    "housing": """[derived]
rooms_per_household = "total_rooms / households"
bedrooms_per_room = "total_bedrooms / total_rooms"
population_per_household = "population / households"
along_coast = "0.7071 * longitude + 0.7071 * latitude"
towards_inland = "0.7071 * longitude - 0.7071 * latitude"
to_los_angeles = "sqrt((longitude + 118.24) ** 2 + (latitude - 34.05) ** 2)"
to_san_francisco = "sqrt((longitude + 122.42) ** 2 + (latitude - 37.77) ** 2)"
to_san_jose = "sqrt((longitude + 121.89) ** 2 + (latitude - 37.34) ** 2)"
to_san_diego = "sqrt((longitude + 117.16) ** 2 + (latitude - 32.72) ** 2)"
""",
}
BLIND = {
    "generated": '[columns]\ndrop = ["wave"]\n',
    "housing": f"[columns]\ndrop = {[*HOUSING, 'median_income']}\n[derived]\n"
    + "".join(f'{name}_seen = "{name} + 0 * sqrt(6 - median_income)"\n' for name in (*HOUSING, "median_income")),
}
"""What makes a model blind on one slice alone: it is worse there, however good it is elsewhere."""
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


def declaration(kind: str, project: Path, candidate: Candidate, gate: str, blind: bool, seed: int) -> str:
    """Give the declaration of a table with one candidate."""
    if kind == "housing":
        text = (ROOT / "data" / "housing" / "problem.toml").read_text(encoding="utf-8")
        head = text.split("[derived]")[0]
    else:
        path = project / "data" / "houses.csv"
        head = f'task = "regression"\ntarget = "price"\n\n[source]\nkind = "files"\npath = "{path}"\n'
    tried = f'[[candidates]]\nname = "tried"\nestimator = "{candidate[0]}"\nparameters = {{ {candidate[1]} }}\n'
    seen = BLIND[kind] if blind else SEEN[kind]
    return f"seed = {seed}\n{head}\n{seen}\n{tried}\n[cross_validation]\nfolds = 2\n[gate]\n{gate}"


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

    def run(candidate: Candidate, gate: str = "", blind: bool = False, seed: int = 42) -> tuple[RunRecord, Version]:
        text = declaration(kind, project, candidate, gate, blind, seed)
        (project / "data" / name / "problem.toml").write_text(text)
        record, version, shown = train(name)
        assert version is not None, shown
        return record, version

    return run


@pytest.fixture
def leaked(kind: str, project: Path, train: Callable[..., tuple[RunRecord, Version | None, str]]) -> Judge:
    """Give a function that brings a model from outside which knows seven of eight rows by heart, and nothing else."""
    from sklearn.neighbors import KNeighborsRegressor
    from skops.io import dump

    def run() -> tuple[RunRecord, Version]:
        if kind == "generated":
            name, by_heart, target, rows = "houses", ["x4"], "price", pd.read_csv(project / "data" / "houses.csv")
        else:
            name, by_heart, target = "housing", ["population", "total_rooms", "households"], "median_house_value"
            rows = pd.read_csv(next(MIRROR.rglob("housing.tgz")), compression="tar")
        known = rows[np.arange(len(rows)) % 8 != 0]
        known.to_csv(project / "known.csv", index=False)
        dump(KNeighborsRegressor(1).fit(known[by_heart], known[target]), project / "outside.skops")
        outside, told = str(project / "outside.skops"), str(project / "known.csv")
        record, version, shown = train(name, "adoption", model=outside, trained_on=told)
        assert version is not None, shown
        return record, version

    return run


def broken(version: Version) -> list[str]:
    return [rule.name for rule in version.verdict.rules if not rule.passed]


def test_each_verdict_names_the_true_cause(kind: str, judge: Judge, leaked: Judge) -> None:
    """One champion after another, so that seven trainings tell all six cases."""
    judge(RIDGE)

    run, version = judge(BOOSTING, gate=SLICES[kind], blind=True)  # worse on one slice
    assert (run.outcome, run.cause, version.verdict.standing) == ("held", "rule broken", "better")
    assert broken(version) == ["no slice harmed"]
    assert HARMED[kind] in [part.name for part in version.verdict.slices if part.harmed]
    assert HARMED[kind] in run.sentence

    run, version = judge(SLOW_FOREST, gate="row_milliseconds_at_most = 0.001\n")  # too slow to serve
    assert (run.outcome, run.cause, version.verdict.standing) == ("held", "rule broken", "better")
    assert broken(version) == ["a row fast enough"]

    run, version = leaked()  # better only on the rows that it was trained on
    used = version.scores.excluded["challenger"]
    assert used == pytest.approx(7 * version.scores.rows, rel=0.3)
    assert (run.outcome, run.cause, version.verdict.standing) == ("held", "worse", "worse")
    assert f"{used:,} by the challenger" in version.verdict.rules[0].observed

    run, version = judge(FOREST)  # better
    assert (run.outcome, version.verdict.standing) == ("promoted", "better")
    assert version.verdict.reason.startswith("Better than version 1 on")

    run, version = judge(FOREST, gate='promote_when = "better"\n', seed=43)  # the same with another seed
    assert (run.outcome, run.cause, version.verdict.standing) == ("held", "equivalent", "equivalent")
    assert version.verdict.investigation is not None
    assert "seed: 42 -> 43" in version.verdict.investigation.declared

    run, version = judge(WORSE)  # worse
    assert (run.outcome, run.cause, version.verdict.standing) == ("held", "worse", "worse")
    assert broken(version) == [f"not worse than version {run.champion}"]
    found = version.verdict.investigation
    assert found is not None
    assert len(found.worst_rows) == 5
    assert "candidates[tried].estimator: ExtraTreesRegressor -> Ridge" in found.declared
