import subprocess
import sys

import numpy as np

from tasks.networking.engine import started_anew, tensorflow


def test_tensorflow_is_quiet_and_on_one_thread():
    code = (
        "from tasks.networking.engine import tensorflow\n"
        "tf = tensorflow()\n"
        "print(tf.config.threading.get_intra_op_parallelism_threads(), "
        "tf.config.threading.get_inter_op_parallelism_threads())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("1 1\n", "")


def test_what_is_drawn_after_a_start_depends_on_the_seed_alone():
    drawn = [started_anew(seed).random.normal((4,)).numpy() for seed in (7, 7, 8)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0] != drawn[2]).all()
    assert tensorflow() is tensorflow()
