"""What the processes are told reaches them as it is."""

import pickle
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from serving.settings import Settings


def test_settings_reach_another_process_as_they_are() -> None:
    settings = Settings(Path("project"), "store", problems=("digits",), token="secret", most_requests="5/second")  # noqa: S106
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301 - as multiprocessing does


def test_settings_do_not_change() -> None:
    settings = Settings(Path("project"), "store")
    with pytest.raises(FrozenInstanceError):
        settings.port = 1  # pyright: ignore[reportAttributeAccessIssue]
    assert replace(settings, port=1) != settings
