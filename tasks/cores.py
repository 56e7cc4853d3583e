"""Who gets the cores: one place decides.

Candidates are compared in parallel as mapped task runs, and the fits of each in parallel too. All of them are calls to
one shared set of processes (loky, joblib's), one a core, in which OpenMP and BLAS keep to one thread; so whatever the
nesting, at most one fit a core runs at a time. (Threads would share Python's interpreter lock: fits of gradient
boosting that ran two at a time in threads took three times as long.) The final fit of the winner has the machine to
itself.

A process that the system kills breaks the whole set, with every call that it was given. Those that had not been begun
are made again by a new set; those that had are suspects, of which each is made again in a process of its own. Who dies
there too is guilty, the others have lost a moment.
"""

from __future__ import annotations

import importlib
import os
import re
import tempfile
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import BrokenExecutor, Future
from contextlib import contextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Generic, TypeVar

from tasks.memory import free_memory, limited, share

R = TypeVar("R")
CORES = len(os.sched_getaffinity(0))
MANY_ROWS = 100_000
IDLE_SECONDS = 300
MOST_BEGUN = 5
"""A call that was given to so many sets of processes, each of which broke before it was made, is suspect too."""

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

_ALONE, _MARKING = threading.Lock(), threading.Lock()
_NUMBERS = count()


class Died(Exception):  # noqa: N818 - what happened to a process, not to this one
    """The process that made a call was ended by the system, twice."""


class Call(Generic[R]):
    """A call that is made, from now on, in a process that has one core and its share of the memory.

    Parameters
    ----------
    function : callable
        What is called; it can be pickled, as its arguments and its result can.
    """

    def __init__(self, function: Callable[..., R], *arguments: Any) -> None:
        self._work = (function, arguments)
        self._begun = 0
        self._begin()

    def result(self) -> R:
        """Wait for the result, and give it.

        Raises
        ------
        Died
            The process was killed, and so was another that did nothing else. Other errors are those of the call.
        """
        while True:
            try:
                return self._future.result()
            except BrokenExecutor:
                if self._mark.exists() or self._begun == MOST_BEGUN:
                    self._mark.unlink(missing_ok=True)
                    return self._alone()
                self._begin()

    def cancel(self) -> None:
        """Take the call back, if it has not begun."""
        self._future.cancel()

    def _begin(self) -> None:
        from joblib.externals.loky import get_reusable_executor

        self._begun += 1
        self._mark = _marks() / f"{next(_NUMBERS)}"
        while True:
            processes = get_reusable_executor(max_workers=CORES, timeout=IDLE_SECONDS, env=ONE_THREAD)
            with suppress(BrokenExecutor):  # it broke just now: the next one is new
                self._future: Future[R] = processes.submit(_made, *self._work, _most(), self._mark)
                return

    def _alone(self) -> R:
        from joblib.externals.loky import ProcessPoolExecutor

        with _ALONE, ProcessPoolExecutor(max_workers=1, env=ONE_THREAD) as process:
            try:
                return process.submit(_made, *self._work, _most()).result()
            except BrokenExecutor as error:
                raise Died(_how(error)) from error


def one_core_each(calls: Iterable[tuple[Callable[..., R], Sequence[Any]]]) -> list[R]:
    """Give the results of calls, each a function and its arguments, made by processes that have one core each."""
    begun = [Call(function, *arguments) for function, arguments in calls]
    return [call.result() for call in begun]


def warm_up(*modules: str) -> None:
    """Let each of the processes import modules in the background, while this one has other things to do."""
    calls = [(_import, modules)] * CORES
    threading.Thread(target=one_core_each, args=(calls,), name="warm-up", daemon=True).start()


@contextmanager
def alone(rows: int) -> Generator[None]:
    """Let a fit have the machine: forests grow on all cores, OpenMP takes them where rows are many.

    OpenMP's threads wait for each other thousands of times in a fit of gradient boosting: on 16,000 rows two threads
    are no faster than one on an idle machine, and ten times slower where another program wants a core. (What is fitted
    so predicts with one thread: a forest adds its trees up in the order in which threads finish.)
    """
    from joblib import parallel_config
    from threadpoolctl import threadpool_limits

    limit = threadpool_limits(limits=None if rows >= MANY_ROWS else 1, user_api="openmp")
    with parallel_config(backend="threading", n_jobs=CORES), limit:
        yield


def _import(*modules: str) -> None:
    for module in modules:
        importlib.import_module(module)


@cache
def _most() -> int | None:
    """Give the bytes that each process may take, as it was when the first call was made."""
    return share(CORES, free_memory())


def _marks() -> Path:
    """Give the folder in which a file stands for each call that is being made: what dies leaves it there."""
    with _MARKING:
        return Path(_folder().name)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="salamander-calls-", ignore_cleanup_errors=True)


def _made(function: Callable[..., R], arguments: Sequence[Any], most: int | None, mark: Path | None = None) -> R:
    if mark is None:
        with limited(most):
            return function(*arguments)
    mark.touch()
    try:
        return _made(function, arguments, most)
    finally:
        mark.unlink(missing_ok=True)


def _how(error: BrokenExecutor) -> str:
    signals = sorted(set(re.findall(r"SIG[A-Z]+", str(error))))
    if not signals and error.__cause__:
        return f"it cannot be read by another process: {str(error.__cause__).strip().splitlines()[-2:][0]}"
    return (
        f"the process of one of its fits was ended by the system twice ({' and '.join(signals) or 'no signal known'}), "
        "as happens where memory runs out"
    )
