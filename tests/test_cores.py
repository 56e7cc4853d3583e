import os
import signal
import threading
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from tasks.cores import CORES, MANY_ROWS, Call, Died, alone, one_core_each


def test_at_most_one_call_a_core_runs_at_a_time_whoever_asks():
    def working() -> tuple[int, float, float, set[int]]:
        """Give this process, when it began and ended, and how many threads its libraries may use."""
        import sklearn.ensemble  # noqa: F401 - brings OpenMP and BLAS

        begun = time.monotonic()
        time.sleep(0.1)
        threads = {library["num_threads"] for library in threadpool_info()}
        return os.getpid(), begun, time.monotonic(), threads

    found: list[tuple[int, float, float, set[int]]] = []
    askers = [threading.Thread(target=lambda: found.extend(one_core_each([(working, ())] * 4))) for _ in range(3)]
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
    assert one_core_each((divmod, (number, 3)) for number in range(7)) == [divmod(number, 3) for number in range(7)]


def test_an_error_concerns_its_own_call_only():
    calls = [Call(divmod, 7, number) for number in (2, 0, 3)]
    assert calls[0].result() == (3, 1)
    with pytest.raises(ZeroDivisionError):
        calls[1].result()
    assert calls[2].result() == (2, 1)


def test_a_process_that_is_killed_costs_the_guilty_call_only(tmp_path):
    def counted(path) -> int:
        with path.open("a") as file:
            file.write("x")
        return path.stat().st_size

    def dies_once():
        """Die as where memory runs out, the first time."""
        if counted(unlucky) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return "done"

    def dies():
        """Die always; the other one was begun before, and is counted by then."""
        counted(guilty)
        while not (unlucky.exists() and unlucky.stat().st_size):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)

    guilty, unlucky = tmp_path / "guilty", tmp_path / "unlucky"
    calls = [Call(divmod, number, 3) for number in range(4)]
    first, second = Call(dies_once), Call(dies)
    calls += [Call(divmod, number, 3) for number in range(4, 12)]
    assert [call.result() for call in calls] == [divmod(number, 3) for number in range(12)]
    assert first.result() == "done"
    with pytest.raises(Died, match=r"was ended by the system twice \(SIGKILL\)"):
        second.result()
    assert len(guilty.read_text()) <= 3


def test_a_call_that_no_process_can_read_is_told(monkeypatch, tmp_path):
    (tmp_path / "only_here.py").write_text("def there():\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import only_here

    monkeypatch.undo()
    with pytest.raises(Died, match="only_here"):
        Call(only_here.there).result()
    assert Call(divmod, 7, 2).result() == (3, 1)


def test_a_call_that_takes_too_much_memory_fails_by_itself():
    with pytest.raises(MemoryError):
        Call(np.ones, 2**50, "int8").result()
    assert Call(divmod, 7, 2).result() == (3, 1)


def test_openmp_gets_all_cores_only_where_rows_are_many():
    import sklearn.ensemble  # noqa: F401 - brings OpenMP

    def openmp() -> set[int]:
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "openmp"}

    with alone(MANY_ROWS - 1):
        assert openmp() == {1}
    with alone(MANY_ROWS):
        assert openmp() == {CORES}
