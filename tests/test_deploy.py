"""Deploying: a version is registered, repeats its predictions in a fresh process, and is promoted."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tasks.columns import FOLD, ROW
from tasks.deploy import deploy
from tasks.errors import SalamanderError
from tasks.evaluate import evaluate
from tasks.featurize import features
from tasks.problem import Candidate
from tasks.records import Features, FeatureSet, Snapshot, Trial, Verdict, Version
from tasks.registry import Registry
from tasks.train import train

pytestmark = pytest.mark.usefixtures("without_run_logger")

COLUMNS = FeatureSet(target="y", roles={"x": "numeric"}, derived={})


def rows(start, count):
    x = np.arange(start, start + count)
    return pd.DataFrame({"number": x, "x": x % 7.0, "y": x % 7.0 + 0.1 * np.sin(x), ROW: x.astype("uint64")})


def kept(store, frame, kind):
    return store.keep_table(pa.Table.from_pandas(frame, preserve_index=False), kind)


@pytest.fixture
def draft(store):
    """Give a version of a small forest, judged on 30 rows, not yet registered."""
    candidate = Candidate(name="forest", estimator="RandomForestRegressor", parameters={"n_estimators": 5})
    dealt = rows(0, 60).assign(**{FOLD: np.arange(60) % 5})
    known = kept(store, dealt, "train")
    table = features(pa.RecordBatch.from_pandas(dealt, preserve_index=False), COLUMNS)
    given = Features(train=store.keep_table(table, "features"), columns=COLUMNS, folds=5)
    trials = (Trial(candidate=candidate, metric="rmse", fold_scores=(1.0,)),)
    model = train.fn(given, known, trials, "regression", 7, store)
    test = kept(store, rows(100, 30), "test")
    return Version(
        number=0,
        key="k",
        model=model,
        scores=evaluate.fn(model, None, test, ("number",), "rmse", 0.95, 7, store),
        verdict=Verdict(promote=True, rules=(), reason="The first version."),
        snapshot=Snapshot(data=test, origin="here"),
        test=test,
        problem_digest="p",
        code_digest="c",
        created=datetime(2026, 1, 1, tzinfo=UTC),
    )


def held(draft):
    return draft.model_copy(update={"verdict": Verdict(promote=False, cause="worse", rules=(), reason="Worse.")})


def altered(draft, store):
    """Give the version with stored predictions that its model does not repeat."""
    table = store.table(draft.scores.predictions).to_pandas()
    table.loc[3, "challenger"] += 0.5
    scores = draft.scores.model_copy(update={"predictions": kept(store, table, "predictions")})
    return draft.model_copy(update={"scores": scores})


def test_a_version_is_rehearsed_and_promoted(draft, store, fresh):
    version, result = deploy.fn(draft, store, fresh, promote=True)
    assert (version.number, result) == (1, "deployed")
    assert Registry(store).champion() == version


def test_a_version_that_is_held_is_kept_but_not_promoted(draft, store, fresh):
    version, result = deploy.fn(held(draft), store, fresh, promote=True)
    assert (version.number, result) == (1, "held")
    assert Registry(store).versions() == [version]
    [decision] = Registry(store).history()
    assert (decision.kind, decision.cause, decision.reason, decision.champion) == ("held", "worse", "Worse.", None)


def test_production_stays_where_deploying_was_not_asked_for(draft, store, fresh):
    assert deploy.fn(draft, store, fresh, promote=False)[1] == "not deployed"
    assert [decision.cause for decision in Registry(store).history()] == ["not deployed"]


def test_production_stays_where_the_champion_has_changed(draft, store, fresh):
    registry = Registry(store)
    other = registry.register(draft.model_copy(update={"key": "other"}))
    registry.promote(other, None)
    assert deploy.fn(draft, store, fresh, promote=True)[1] == "champion changed"
    assert registry.champion() == other
    assert registry.decision().cause == "champion changed"


@pytest.mark.parametrize("cause", ["frozen", "blocked"])
def test_production_stays_where_a_person_forbids_it(draft, store, fresh, cause):
    registry = Registry(store)
    if cause == "frozen":
        registry.freeze("Christmas.")
    else:
        registry.block(registry.register(draft.model_copy(update={"key": "other"})), "It is biased.")
    assert deploy.fn(draft, store, fresh, promote=True)[1] == cause
    assert registry.champion() is None
    assert (registry.decision().kind, registry.decision().cause) == ("held", cause)


def test_a_version_that_predicts_something_else_is_not_promoted(draft, store, fresh):
    with pytest.raises(SalamanderError, match="Version 1 predicts something else in a fresh process: 1 of 30 rows"):
        deploy.fn(altered(draft, store), store, fresh, promote=True)
    assert Registry(store).history() == []
