"""Search: what the product's search finds, and at what cost, beside the search that everybody would write.

Compared: for a forest and a gradient boosting on housing (the book's split, the derived columns of the problem file),
the product's search over its usual ranges with a budget of trials, and `RandomizedSearchCV` over the same ranges with
as many points, on the same folds, with the same pipelines and all cores. Each ends with its best point fitted on all
training rows.

Measured: the best RMSE of cross-validation, the RMSE on the test rows, seconds on the clock and of the processor of a
process of its own (imports included), and what the product takes to repeat its search from what it kept.

Source: ours; the baseline is that of Géron, Hands-On Machine Learning, 2nd ed., chapter 2, exercise 2.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import bare_housing
import numpy as np
from measuring import arguments_parser, progress, run, scratch, show
from overhead import archive_of_housing

ESTIMATORS = ("RandomForestRegressor", "HistGradientBoostingRegressor")


def folds_of(rows: int) -> np.ndarray:
    """Give the fold of each training row."""
    from sklearn.model_selection import KFold

    fold = np.empty(rows, dtype="int16")
    places = KFold(bare_housing.FOLDS, shuffle=True, random_state=bare_housing.SEED).split(np.zeros(rows))
    for number, (_, held_out) in enumerate(places):
        fold[held_out] = number
    return fold


def test_error(model: Any, rows: Any) -> float:
    """Give the RMSE of a fitted model on test rows."""
    target = rows[bare_housing.TARGET].to_numpy()
    return float(bare_housing.root_mean_square(model.predict(rows.drop(columns=bare_housing.TARGET)) - target))


def product(archive: Path, name: str, trials: int, folder: Path) -> dict[str, Any]:
    """Give what the product's search finds."""
    import pyarrow as pa

    from tasks.candidates import Candidate, SearchRule
    from tasks.columns import FOLD
    from tasks.cores import alone
    from tasks.estimators import build
    from tasks.records import Features, FeatureSet
    from tasks.searching.attempts import Bench
    from tasks.searching.plan import planned
    from tasks.searching.study import searched
    from tasks.store import Store

    train, test = bare_housing.split(bare_housing.read(archive))
    roles = {column: "numeric" for column in train.columns if column != bare_housing.TARGET}
    columns = FeatureSet(target=bare_housing.TARGET, roles=roles | {bare_housing.PLACE: "categorical"}, derived={})
    store = Store(folder, "housing")
    table = pa.Table.from_pandas(train.assign(**{FOLD: folds_of(len(train))}), preserve_index=False)
    features = Features(train=store.keep_table(table, "features"), columns=columns, folds=bare_housing.FOLDS)
    bench = Bench(features, "rmse", "regression", bare_housing.SEED, store)
    (candidate,) = planned([Candidate(name="searched", estimator=name)], SearchRule(trials=trials))
    outcomes = searched(candidate, bench, progress)
    best = min((each.trial for each in outcomes if each.trial.scored), key=lambda trial: trial.mean)
    model = build(best.candidate, "regression", columns, bare_housing.SEED)
    with alone(len(train)):
        model.fit(train[list(columns.roles)], train[bare_housing.TARGET].to_numpy())
    fits = sum(len(each.trial.fold_scores) for each in outcomes)
    found = {"cv_rmse": best.mean, "default_cv_rmse": outcomes[0].trial.mean, "fits": fits}
    return found | {"test_rmse": test_error(model, test), "parameters": dict(best.candidate.parameters)}


