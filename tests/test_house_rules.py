"""The house keeps its promises: who may import whom, what every problem has, what the README shows."""

import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import tomllib
from importlib.machinery import PathFinder
from pathlib import Path

import pytest
import yaml
from sklearn.datasets import load_wine

from tasks.columns import feature_set, source_columns
from tasks.expressions import reads
from tasks.gate import Gate
from tasks.problem import Problem, load_problem, problem_names
from tasks.records import Column
from tasks.suites import find_suite, load_expectations

ROOT = Path(__file__).parent.parent
PROBLEMS = problem_names(ROOT)
FILES = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


def test_imports_keep_their_contracts() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem_has_a_datasheet_and_an_expectation_for_every_column_it_uses(name: str) -> None:
    problem = load_problem(name, ROOT)
    assert (ROOT / "data" / name / "README.md").read_text().startswith(f"# {name}\n")
    expectations = load_expectations(find_suite(name, ROOT))
    settings = [expectation.configuration.to_json_dict()["kwargs"] for expectation in expectations]
    expected = {value for each in settings for key, value in each.items() if key.startswith("column")}
    takes = {read.column: read.takes for text in problem.derived.values() for read in reads(text)}
    takes |= dict.fromkeys(problem.columns.text, "text")
    dtypes = {"text": "string", "date": "date32[day]"}
    columns = [
        Column(name=column, dtype=dtypes.get(takes.get(column, "number"), "double"))
        for column in expected | set(problem.columns.drop)
        if isinstance(column, str)
    ]
    features = feature_set(problem, columns)
    made = problem.history.columns if problem.history else ()  # from the columns that `history` reads
    read = (problem.history.order, *problem.history.of, *problem.history.by) if problem.history else ()
    assert {problem.target, *problem.identity, *read, *source_columns(features)} - {*made} <= expected


def test_every_entrypoint_in_prefect_yaml_resolves() -> None:
    from prefect.flows import load_flow_from_entrypoint

    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    assert [deployment["name"] for deployment in deployments] == list(PROBLEMS)
    for deployment in deployments:
        assert load_flow_from_entrypoint(deployment["entrypoint"]).name == "training"


def test_no_module_in_flows_shadows_another() -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()}
    elsewhere = [entry for entry in sys.path if Path(entry) not in {ROOT / "flows", ROOT / "benchmarks"}]
    for path in (ROOT / "flows").glob("*.py"):
        if path.stem == "__init__":
            continue
        assert path.stem not in sys.stdlib_module_names
        assert path.stem not in folders
        assert PathFinder.find_spec(path.stem, elsewhere) is None, f"{path.stem} is the name of an installed module"


def test_every_module_of_tasks_and_of_serving_has_its_test() -> None:
    modules = {path.stem for folder in ("tasks", "serving") for path in (ROOT / folder).rglob("*.py")} - {"__init__"}
    tested = {path.stem.removeprefix("test_") for path in (ROOT / "tests").glob("test_*.py")}
    elsewhere = {"draft_suite", "draft_texts", "errors", "sentences", "streams"}  # run by who uses them
    assert modules - tested <= elsewhere


def test_no_file_names_a_package_index() -> None:
    hosts = ["py" + "pi.org", "python" + "hosted", "--index" + "-url", "--extra-index" + "-url", "npm" + "js.org"]
    for name in FILES:
        path = ROOT / name
        if path.is_file() and path.suffix not in {".png"}:
            text = path.read_text(encoding="utf-8")
            assert not [host for host in hosts if host in text], name


def test_every_dependency_is_pinned_with_hashes() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    pinned = re.findall(r"^([a-z0-9.-]+)==\S+", lock, re.MULTILINE)
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = [re.match(r"[a-z0-9-]+", dependency).group() for dependency in declared]  # type: ignore[union-attr]
    assert set(names) <= set(pinned)
    assert lock.count("--hash=sha256:") >= len(pinned)


README = (ROOT / "README.md").read_text(encoding="utf-8")
SHOWN = [
    line.removeprefix("$ ")
    for block in re.findall(r"```(?:console|sh)\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
]
TARGETS = [line.split()[1] for line in SHOWN if line.startswith("make ")]
COMMANDS = [line.split("#")[0].strip() for line in SHOWN if line.startswith("salamander ")]


@pytest.mark.parametrize("target", TARGETS)
def test_every_make_target_that_the_readme_shows_exists(target: str) -> None:
    subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)


def test_every_command_that_the_readme_shows_runs(server: str, tmp_path: Path) -> None:
    """They run in order, in a copy of the project with fewer candidates; up, down and serve have tests of their own."""
    for folder in ("data/digits", "expectations"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("store", "__pycache__"))
    path = tmp_path / "data" / "digits" / "problem.toml"
    text = path.read_text()
    quick = re.findall(r"\[\[candidates\]\]\nname = \"(?:svm|neighbours)\".*?\n\n", text, re.DOTALL)
    path.write_text(text.split("[[candidates]]")[0] + "".join(quick) + text[text.index("[gate]") :])
    wines = load_wine(as_frame=True).frame
    wines.rename(columns={"target": "grower"}).to_csv(tmp_path / "wines.csv", index=False)
    assert COMMANDS
    for shown in COMMANDS:
        words = shlex.split(shown)[1:]
        if words[0] in {"up", "down", "serve"} or {"housing", "titanic"} & set(words):
            continue
        if words[0] == "rollback":
            path.write_text(path.read_text().replace("C = 10.0", "C = 9.0"))
            salamander(tmp_path, "train", "digits")
        salamander(tmp_path, *words)


def test_the_problem_that_the_readme_declares_is_right(tmp_path: Path) -> None:
    found = re.findall(r"```(toml|python)\n(.*?)```", README, re.DOTALL)
    problem, scoring, search, gate, serving = (text for kind, text in found if kind == "toml")
    blocks = dict(found) | {"toml": problem}
    (tmp_path / "data" / "wine").mkdir(parents=True)
    (tmp_path / "expectations").mkdir()
    written = textwrap.dedent(blocks["toml"]).replace('"..."', f'"{"0" * 64}"')
    (tmp_path / "data" / "wine" / "problem.toml").write_text(written)
    (tmp_path / "expectations" / "wine.py").write_text(textwrap.dedent(blocks["python"]))
    assert load_problem("wine", tmp_path).target == "grower"
    assert load_expectations(find_suite("wine", tmp_path))
    assert Gate.model_validate(tomllib.loads(gate)["gate"]).approval == "manual"
    head = {"name": "p", "task": "regression", "target": "y", "source": {"kind": "bundled", "name": "diabetes"}}
    assert Problem.model_validate(head | tomllib.loads(search)).ensembles[0].kind == "greedy"
    declared = Problem.model_validate(head | {"candidates": "auto"} | tomllib.loads(scoring))
    assert declared.scoring is not None
    assert declared.scoring.schedule is not None
    declared = Problem.model_validate(head | {"candidates": "auto"} | tomllib.loads(serving))
    assert declared.serving.private == ("Name",)


def salamander(project: Path, *words: str) -> None:
    command = [sys.executable, "-c", "from flows.cli import main; main()", *words, "--project", str(project)]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"salamander {' '.join(words)}: {done.stdout}{done.stderr}"
