"""Versions are made again from what is recorded: identical, or within 1e-5 where a network takes part."""

import pytest

from flows.cli import run
from tasks.registry import Registry
from tasks.store import Store

CANDIDATES = """
[[candidates]]
name = "logistic"
estimator = "LogisticRegression"

[[candidates]]
name = "tree"
estimator = "DecisionTreeClassifier"
"""
KINDS = {
    "forest": '[[candidates]]\nname = "forest"\nestimator = "RandomForestClassifier"\n',
    "calibrated": '[[candidates]]\nname = "svm"\nestimator = "LinearSVC"\ncalibrate = "sigmoid"\n',
    "network": """[[candidates]]
name = "network"
estimator = "WideAndDeepClassifier"
parameters = { epochs = 3, hidden = [8] }
""",
    "searched": """[[candidates]]
name = "neighbours"
estimator = "KNeighborsClassifier"
search = { strategy = "random", trials = 4, parameters = { n_neighbors = { low = 1, high = 9 } } }
""",
    "ensemble": CANDIDATES + '[[ensembles]]\nname = "mean"\nkind = "average"\n',
    "threshold": CANDIDATES + "[threshold]\ncosts = [[0, 1, 5], [1, 0, 1], [1, 1, 0]]\n",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_version_is_made_again(train, declare, project, kind) -> None:
    declare(CANDIDATES, KINDS[kind])
    _, version, _ = train()
    record, _, shown = train(flow="reproduction", version=version.number)
    assert record.outcome == "reproduced"
    assert "Version 1, made again from snapshot 1 with seed 42, predicts the same" in record.sentence
    assert record.sentence in shown
    if kind != "network":
        assert "predicts the same for all 36 test rows" in record.sentence
    assert [path.name for path in (project / "data/store/wine/versions").iterdir()] == ["000001.json"]


def test_the_declaration_of_today_changes_nothing(train, declare) -> None:
    train()
    declare('stratify = "target"', "test_size = 0.5")
    record, _, _ = train(flow="reproduction", version=1)
    assert record.outcome == "reproduced"


def test_a_model_that_comes_out_otherwise_is_told(train, project) -> None:
    _, version, _ = train()
    best, *others = version.model.leaderboard
    other = best.model_copy(update={"candidate": best.candidate.model_copy(update={"estimator": "DummyClassifier"})})
    model = version.model.model_copy(update={"leaderboard": (other, *others)})
    registry = Registry(Store(project / "data" / "store", "wine"))
    registry.register(version.model_copy(update={"model": model, "key": "another"}))
    again, _, _ = train(flow="reproduction", version=2)
    assert (again.outcome, again.exit_code) == ("failed", 1)
    assert "predicts something else" in again.sentence
    assert "the code, or the number of cores, is not" in again.sentence


def test_a_version_that_is_not_there(project, capsys, server) -> None:
    assert run(["reproduce", "wine", "4", "--project", str(project)]) == 2
    assert "wine has no version 4" in capsys.readouterr().out
