import os
import threading
import time

from joblib import delayed
from threadpoolctl import threadpool_info

from tasks.cores import CORES, MANY_ROWS, alone, one_core_each


def test_at_most_one_call_a_core_runs_at_a_time_whoever_asks():
    def working() -> tuple[int, float, float, set[int]]:
        """Give this process, when it began and ended, and how many threads its libraries may use."""
        import sklearn.ensemble  # noqa: F401 - brings OpenMP and BLAS

        begun = time.monotonic()
        time.sleep(0.1)
        threads = {library["num_threads"] for library in threadpool_info()}
        return os.getpid(), begun, time.monotonic(), threads

    found: list[tuple[int, float, float, set[int]]] = []
    askers = [
        threading.Thread(target=lambda: found.extend(one_core_each(delayed(working)() for _ in range(4))))
        for _ in range(3)
    ]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert len(found) == 12
    for _, begun, _, threads in found:
        assert threads == {1}
        assert sum(first <= begun < last for _, first, last, _ in found) <= CORES
    assert os.getpid() not in {process for process, *_ in found}


def test_results_come_in_the_order_of_the_calls():
    assert one_core_each(delayed(divmod)(number, 3) for number in range(7)) == [
        divmod(number, 3) for number in range(7)
    ]


def test_openmp_gets_all_cores_only_where_rows_are_many():
    import sklearn.ensemble  # noqa: F401 - brings OpenMP

    def openmp() -> set[int]:
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "openmp"}

    with alone(MANY_ROWS - 1):
        assert openmp() == {1}
    with alone(MANY_ROWS):
        assert openmp() == {CORES}
