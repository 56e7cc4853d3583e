"""Deployments: `prefect.yaml` says what runs by itself, for each problem; it is written from the problem files.

The schedule and its time zone stand in `data/<problem>/problem.toml` and nowhere else. `prefect.yaml` is their picture
in Prefect's own format, so that `prefect deploy --all` works as every Prefect user expects.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from flows.local_server import running, start, ui_url, use_server
from tasks.errors import ProblemError, SalamanderError
from tasks.problem import Problem, Schedule, load_problem, problem_names

WORK_POOL = "salamander"
HEADER = "# Written by `salamander up` from data/*/problem.toml: change schedules there.\n"


def prefect_yaml(project: Path, store: str | None = None) -> str:
    """Give the text of a project's `prefect.yaml`; its runs use the project's own store unless another is named."""
    problems = [load_problem(name, project) for name in problem_names(project)]
    parameters = {"store": store} if store else {}
    trained = [_deployment("training", problem, problem.schedule, parameters) for problem in problems]
    scored = [_deployment("scoring", each, each.scoring.schedule, parameters) for each in problems if each.scoring]
    content = {"name": "salamander", "deployments": [*trained, *scored]}
    return HEADER + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)


def _deployment(flow: str, problem: Problem, schedule: Schedule | None, parameters: dict[str, str]) -> dict[str, Any]:
    return {
        "name": problem.name,
        "description": problem.description,
        "entrypoint": f"flows.{flow}.{flow}",
        "parameters": {"problem": problem.name, **parameters},
        "tags": [problem.name],
        "concurrency_limit": {"limit": 1, "collision_strategy": "ENQUEUE"},
        "schedules": [{"cron": schedule.cron, "timezone": schedule.timezone}] if schedule else [],
        "work_pool": {"name": WORK_POOL},
    }


def bring_up(project: Path, store: str | None = None) -> dict[str, Any]:
    """Start what is needed to run a project's flows by themselves; give the addresses and what was deployed.

    Raises
    ------
    ProblemError
        The project has a `prefect.yaml` of its own, which is not overwritten.
    SalamanderError
        Prefect did not accept the deployments: in its own words.
    """
    path = project / "prefect.yaml"
    if path.exists() and not path.read_text(encoding="utf-8").startswith(HEADER):
        raise ProblemError(
            f"{path} was not written by salamander and stays as it is; rename it, and deploy what it says with "
            "prefect deploy --all --prefect-file NAME."
        )
    path.write_text(prefect_yaml(project, store), encoding="utf-8")
    api = use_server()
    _prefect(project, "work-pool", "create", WORK_POOL, "--type", "process", "--overwrite")
    _prefect(project, "--no-prompt", "deploy", "--all")
    if not running("worker"):
        start("worker", ["worker", "start", "--pool", WORK_POOL, "--type", "process"])
    written = yaml.safe_load(path.read_text(encoding="utf-8"))["deployments"]
    names = [f"{each['entrypoint'].rpartition('.')[2]}/{each['name']}" for each in written]
    return {"api": api, "ui": ui_url(api), "deployments": names}


def _prefect(project: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "prefect", *arguments]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SalamanderError(f"prefect {' '.join(arguments)} failed: {(done.stderr or done.stdout).strip()[-500:]}")
