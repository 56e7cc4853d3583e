"""Before a command ends, every task run that it executed stands on the server, in the state that it ended in."""

from __future__ import annotations

import time
from collections.abc import Iterable
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterId
from prefect.client.schemas.sorting import TaskRunSort

from tasks.errors import SalamanderError

PAGE = 200


def wait_until_recorded(task_runs: Iterable[str], timeout_seconds: float = 60) -> None:
    """Wait until the server has all these task runs in a final state.

    Raises
    ------
    SalamanderError
        Some are still missing after the time-out.
    """
    missing = {UUID(identifier) for identifier in task_runs}
    total, deadline = len(missing), time.monotonic() + timeout_seconds
    with get_client(sync_client=True) as client:
        while missing:
            wanted = list(missing)[:PAGE]
            among = TaskRunFilter(id=TaskRunFilterId(any_=wanted))
            found = client.read_task_runs(task_run_filter=among, sort=TaskRunSort.ID_DESC, limit=PAGE)
            missing -= {run.id for run in found if run.state and run.state.is_final()}
            if missing and time.monotonic() > deadline:
                raise SalamanderError(
                    f"The Prefect server has recorded {total - len(missing)} of {total} task runs after "
                    f"{timeout_seconds:.0f} s; the result of the run itself is complete."
                )
            if missing:
                time.sleep(0.1)
