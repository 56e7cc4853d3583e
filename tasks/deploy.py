"""Deploy: number the version, prove that it works in a fresh process, then move the champion pointer.

Nothing here is cached: each step can be repeated, so a run that died between two of them is finished by the next.
"""

from __future__ import annotations

from typing import Literal

from prefect import get_run_logger, task

from tasks.errors import SalamanderError
from tasks.fresh_process import FreshProcess
from tasks.records import Version
from tasks.registry import Registry
from tasks.store import Store

Result = Literal["deployed", "held", "not deployed", "champion changed"]


@task(task_run_name="deploy")
def deploy(draft: Version, store: Store, fresh: FreshProcess, *, promote: bool) -> tuple[Version, Result]:
    """Register a version and, where its verdict and the caller allow it, put it into production."""
    logger = get_run_logger()
    registry = Registry(store)
    version = registry.register(draft)
    logger.info("Registered as version %s.", version.number)
    if not version.verdict.promote:
        logger.info("Held: version %s is kept, production stays as it is.", version.number)
        return version, "held"
    if not promote:
        logger.info("Not asked to deploy: production stays as it is.")
        return version, "not deployed"
    fresh.rehearse(version, store)
    logger.info("A fresh process repeated its predictions.")
    if registry.promote(version, version.scores.champion_version) is None:
        logger.warning("Another run changed the champion since this one was judged: production stays as it is.")
        return version, "champion changed"
    try:
        registry.project()
    except (SalamanderError, OSError) as error:
        logger.error("The folder for TensorFlow Serving could not be brought in line: %s", error)  # noqa: TRY400
    logger.info("Version %s is in production.", version.number)
    return version, "deployed"
