"""Measure: what a model costs to serve, and whether it behaves as declared, in a process of its own.

The first measurement is kept and stands as evidence ever after: a second one would give other figures.
"""

from __future__ import annotations

from prefect import get_run_logger, task

from tasks.fresh_process import FreshProcess
from tasks.gate import Behaviour
from tasks.records import Artifact, Measurements, Model
from tasks.store import Store


@task(task_run_name="measure {model.candidate.name}")
def measure(
    model: Model, test: Artifact, behaviours: tuple[Behaviour, ...], store: Store, fresh: FreshProcess
) -> Measurements:
    """Give what was measured of a model, on test rows, in a fresh process.

    Raises
    ------
    SalamanderError
        It cannot be loaded there or does not predict.
    ProblemError
        A behaviour is about a column, a class or a probability that is not there.
    """
    logger = get_run_logger()
    logger.info("Measuring %s in a process of its own.", model.candidate.name)
    found = fresh.measure(model, test, behaviours, store)
    logger.info("%s", sentence(found))
    for behaviour, share in zip(behaviours, found.broken, strict=True):
        logger.info("%s: broken by %.1f %% of %s rows.", behaviour.sentence, 100 * share, f"{found.behaviour_rows:,}")
    return found


def sentence(found: Measurements) -> str:
    """Give measurements as a person would say them."""
    return (
        f"95 % of single rows within {found.row_milliseconds:.1f} ms, {found.batch_rows:,} rows in "
        f"{found.batch_seconds:.3f} s; {found.megabytes:.1f} MB of files, {found.memory_megabytes:.0f} MB of memory."
    )
