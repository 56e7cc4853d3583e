import contextlib
import resource

import numpy as np
import pytest
from joblib.externals.loky import ProcessPoolExecutor

from tasks.memory import LEAST, _available, _left, free_memory, limited, share


def test_a_share_leaves_something_to_others_and_is_enough_for_tensorflow():
    assert share(2, 100 * 2**30) == 45 * 2**30
    assert share(8, 2**30) == LEAST
    assert share(8, None) is None


def test_what_is_free_is_what_linux_says(tmp_path):
    assert 2**20 < free_memory() < 2**50
    (tmp_path / "meminfo").write_text("MemTotal:  2048 kB\nMemAvailable:  1024 kB\n")
    assert _available(tmp_path / "meminfo") == 2**20
    assert _available(tmp_path / "none") is None


def test_a_container_may_have_less(tmp_path):
    assert _left(tmp_path) is None
    (tmp_path / "memory.current").write_text("300\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert _left(tmp_path) is None
    (tmp_path / "memory.max").write_text("1000\n")
    assert _left(tmp_path) == 700


@pytest.mark.parametrize(("size", "expected"), [(2**20, 2**20), (2**32, None)])
def test_what_is_beyond_the_limit_is_refused_and_the_limit_is_lifted_again(size, expected):
    def taken(size, most):
        """Give the bytes that a process could take below a limit, and its limits before and afterwards."""
        before, found = resource.getrlimit(resource.RLIMIT_DATA), None
        with contextlib.suppress(MemoryError), limited(most):
            found = len(np.ones(size, dtype="int8"))
        return found, before, resource.getrlimit(resource.RLIMIT_DATA)

    with ProcessPoolExecutor(max_workers=1) as process:
        found, before, after = process.submit(taken, size, 2**31).result()
    assert found == expected
    assert before == after
