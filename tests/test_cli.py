"""The command line: what it prints, how it ends, and what it does not import."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.cli import run

HEAVY = ("great_expectations", "joblib", "numpy", "pandas", "prefect", "pyarrow", "sklearn", "tensorflow")


@pytest.fixture
def trained(train: Callable[..., Any], declare: Callable[..., None], project: Path) -> Path:
    """Give a project whose problem has two versions that were in production."""
    train()
    declare('estimator = "LogisticRegression"', 'estimator = "LogisticRegression"\nparameters = { C = 0.9 }')
    assert train()[0].outcome == "promoted"
    return project


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], project: Path) -> Callable[..., tuple[int, str, str]]:
    """Give a function that runs a command in the project; it gives exit code, stdout and stderr."""

    def command(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run([*arguments, "--project", str(project)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return command


def test_every_command_that_reads_prints_tables_and_exactly_one_json_object(
    trained: Path, said: Callable[..., tuple[int, str, str]]
) -> None:
    expected: dict[tuple[str, ...], str] = {
        ("problems",): "classification",
        ("status",): "version 2",
        ("status", "wine"): "version 2",
        ("versions", "wine"): "2 ← production",
        ("history", "wine"): "promoted",
        ("gc", "wine"): "wine has no file that is not needed.",
        ("show", "wine", "1"): "LogisticRegression",
    }
    for command, text in expected.items():
        code, out, err = said(*command)
        assert (code, err) == (0, "")
        assert text in out
        code, out, err = said(*command, "--json")
        assert (code, err) == (0, "")
        assert out.count("\n") == 1
        assert isinstance(json.loads(out), dict)
    assert json.loads(said("status", "wine", "--json")[1])["champion"] == 2
    assert [v["version"] for v in json.loads(said("versions", "wine", "--json")[1])["versions"]] == [2, 1]


def test_rollback_goes_back_once_and_then_says_why_not(
    trained: Path, said: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, _ = said("rollback", "wine")
    sentence = "Version 1 of wine is in production again, in place of version 2. That one is blocked.\n"
    assert (code, out) == (0, sentence)
    code, out, err = said("rollback", "wine")
    assert (code, out) == (2, "")
    assert err == "wine version 1 was the first in production: there is none before.\n"
    code, out, _ = said("rollback", "wine", "--to", "2", "--json")
    assert (code, json.loads(out)["version"]) == (0, 2)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("train", "wime"), "There is no problem 'wime'"),
        (("train",), "problem"),
        (("trian", "wine"), "trian"),
        (("show", "wine", "7"), "wine has no version 7; it has none yet."),
        (("show", "wine", "one"), "one"),
        (("rollback", "wine"), "wine has no version in production"),
        (("status", "--colour"), "--colour"),
        (("status", "--store", "s3://bucket"), "'s3://bucket' is not supported"),
    ],
)
def test_a_mistake_is_one_sentence_with_exit_code_two(
    said: Callable[..., tuple[int, str, str]], arguments: tuple[str, ...], sentence: str
) -> None:
    code, out, err = said(*arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert "Traceback" not in err
    assert err.count("\n") == 1
    code, out, err = said(*arguments, "--json")
    assert (code, err) == (2, "")
    assert json.loads(out)["exit_code"] == 2


def test_a_problem_without_a_suite_is_told_so_before_anything_starts(
    project: Path, said: Callable[..., tuple[int, str, str]]
) -> None:
    (project / "expectations" / "wine.py").unlink()
    code, _, err = said("train", "wine")
    assert code == 2
    assert "a problem needs a suite of expectations" in err


def test_a_store_that_cannot_be_written_is_a_sentence(
    server: str, project: Path, said: Callable[..., tuple[int, str, str]]
) -> None:
    file = project / "file"
    file.touch()
    code, out, err = said("train", "wine", "--store", str(file / "store"), "--json")
    assert code == 1
    answer = json.loads(out)
    assert answer["outcome"] == "failed"
    assert "cannot be written" in answer["sentence"]
    assert "Traceback" not in err


def test_train_prints_one_json_object_and_its_steps_on_stderr(
    server: str, said: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, err = said("train", "wine", "--json", "--no-deploy")
    assert code == 0
    answer = json.loads(out)
    assert (answer["outcome"], answer["cause"], answer["judged"]["version"]) == ("held", "not deployed", 1)
    assert "✓ validate" in err
    assert "✓" not in out


@pytest.mark.parametrize("command", [["--help"], ["problems"], ["status"], ["versions", "wine"]])
def test_commands_that_only_read_import_nothing_heavy(project: Path, command: list[str]) -> None:
    arguments = command if command == ["--help"] else [*command, "--project", str(project)]
    script = f"import sys; from flows.cli import run; run({arguments!r}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    imported = set(done.stdout.splitlines()[-1].split())
    allowed = {"numpy"} if command[0] in {"versions"} else set[str]()
    assert not set(HEAVY) & imported - allowed


def test_a_named_server_that_is_down_is_a_sentence(project: Path) -> None:
    environment = os.environ | {"PREFECT_API_URL": "http://127.0.0.1:9/api"}
    arguments = [sys.executable, "-c", "from flows.cli import main; main()", "train", "wine", "--project", str(project)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("The Prefect server at http://127.0.0.1:9/api (PREFECT_API_URL) does not answer")
    assert "Traceback" not in done.stderr
