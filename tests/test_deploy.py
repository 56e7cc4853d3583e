"""Deploying: a version is registered, repeats its predictions in a fresh process, and is promoted."""

import pyarrow as pa
import pytest

from tasks.deploy import deploy
from tasks.errors import SalamanderError
from tasks.records import Answer, Verdict
from tasks.registry import Registry

pytestmark = pytest.mark.usefixtures("without_run_logger")


@pytest.fixture
def draft(version_of):
    """Give a version of a small forest, judged on 30 rows, not yet registered."""
    return version_of(n_estimators=5)


def held(draft):
    return draft.model_copy(update={"verdict": Verdict(promote=False, cause="worse", rules=(), reason="Worse.")})


def altered(draft, store):
    """Give the version with stored predictions that its model does not repeat."""
    table = store.table(draft.scores.predictions).to_pandas()
    table.loc[3, "challenger"] += 0.5
    scores = draft.scores.model_copy(
        update={"predictions": store.keep_table(pa.Table.from_pandas(table), "predictions")}
    )
    return draft.model_copy(update={"scores": scores})


def test_a_version_is_rehearsed_and_promoted(draft, store, fresh):
    version, cause = deploy.fn(draft, store, fresh, promote=True)
    assert (version.number, cause) == (1, None)
    assert Registry(store).champion() == version


def test_a_version_that_is_held_is_kept_but_not_promoted(draft, store, fresh):
    version, cause = deploy.fn(held(draft), store, fresh, promote=True)
    assert (version.number, cause) == (1, "worse")
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


@pytest.mark.parametrize(
    ("approved", "cause"), [(True, None), (False, "rejected"), (None, "awaiting approval")], ids=["yes", "no", "nobody"]
)
def test_where_a_person_was_asked_the_answer_counts_and_is_kept(draft, store, fresh, approved, cause):
    answer = Answer(approved=approved, because="I looked at it.", by="ada")
    version, held_for = deploy.fn(draft, store, fresh, promote=True, approval=answer)
    decision = Registry(store).decision()
    assert held_for == cause
    assert decision.champion == (version.number if approved else None)
    assert "I looked at it." in decision.reason
    assert decision.by == "ada"


def test_no_approval_lets_in_what_the_gate_holds(draft, store, fresh):
    answer = Answer(approved=True, because="I like it.", by="ada")
    assert deploy.fn(held(draft), store, fresh, promote=True, approval=answer)[1] == "worse"
