"""Approval: where a problem asks for it, a person decides in the Prefect UI, with the verdict in front of them.

The run pauses and waits. `salamander promote` and `salamander reject` answer it as well; after the time-out it goes on
with the answer that nobody gave one, and the version is held.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Generator
from uuid import UUID

import httpx
from prefect import get_run_logger, pause_flow_run, resume_flow_run
from prefect.exceptions import NotPausedError
from prefect.input import RunInput
from prefect.runtime import flow_run

from flows.verdicts import verdict_text
from tasks.records import Answer, Version
from tasks.registry import Registry

HOUR_SECONDS = 3600.0
LOOK_SECONDS = 1.0
"""How often the run looks for an answer, from the UI and in the registry."""


class Approval(RunInput):
    """What the form in the Prefect UI asks for."""

    approve: bool
    because: str


def answer(version: Version, registry: Registry, since: int, hours: float) -> Answer:
    """Pause the flow run until a person decides on a version, or the hours are over, and give what was decided.

    ``since`` is the number of the newest decision before the version could be decided on.
    """
    get_run_logger().info("Version %s awaits approval for %g hours.", version.number, hours)
    form = Approval.with_initial_data(
        description=verdict_text(registry.store.problem, version.scores, version.verdict), approve=False, because=""
    )
    seconds = hours * HOUR_SECONDS
    with _watched(version, registry, since, seconds) as answers:
        # The server ends what is paused for too long as failed; the watch answers well before that.
        given = pause_flow_run(wait_for_input=form, timeout=int(seconds) + 600, poll_interval=1)
    if answers:
        return answers[0]
    return Answer(approved=given.approve, because=given.because or "No reason was given.", by="Prefect UI")


@contextlib.contextmanager
def _watched(version: Version, registry: Registry, since: int, seconds: float) -> Generator[list[Answer]]:
    """Watch the registry and the clock meanwhile, and resume the run with the answer that is found there."""
    run, over, answers = UUID(flow_run.get_id()), threading.Event(), list[Answer]()
    deadline = time.monotonic() + seconds

    def watch() -> None:
        found: Answer | None = None
        while not over.wait(LOOK_SECONDS):
            found = found or _decided(version, registry, since)
            if found is None and time.monotonic() > deadline:
                found = Answer(approved=None, because=f"Nobody decided within {seconds / HOUR_SECONDS:g} hours.", by="")
            if found:
                answers[:] = [found]
                # It may not be paused yet, its form not be kept yet, or the server be busy: until the next look.
                with contextlib.suppress(NotPausedError, RuntimeError, httpx.HTTPError):
                    resume_flow_run(run, run_input={"approve": bool(found.approved), "because": found.because})

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join()


def _decided(version: Version, registry: Registry, since: int) -> Answer | None:
    """Give what was decided on a version from the command line since a decision."""
    for decision in registry.history():
        if decision.number > since and decision.version == version.number and decision.kind in {"promoted", "rejected"}:
            return Answer(approved=decision.kind == "promoted", because=decision.reason, by=decision.by)
    return None
