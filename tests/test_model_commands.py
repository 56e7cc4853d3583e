"""The commands that tell how a model was found, on versions in a store and on a real run."""

import json

import pytest

from flows.cli import run
from tasks.registry import Registry


@pytest.fixture
def said(capsys, project):
    """Give a function that runs a command on the project, and gives its exit code and what it said."""

    def say(*arguments):
        code = run([*arguments, "--project", str(project)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return say


def test_the_leaderboard_of_a_run_lists_every_trial_and_declares_each(train, said) -> None:
    _, version, shown = train()
    trials = version.model.leaderboard
    code, out, _ = said("leaderboard", "wine", "--json")
    listed = json.loads(out)
    assert code == 0
    assert (listed["problem"], listed["version"]) == ("wine", 1)
    assert [(each["place"], each["mean"]) for each in listed["trials"]] == [
        (place, trial.mean) for place, trial in enumerate(trials, start=1)
    ]
    assert all(each["cost"]["fit_seconds"] > 0 for each in listed["trials"])
    code, out, _ = said("leaderboard", "wine", "1")
    assert code == 0
    assert f"wine version 1: {len(trials)} trials" in out
    for trial in trials:
        assert trial.candidate.name in out
        assert trial.candidate.name in shown
    code, out, _ = said("leaderboard", "wine", "--declare", "1")
    assert code == 0
    assert out.splitlines()[:2] == ["[[candidates]]", f'name = "{trials[0].candidate.name}"']


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["wine"], "wine has no version that was trained here yet: salamander train wine."),
        (["wine", "7"], "wine has no version 7; it has none yet."),
        (["wines"], "There is no problem 'wines'"),
    ],
)
def test_what_has_no_leaderboard_is_one_sentence(said, arguments, sentence) -> None:
    code, out, err = said("leaderboard", *arguments)
    assert (code, out) == (2, "")
    assert sentence in " ".join(err.split())


def test_a_version_from_outside_was_chosen_from_nothing(store, draft, said) -> None:
    Registry(store).register(draft())
    code, _, err = said("leaderboard", "houses", "1", "--store", str(store.folder.parent))
    assert code == 2
    assert "Version 1 of houses was adopted, not chosen from trials." in err


def test_a_place_that_is_not_on_the_board(train, said) -> None:
    train()
    code, _, err = said("leaderboard", "wine", "--declare", "9")
    assert code == 2
    assert "--declare 9 is no place on the leaderboard; it goes from 1 to 2." in err
