"""Before a command ends, every task run that it executed stands on the server, in the state that it ended in."""

from __future__ import annotations

import time
from collections.abc import Iterable
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterId
from prefect.client.schemas.sorting import TaskRunSort

PAGE = 200


def wait_until_recorded(task_runs: Iterable[str], timeout_seconds: float = 60) -> int:
    """Wait until the server has all these task runs in a final state; give how many it still has not at the end."""
    missing = {UUID(identifier) for identifier in task_runs}
    deadline = time.monotonic() + timeout_seconds
    with get_client(sync_client=True) as client:
        while missing and time.monotonic() < deadline:
            among = TaskRunFilter(id=TaskRunFilterId(any_=list(missing)[:PAGE]))
            found = client.read_task_runs(task_run_filter=among, sort=TaskRunSort.ID_DESC, limit=PAGE)
            recorded = {run.id for run in found if run.state and run.state.is_final()}
            missing -= recorded
            if missing and not recorded:
                time.sleep(0.1)
    return len(missing)
