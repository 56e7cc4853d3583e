"""How trials are shown: figures of the scored ones, reasons for the others, and a declaration to make each again."""

import io
import tomllib

from rich.console import Console

from flows.trials import best_of_each, declaration, leaderboard_view, score, settings, trials_table
from tasks.candidates import Candidate, Member
from tasks.problem import Problem
from tasks.records import Cost, Trial

FOREST = Candidate(
    name="forest", estimator="RandomForestRegressor", parameters={"max_features": 0.333333}, scale="none"
)
COST = Cost(fit_seconds=12.345, predict_milliseconds=6.5, megabytes=1.25)
BEST = Trial(candidate=FOREST, number=2, metric="rmse", fold_scores=(1.0, 3.0), cost=COST)
PRUNED = Trial(candidate=FOREST, number=1, metric="rmse", fold_scores=(7.0,), pruned=True)
BROKEN = Trial(
    candidate=Candidate(name="svm", estimator="SVR", parameters={"c": 1}), metric="rmse", problem="SVR has no parameter"
)
MEMBERS = (Member(candidate=FOREST, weight=0.75), Member(candidate=BROKEN.candidate, weight=0.25))
BLEND = Trial(
    candidate=Candidate(name="blend", estimator="EnsembleRegressor", members=MEMBERS), metric="rmse", fold_scores=(2.5,)
)
TRIALS = (BEST, BLEND, PRUNED, BROKEN)


def test_a_score_is_a_mean_with_a_deviation_or_the_reason_why_there_is_none() -> None:
    assert score(BEST) == "2.000 ± 1.000"
    assert score(PRUNED) == "7.000, given up after 1 of its folds"
    assert score(BROKEN) == "SVR has no parameter"


def test_settings_are_what_differs_from_defaults_and_the_members_of_an_ensemble() -> None:
    assert settings(BEST) == "max_features=0.333, scale=none"
    assert settings(BLEND) == "0.75 forest, 0.25 svm"


def test_of_each_candidate_the_first_on_the_board_is_its_best() -> None:
    assert best_of_each(TRIALS) == [(1, BEST, 2), (2, BLEND, 1), (4, BROKEN, 1)]


def test_the_table_shows_every_trial_and_every_figure() -> None:
    shown = io.StringIO()
    Console(file=shown, width=160).print(trials_table("houses version 3", TRIALS))
    text = shown.getvalue()
    assert "houses version 3: 4 trials, by cross-validation on the training rows" in text
    lines = [line for line in text.splitlines() if "forest" in line]
    assert [line.split()[1] for line in lines] == ["1", "2", "3"]
    for cell in ("2.000 ± 1.000", "12.3", "6.5", "1.2", "max_features=0.333"):
        assert cell in lines[0]
    assert "SVR has no parameter" in text


def test_as_json_nothing_is_rounded() -> None:
    best, blend, pruned, broken = leaderboard_view(TRIALS)
    assert best["candidate"] == {
        "name": "forest",
        "estimator": "RandomForestRegressor",
        "parameters": {"max_features": 0.333333},
        "scale": "none",
    }
    assert (best["place"], best["trial"], best["mean"], best["standard_deviation"]) == (1, 2, 2.0, 1.0)
    assert best["cost"] == {"fit_seconds": 12.345, "predict_milliseconds": 6.5, "megabytes": 1.25}
    assert [member["weight"] for member in blend["candidate"]["members"]] == [0.75, 0.25]
    assert (pruned["pruned"], pruned["fold_scores"]) == (True, [7.0])
    assert (broken["problem"], broken["mean"], broken["cost"]) == ("SVR has no parameter", None, None)


def test_a_trial_is_declared_as_it_was_made() -> None:
    head = 'name = "p"\ntask = "regression"\ntarget = "y"\nsource = { kind = "bundled", name = "diabetes" }\n\n'
    declared = Problem.model_validate(tomllib.loads(head + declaration(BEST)))
    assert declared.candidates == (FOREST,)
    both = Problem.model_validate(tomllib.loads(head + declaration(BLEND)))
    assert both.candidates == (FOREST, BROKEN.candidate)
