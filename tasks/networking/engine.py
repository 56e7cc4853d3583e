"""TensorFlow, imported when a network is fitted or loaded and never before: ten seconds on a cold machine."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager, redirect_stderr
from functools import cache
from typing import Any

ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "CUDA_VISIBLE_DEVICES": "-1"}
"""What TensorFlow must find when it is imported, unless the user said otherwise: else it rounds in other ways."""


@cache
def tensorflow() -> Any:
    """Give TensorFlow, quiet and on one thread."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with _without_native_messages():
        import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.get_logger().setLevel("ERROR")
    return tf


def started_anew(seed: int) -> Any:
    """Give Keras with nothing left of networks before, seeded: its random state is the process's."""
    keras = tensorflow().keras
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    return keras


@contextmanager
def _without_native_messages() -> Generator[None]:
    """Drop what TensorFlow's C++ side writes straight to file descriptor 2 before its log level counts."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with os.fdopen(os.dup(kept), "w", buffering=1) as stderr, redirect_stderr(stderr):
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
