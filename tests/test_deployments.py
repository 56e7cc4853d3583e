"""Deployments: `prefect.yaml` follows the problem files, and a deployed flow runs on a real worker."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from flows.deployments import bring_up, prefect_yaml
from tasks.errors import ProblemError

ROOT = Path(__file__).parent.parent


def test_prefect_yaml_is_what_the_problem_files_say() -> None:
    assert (ROOT / "prefect.yaml").read_text() == prefect_yaml(ROOT), "run `salamander up`, which writes it anew"


def test_a_deployment_has_the_problems_schedule_one_run_at_a_time_and_a_process_pool(project: Path) -> None:
    path = project / "data" / "wine" / "problem.toml"
    path.write_text(path.read_text() + '\n[schedule]\ncron = "5 4 * * 0"\ntimezone = "Asia/Tokyo"\n')
    deployment = yaml.safe_load(prefect_yaml(project))["deployments"][0]
    assert deployment["name"] == "wine"
    assert deployment["parameters"] == {"problem": "wine"}
    assert deployment["schedules"] == [{"cron": "5 4 * * 0", "timezone": "Asia/Tokyo"}]
    assert deployment["concurrency_limit"]["limit"] == 1
    assert deployment["tags"] == ["wine"]


def test_scoring_that_is_declared_is_deployed_on_its_own_schedule(project: Path) -> None:
    path = project / "data" / "wine" / "problem.toml"
    scoring = (
        '[scoring]\nout = "out.csv"\nsource = { kind = "files", path = "in.csv" }\nschedule = { cron = "0 6 * * *" }'
    )
    path.write_text(f"{path.read_text()}\n{scoring}\n")
    trained, scored = yaml.safe_load(prefect_yaml(project))["deployments"]
    assert (trained["name"], trained["entrypoint"], trained["schedules"]) == ("wine", "flows.training.training", [])
    assert (scored["name"], scored["entrypoint"]) == ("wine", "flows.scoring.scoring")
    assert scored["schedules"] == [{"cron": "0 6 * * *", "timezone": "UTC"}]
    assert scored["parameters"] == {"problem": "wine"}


def test_a_prefect_yaml_that_is_not_ours_is_not_overwritten(project: Path) -> None:
    own = project / "prefect.yaml"
    own.write_text("name: mine\n")
    with pytest.raises(ProblemError, match="was not written by salamander and stays as it is"):
        bring_up(project)
    assert own.read_text() == "name: mine\n"


@pytest.fixture
def up(server: str, project: Path) -> dict[str, object]:
    answer = salamander("up", "--project", str(project), "--json")
    yield answer
    from flows.local_server import stop

    assert stop("worker")


def salamander(*arguments: str) -> dict[str, object]:
    command = [sys.executable, "-c", "from flows.cli import main; main()", *arguments]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_a_deployed_flow_of_a_project_elsewhere_runs_on_the_worker(up: dict[str, object], project: Path) -> None:
    assert up["deployments"] == ["training/wine"]
    command = [sys.executable, "-m", "prefect", "deployment", "run", "training/wine", "--watch"]
    environment = os.environ | {"PREFECT_API_URL": str(up["api"])}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    status = salamander("status", "wine", "--project", str(project), "--json")
    assert status["champion"] == 1
    assert salamander("up", "--project", str(project), "--json") == up
