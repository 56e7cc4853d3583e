import threading
import time

import pytest
from threadpoolctl import threadpool_info

from tasks.cores import CORES, one_core


def test_at_most_one_fit_a_core_runs_at_a_time():
    running, most, lock = 0, 0, threading.Lock()

    def fit():
        nonlocal running, most
        with one_core():
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.02)
            with lock:
                running -= 1

    threads = [threading.Thread(target=fit) for _ in range(CORES * 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert (running, most) == (0, CORES)


def test_a_fit_that_fails_gives_its_core_back():
    for _ in range(CORES + 1):
        with pytest.raises(ValueError, match="diverged"), one_core():
            raise ValueError("diverged")


def test_a_fit_keeps_to_one_thread():
    import sklearn.ensemble  # noqa: F401 - brings OpenMP

    with one_core():
        openmp = [library for library in threadpool_info() if library["user_api"] == "openmp"]
        assert [library["num_threads"] for library in openmp] == [1] * len(openmp) != []
