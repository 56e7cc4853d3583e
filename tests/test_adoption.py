"""A model from outside in whole runs: it becomes the first version, or is judged like any challenger."""

import joblib
import pytest
import skops.io
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from flows.cli import run as command
from tasks.registry import Registry
from tasks.store import Store

WINES = load_wine(as_frame=True).frame
FEW = "[gate]\nfewest_rows = 10\n\n[split]"


def model_of(estimator=None, rows=WINES):
    model = make_pipeline(StandardScaler(), estimator or LogisticRegression())
    return model.fit(rows.drop(columns="target"), rows["target"])


@pytest.fixture
def adopt(train, tmp_path):
    """Give a function that adopts a fitted model as the command line does."""

    def run(model, name="model.skops", **asked):
        path = tmp_path / name
        (skops.io.dump if path.suffix == ".skops" else joblib.dump)(model, path)
        return train(flow="adoption", model=str(path), **asked)

    return run


def registry(project):
    return Registry(Store(project.absolute() / "data" / "store", "wine"))


def test_an_adopted_model_is_the_first_version_and_the_next_is_compared_with_it(
    adopt, train, declare, project, tmp_path
):
    declare("[split]", FEW)
    old = WINES.sample(60, random_state=1)
    old.to_csv(tmp_path / "old.csv", index=False)
    weak = model_of(DecisionTreeClassifier(max_depth=1), old)
    run, version, shown = adopt(weak, "model.joblib", trust_pickle=True, trained_on=str(tmp_path / "old.csv"))
    assert (run.outcome, run.champion, version.number) == ("promoted", 1, 1), shown
    decision = registry(project).decision()
    assert (decision.kind, decision.anchor) == ("adopted", 1)
    assert f"brought it, from {tmp_path / 'model.joblib'}." in decision.reason
    assert decision.reason in run.sentence
    assert "Nobody told" not in run.sentence
    assert 0 < version.scores.excluded["challenger"] < 36
    assert version.scores.rows == 36 - version.scores.excluded["challenger"]
    assert version.measurements.row_milliseconds > 0

    again, known, _ = adopt(weak, "model.joblib", trust_pickle=True, trained_on=str(tmp_path / "old.csv"))
    assert (again.outcome, known.number) == ("nothing new", 1)

    run, version, _ = train()
    assert (run.outcome, version.number) == ("promoted", 2)
    assert "version 1" in [each.against for each in version.verdict.comparisons]
    assert version.scores.champion_version == 1
    assert version.scores.excluded["champion"] > 0


def test_where_nobody_tells_what_a_model_saw_all_rows_count_as_seen(adopt, train, project):
    run, version, _ = adopt(model_of())
    assert (run.outcome, run.champion) == ("promoted", 1)
    assert (version.verdict.promote, version.verdict.cause, version.scores.rows) == (False, "cannot tell", 0)
    assert "so every row that there is counts as seen by it" in run.sentence
    run, version, _ = train()
    assert (run.outcome, run.cause, version.scores.champion_version) == ("held", "cannot tell", 1)
    assert registry(project).champion().number == 1


def test_where_a_version_is_in_production_an_adopted_model_is_a_challenger(adopt, train, declare, project):
    train()
    run, version, _ = adopt(model_of(DecisionTreeClassifier(max_depth=1)), unseen=True)
    assert (run.outcome, run.cause, run.champion) == ("held", "worse", 1)
    assert version.model.candidate.name == "adopted"
    assert registry(project).decision().kind == "held"
    leaking = model_of(LogisticRegression(C=1e6))
    run, version, _ = adopt(leaking)
    assert (run.outcome, run.cause, run.champion) == ("held", "cannot tell", 1)
    assert version.scores.excluded["challenger"] == 36


def test_what_cannot_be_adopted_is_a_sentence_and_changes_nothing(adopt, project, tmp_path):
    run, version, _ = adopt(model_of(), "model.pkl")
    assert (run.outcome, run.exit_code, version) == ("failed", 2, None)
    assert "is a pickle" in run.sentence
    other = LogisticRegression().fit(WINES[["alcohol"]].rename(columns={"alcohol": "alcool"}), WINES["target"])
    run, _, _ = adopt(other)
    assert (run.outcome, run.exit_code) == ("failed", 2)
    assert "reads the column 'alcool', which the data does not have (did you mean 'alcohol'?)" in run.sentence
    assert registry(project).decision() is None


def test_either_rows_were_seen_or_none(project, capsys):
    words = ["adopt", "wine", "model.skops", "--trained-on", "x.csv", "--unseen", "--project", str(project)]
    assert command(words) == 2
    assert "--trained-on and --unseen exclude each other" in capsys.readouterr().err
