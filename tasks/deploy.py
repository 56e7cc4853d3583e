"""Deploy: number the version, prove that it works in a fresh process, then move the champion pointer.

Nothing here is cached: each step can be repeated, so a run that died between two of them is finished by the next.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Literal, cast

from prefect import get_run_logger, task

from tasks.errors import SalamanderError
from tasks.records import Cause, Version
from tasks.registry import Registry
from tasks.store import Store

Result = Literal["deployed", "held", "not deployed", "champion changed", "blocked", "frozen"]
WHY_NOT: dict[Cause, str] = {
    "champion changed": "Another run changed the champion since this one was judged",
    "blocked": "The same content is blocked",
    "frozen": "Nothing is promoted while all is frozen",
}


class FreshProcess:
    """A Python process that imports what a rehearsal needs while others work, and waits for the version to rehearse.

    Use it as a context: at the end the process is gone, whether it was asked for a rehearsal or not.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tasks.rehearse"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> FreshProcess:
        """Give the process itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def rehearse(self, version: Version, store: Store) -> None:
        """Load a version in the process and compare its predictions for the test rows with those it was judged by.

        Raises
        ------
        SalamanderError
            It cannot be loaded there, or it predicts something else.
        """
        asked = json.dumps([str(store.root), store.problem, version.number])
        out, errors = self._process.communicate(asked)
        if self._process.returncode != 0:
            lines = errors.strip().splitlines()
            reason = lines[-1] if lines else f"exit code {self._process.returncode}"
            raise SalamanderError(f"Version {version.number} failed its rehearsal in a fresh process: {reason}")
        answer = json.loads(out.splitlines()[-1])
        if not answer["same"]:
            raise SalamanderError(
                f"Version {version.number} predicts something else in a fresh process: {answer['different']} of "
                f"{answer['rows']} rows differ, by up to {answer['largest']:.3g}."
            )


@task(task_run_name="deploy")
def deploy(draft: Version, store: Store, fresh: FreshProcess, *, promote: bool) -> tuple[Version, Result]:
    """Register a version and, where its verdict and the caller allow it, put it into production."""
    logger = get_run_logger()
    registry = Registry(store)
    version = registry.register(draft)
    logger.info("Registered as version %s.", version.number)
    if not version.verdict.promote:
        registry.hold(version, version.verdict.cause or "cannot tell", version.verdict.reason)
        logger.info("Held: version %s is kept, production stays as it is.", version.number)
        return version, "held"
    if not promote:
        registry.hold(version, "not deployed", "The run was asked not to deploy.")
        logger.info("Not asked to deploy: production stays as it is.")
        return version, "not deployed"
    fresh.rehearse(version, store)
    logger.info("A fresh process repeated its predictions.")
    done = registry.promote(version, version.scores.champion_version)
    if isinstance(done, str):
        registry.hold(version, done, f"{WHY_NOT[done]}.")
        logger.warning("%s: production stays as it is.", WHY_NOT[done])
        return version, cast("Result", done)
    try:
        registry.project()
    except (SalamanderError, OSError) as error:
        logger.error("The folder for TensorFlow Serving could not be brought in line: %s", error)  # noqa: TRY400
    logger.info("Version %s is in production.", version.number)
    return version, "deployed"
