"""Who gets the cores: one place decides.

Candidates are compared in parallel as mapped task runs, and the folds of each in parallel too. All their fits go
through joblib to one shared set of processes, one a core, in which OpenMP and BLAS keep to one thread; so whatever the
nesting, at most one fit a core runs at a time. (Threads would share Python's interpreter lock: fits of gradient
boosting that ran two at a time in threads took three times as long.) The final fit of the winner has the machine to
itself.
"""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any

CORES = len(os.sched_getaffinity(0))
MANY_ROWS = 100_000


def one_core_each(calls: Iterable[Any]) -> list[Any]:
    """Give the results of delayed calls (`joblib.delayed`), each made in a process that has one core.

    A call must not raise: joblib answers an exception by ending the processes, which other candidates use too.
    """
    from joblib import Parallel, parallel_config

    with parallel_config(backend="loky", inner_max_num_threads=1):
        return list(Parallel(n_jobs=CORES)(calls))


def warm_up(*modules: str) -> None:
    """Let each of the processes import modules in the background, while this one has other things to do."""
    from joblib import delayed

    calls = [delayed(_import)(modules) for _ in range(CORES)]
    threading.Thread(target=one_core_each, args=(calls,), name="warm-up", daemon=True).start()


def _import(modules: tuple[str, ...]) -> None:
    for module in modules:
        importlib.import_module(module)


@contextmanager
def alone(rows: int) -> Generator[None]:
    """Let OpenMP use all cores where rows are many.

    Its threads wait for each other thousands of times in a fit of gradient boosting: on 16,000 rows two threads are no
    faster than one on an idle machine, and ten times slower where another program wants a core.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=None if rows >= MANY_ROWS else 1, user_api="openmp"):
        yield
