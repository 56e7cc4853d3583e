"""The commands by which a person decides: what they print, what they refuse, and what the history says of it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.cli import run
from tasks.registry import Registry
from tasks.store import Store

Said = tuple[int, str, str]


@pytest.fixture
def registry(store: Store) -> Registry:
    return Registry(store)


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], store: Store) -> Callable[..., Said]:
    """Give a function that runs a command on the store; it gives exit code, stdout and stderr."""

    def command(*arguments: str) -> Said:
        capsys.readouterr()
        code = run([*arguments, "--store", str(store.root), "--project", str(store.root.parent)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return command


@pytest.fixture
def put(registry, draft):
    """Give a function that puts a version of each key into production."""

    def promote(keys: str) -> None:
        for key in keys:
            champion = registry.champion()
            registry.promote(registry.register(draft(key)), champion.number if champion else None)

    return promote


def test_rollback_says_what_is_in_production_and_what_is_blocked(registry, put, said) -> None:
    put("abc")
    code, out, err = said("rollback", "houses", "--because", "It drifts.")
    sentence = "Version 2 of houses is in production again, in place of version 3. That one is blocked.\n"
    assert (code, out, err) == (0, sentence, "")
    assert (registry.decision().reason, registry.decision().kind) == ("It drifts.", "rolled back")
    code, out, _ = said("rollback", "houses", "--to", "3")
    assert (code, out) == (0, "Version 3 of houses is in production again, in place of version 2.\n")
    code, out, _ = said("rollback", "houses", "--json")
    assert (json.loads(out)["champion"], json.loads(out)["blocked"]) == (2, [3])


def test_a_person_promotes_what_waits_for_that(registry, version_of, said) -> None:
    """A real forest, loaded and asked in a fresh process."""
    version = registry.register(version_of(n_estimators=5))
    registry.hold(version, "awaiting approval", "A person decides.")
    code, out, err = said("status", "houses")
    assert (code, err) == (0, "")
    assert "Version 1 of houses waits for a person: salamander promote houses 1, or" in out
    assert json.loads(said("status", "houses", "--json")[1])["waiting"] == [1]
    code, out, err = said("promote", "houses", "1", "--because", "I looked at it.")
    assert (code, out, err) == (0, "Version 1 of houses is in production.\n", "")
    decision = registry.decision()
    assert (decision.kind, decision.cause, decision.reason, decision.champion) == (
        "promoted",
        None,
        "I looked at it.",
        1,
    )
    assert json.loads(said("status", "houses", "--json")[1])["waiting"] == []
    code, _, err = said("promote", "houses", "1", "--because", "Again.")
    assert (code, err) == (2, "Version 1 of houses is in production already.\n")


def test_what_the_gate_or_a_person_held_needs_to_be_overridden(registry, version_of, said) -> None:
    registry.promote(registry.register(version_of(n_estimators=5)), None)
    worse = version_of(n_estimators=3)
    verdict = worse.verdict.model_copy(update={"promote": False, "cause": "worse", "reason": "It is worse."})
    scores = worse.scores.model_copy(update={"champion_version": 1})
    registry.register(worse.model_copy(update={"verdict": verdict, "scores": scores}))
    code, _, err = said("promote", "houses", "2", "--because", "The law asks for it.")
    assert code == 2
    assert err == ("Version 2 of houses is held: worse (It is worse.) Say --override to promote it nevertheless.\n")
    code, _, err = said("promote", "houses", "2", "--because", "The law asks for it.", "--override")
    assert (code, err) == (0, "")
    decision = registry.decision()
    assert (decision.champion, decision.anchor, decision.cause) == (2, 2, "worse")
    assert "worse" in said("history", "houses")[1]


def test_a_version_that_cannot_be_loaded_is_not_promoted(registry, version_of, store, said) -> None:
    version = registry.register(version_of(n_estimators=5))
    store.path(version.model.files["model.skops"]).write_bytes(b"damaged")
    code, _, err = said("promote", "houses", "1", "--because", "I looked at it.")
    assert code == 1
    assert "Version 1 failed its rehearsal in a fresh process" in err
    assert registry.decision() is None


def test_what_hinders_a_promotion_is_said_before_anything_is_tried(registry, put, draft, said, monkeypatch) -> None:
    monkeypatch.delattr("tasks.fresh_process.FreshProcess.__init__")  # to start one would be an error of another kind
    put("a")
    registry.register(draft("b", judged_against=1))
    registry.freeze("Christmas.")
    code, _, err = said("promote", "houses", "2", "--because", "x")
    assert (code, err) == (
        2,
        "houses is frozen, so nothing is promoted; to promote, salamander unfreeze houses first.\n",
    )
    registry.block(registry.version(2), "It is biased.")
    code, _, err = said("promote", "houses", "2", "--because", "x")
    assert code == 2
    assert "The content of version 2 of houses is blocked" in err
    assert "salamander unblock houses 2 first" in err
    registry.unblock(registry.version(2), "It is not.")
    registry.unfreeze("January.")
    put("c")
    code, _, err = said("promote", "houses", "2", "--because", "x")
    assert code == 2
    assert err == (
        "Version 2 of houses was judged against version 1, but version 3 is in production now; salamander train houses "
        "judges anew.\n"
    )


def test_what_was_judged_against_nothing_says_so(registry, put, draft, said) -> None:
    put("a")
    registry.register(draft("b"))
    code, _, err = said("promote", "houses", "2", "--because", "x")
    assert code == 2
    assert "was judged against no version, but version 1 is in production now" in err


def test_reject_block_and_freeze_are_decisions_with_a_reason(registry, put, draft, said) -> None:
    put("a")
    registry.register(draft("b", judged_against=1))
    for arguments, sentence in (
        (("reject", "houses", "2"), "Version 2 of houses is rejected."),
        (("block", "houses", "2"), "The content of version 2 of houses is blocked."),
        (("unblock", "houses", "2"), "The content of version 2 of houses is not blocked any more."),
        (("block", "houses", "2"), "The content of version 2 of houses is blocked."),
        (("freeze", "houses"), "houses is frozen: runs go on, nothing is promoted."),
    ):
        assert said(*arguments, "--because", "Because of it.") == (0, f"{sentence}\n", "")
        code, _, err = said(*arguments)
        assert code == 2
        assert "--because" in err
    code, out, _ = said("status", "houses")
    assert code == 0
    assert "houses is frozen, nothing is promoted: salamander unfreeze houses ends that." in out
    assert "Blocked for houses: version 2. salamander history houses says why." in out
    status = json.loads(said("status", "houses", "--json")[1])
    assert (status["frozen"], status["blocked"], status["anchor"]) == (True, [2], 1)
    assert said("unfreeze", "houses", "--because", "Done.") == (0, "houses is not frozen any more.\n", "")
    assert [(each.kind, each.reason) for each in registry.history()[1:]] == [
        ("rejected", "Because of it."),
        ("blocked", "Because of it."),
        ("unblocked", "Because of it."),
        ("blocked", "Because of it."),
        ("frozen", "Because of it."),
        ("unfrozen", "Done."),
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("block", "houses", "1"), "is in production, so it cannot be blocked"),
        (("reject", "houses", "1"), "is in production, so it cannot be rejected"),
        (("unblock", "houses", "1"), "is not blocked; blocked are: none"),
        (("unfreeze", "houses"), "houses is unfrozen already"),
        (("reject", "houses", "7"), "houses has no version 7; it has 1"),
        (("promote", "houses", "7"), "houses has no version 7; it has 1"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(put, said, arguments, sentence) -> None:
    put("a")
    code, out, err = said(*arguments, "--because", "x")
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    code, out, err = said(*arguments, "--because", "x", "--json")
    assert (code, err) == (2, "")
    assert json.loads(out)["exit_code"] == 2


def test_history_is_a_table_and_json_newest_first(put, said) -> None:
    code, out, _ = said("history", "houses", "--json")
    assert code == 2  # nothing in the store, and no such problem
    put("ab")
    code, out, err = said("history", "houses")
    assert (code, err) == (0, "")
    assert out.index("Because of b.") < out.index("Because of a.")
    assert "promoted" in out
    code, out, _ = said("history", "houses", "--json")
    assert out.count("\n") == 1
    answer = json.loads(out)
    assert [each["number"] for each in answer["decisions"]] == [2, 1]
    assert set(answer["decisions"][0]) == {
        *("number", "kind", "version", "cause", "reason", "by", "at"),
        *("champion", "previous", "anchor", "blocked", "frozen", "manifest"),
    }


def test_gc_shows_first_and_removes_when_told(registry, put, draft, store, project, said) -> None:
    (store.root.parent / "data" / "houses").mkdir(parents=True)
    (project / "data" / "wine" / "problem.toml").rename(store.root.parent / "data" / "houses" / "problem.toml")
    with (store.root.parent / "data" / "houses" / "problem.toml").open("a") as file:
        file.write("\n[retention]\nversions = 1\n")
    put("a")
    for key in "bc":
        registry.register(draft(key, promote=False, cause="worse"))
    assert said("gc", "houses")[1] == "houses has no file that is not needed.\n"  # all is too young
    code, out, err = said("gc", "houses", "--older-than", "0s")
    assert (code, err) == (0, "")
    assert "files of models" in out
    assert "Versions that would lose files: 2. Their records stay.\n" in out
    assert "Nothing was removed: salamander gc houses --remove does that.\n" in out
    answer = json.loads(said("gc", "houses", "--older-than", "0s", "--json")[1])
    kinds = {"files of models": {"files": 1, "bytes": 1}}
    shown = {"problem": "houses", "removed": False, "files": 1, "bytes": 1, "kinds": kinds, "versions": [2]}
    assert answer == shown
    answer = json.loads(said("gc", "houses", "--older-than", "0s", "--remove", "--json")[1])
    assert answer == shown | {"removed": True}
    assert registry.decision().kind == "collected"
    assert said("gc", "houses", "--older-than", "0s")[1] == "houses has no file that is not needed.\n"


def test_versions_that_are_not_to_be_trusted_are_named_beside_the_others(put, store, said) -> None:
    put("ab")
    path = store.folder / "versions" / "000001.json"
    path.write_bytes(path.read_bytes().replace(b"Because", b"because"))
    code, out, err = said("versions", "houses")
    assert (code, err) == (0, "")
    assert "2 ← production" in out
    assert f"{path} is not the record that was decided on" in out
    answer = json.loads(said("versions", "houses", "--json")[1])
    assert [each["version"] for each in answer["versions"]] == [2]
    assert len(answer["refused"]) == 1


def test_rollback_is_quick_and_imports_nothing_heavy(put, store) -> None:
    put("ab")
    arguments = ["rollback", "houses", "--store", str(store.root)]
    script = f"import sys; from flows.cli import run; run({arguments!r}); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent
    )
    said, modules = done.stdout.splitlines()
    assert said.startswith("Version 1 of houses is in production again")
    heavy = {"great_expectations", "joblib", "numpy", "pandas", "prefect", "pyarrow", "sklearn", "tensorflow"}
    assert not heavy & set(modules.split())
    assert (store.folder / "decisions" / "000003.json").is_file()
