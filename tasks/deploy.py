"""Deploy: number the version, prove that it works in a fresh process, then move the champion pointer.

Nothing here is cached: each step can be repeated, so a run that died between two of them is finished by the next.
"""

from __future__ import annotations

from prefect import get_run_logger, task

from tasks.errors import SalamanderError
from tasks.fresh_process import FreshProcess
from tasks.records import Answer, Cause, Version
from tasks.registry import Registry
from tasks.store import Store


@task(task_run_name="deploy")
def deploy(
    draft: Version,
    store: Store,
    fresh: FreshProcess,
    *,
    promote: bool,
    approval: Answer | None = None,
    adopted: Answer | None = None,
) -> tuple[Version, Cause | None]:
    """Register a version and, where its verdict, the caller and whoever was asked allow it, put it into production.

    A model that was ``adopted`` is what is in production already, somewhere else: where there is no champion it becomes
    one whatever the verdict says of it, so that the next one is compared with it.

    Returns
    -------
    tuple of Version and Cause or None
        The version with its number, and why it was held; None where it is in production.
    """
    logger = get_run_logger()
    registry = Registry(store)
    version = registry.register(draft)
    logger.info("Registered as version %s.", version.number)
    first = adopted if version.scores.champion_version is None else None
    cause = _withheld(version, registry, promote, approval, first)
    if cause is None:
        fresh.rehearse(version, store)
        logger.info("A fresh process repeated its predictions.")
        cause = _promoted(version, registry, approval, first)
    if cause:
        registry.hold(version, cause, *((approval.because, approval.by) if approval else (version.verdict.reason,)))
        logger.info("Held (%s): version %s is kept, production stays as it is.", cause, version.number)
        return version, cause
    try:
        registry.project()
    except (SalamanderError, OSError) as error:
        logger.error("The folder for TensorFlow Serving could not be brought in line: %s", error)  # noqa: TRY400
    logger.info("Version %s is in production.", version.number)
    return version, None


def _promoted(version: Version, registry: Registry, approval: Answer | None, adopted: Answer | None) -> Cause | None:
    """Put a version into production, and write down who said so; give what hindered it, if something did."""
    said = adopted or approval
    word, verdict = ("Adopted", "The gate would say: ") if adopted else ("Approved", "")
    moved = registry.promote(
        version,
        version.scores.champion_version,
        kind="adopted" if adopted else "promoted",
        reason=said and f"{word}: {said.because} {verdict}{version.verdict.reason}",
        by=said.by if said else None,
    )
    return moved if isinstance(moved, str) else None


def _withheld(
    version: Version, registry: Registry, promote: bool, approval: Answer | None, adopted: Answer | None
) -> Cause | None:
    """Give why a version is not to be deployed, before anything is tried."""
    if not (version.verdict.promote or adopted):
        return version.verdict.cause
    if registry.is_blocked(version.model):
        return "blocked"
    if not promote:
        return "not deployed"
    if approval and not approval.approved:
        return "awaiting approval" if approval.approved is None else "rejected"
    return None