def plain(archive: Path, name: str, trials: int) -> dict[str, Any]:
    """Give what `RandomizedSearchCV` finds."""
    from sklearn.model_selection import PredefinedSplit, RandomizedSearchCV

    from tasks.candidates import Range
    from tasks.searching.ranges import PARAMETERS

    def values(space: Any) -> list[Any]:
        if not isinstance(space, Range):
            return list(space)
        found = (np.geomspace if space.log else np.linspace)(space.low, space.high, 200)
        return sorted({round(each) if space.whole else float(each) for each in found})

    train, test = bare_housing.split(bare_housing.read(archive))
    X, y = train.drop(columns=bare_housing.TARGET), train[bare_housing.TARGET].to_numpy()
    pipeline = bare_housing.pipeline(name, list(X))
    pipeline.set_params(estimate=type(pipeline[-1])(random_state=bare_housing.SEED))
    search = RandomizedSearchCV(
        pipeline,
        {f"estimate__{key}": values(space) for key, space in PARAMETERS[name].items()},
        n_iter=trials,
        scoring="neg_root_mean_squared_error",
        cv=PredefinedSplit(folds_of(len(train))),
        n_jobs=-1,
        random_state=bare_housing.SEED,
    ).fit(X, y)
    parameters = {key.removeprefix("estimate__"): value for key, value in search.best_params_.items()}
    found = {"cv_rmse": float(-search.best_score_), "fits": trials * bare_housing.FOLDS, "parameters": parameters}
    return found | {"test_rmse": test_error(search.best_estimator_, test)}


def timed(*arguments: str) -> dict[str, Any]:
    """Give what a part of this script finds in a process of its own, and its seconds."""
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    printed = run([sys.executable, __file__, *arguments], dict(os.environ))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    seconds = {"seconds": round(time.perf_counter() - begun, 1), "processor_seconds": round(processor, 1)}
    return json.loads(printed.splitlines()[-1]) | seconds


def measure(trials: int, names: tuple[str, ...]) -> dict[str, Any]:
    """Give for each estimator what both searches found, and the product's again."""
    found: dict[str, Any] = {"trials": trials}
    with scratch() as folder:
        archive = str(archive_of_housing(folder))
        for name in names:
            settings = ("--estimator", name, "--trials", str(trials), "--archive", archive)
            store = ("--store", str(folder / name))
            found[name] = {
                "product": timed("--part", "product", *settings, *store),
                "plain": timed("--part", "plain", *settings),
                "again": timed("--part", "product", *settings, *store),
            }
            progress(f"{name}: {json.dumps(found[name])}")
    return found


def print_table(found: dict[str, Any]) -> None:
    """Print what each search found and took."""
    titles = {"product": "salamander", "plain": "RandomizedSearchCV", "again": "salamander, again"}
    rows = [
        (
            f"{name}: {titles[part]}",
            f"{figures['cv_rmse']:,.0f}",
            f"{figures['test_rmse']:,.0f}",
            f"{figures['fits']}",
            f"{figures['seconds']:.0f} s",
            f"{figures['processor_seconds']:.0f} s",
        )
        for name, parts in found.items()
        if name in ESTIMATORS
        for part, figures in parts.items()
    ]
    columns = ("", "CV RMSE", "test RMSE", "fits", "clock", "processor")
    show(f"The same budget of {found['trials']} points on housing", columns, rows)


def main() -> None:
    """Measure, then print a table or JSON; or make one of the parts, each in a process of its own."""
    parser = arguments_parser(__doc__)
    parser.add_argument("--trials", type=int, default=10, help="points that each search may try (default: 10)")
    parser.add_argument("--only", choices=ESTIMATORS, help="one estimator only")
    parser.add_argument("--part", choices=("product", "plain"), help="used by the script itself")
    for name in ("--estimator", "--archive", "--store"):
        parser.add_argument(name, help="used by the script itself")
    wanted = parser.parse_args()
    if wanted.part == "product":
        print(json.dumps(product(Path(wanted.archive), wanted.estimator, wanted.trials, Path(wanted.store))))
    elif wanted.part == "plain":
        print(json.dumps(plain(Path(wanted.archive), wanted.estimator, wanted.trials)))
    else:
        found = measure(wanted.trials, (wanted.only,) if wanted.only else ESTIMATORS)
        print(json.dumps(found)) if wanted.json else print_table(found)


if __name__ == "__main__":
    main()
