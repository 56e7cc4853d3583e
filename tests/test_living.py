"""What a serving process does beside answering, from its start to its end."""

import asyncio
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import AsyncExitStack

import numpy as np
import pytest

from serving.living import SWITCH_SECONDS, follow
from serving.settings import Settings
from tasks.registry import Registry
from tasks.served_rows import served_rows
from tests.waiting import happened


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)
    logging.captureWarnings(False)


def test_a_process_follows_the_pointer_and_notes_what_it_predicts_until_its_end(store, version_of, project) -> None:
    folder = project / "data" / "houses"
    folder.mkdir()
    text = 'task = "regression"\ntarget = "y"\nsource = { kind = "bundled", name = "diabetes" }\ncandidates = "auto"\n'
    (folder / "problem.toml").write_text(text)
    registry = Registry(store)
    settings = Settings(project, str(store.root), problems=("houses",), poll_seconds=0.01)

    async def lived() -> None:
        async with AsyncExitStack() as stack:
            repository = await follow(settings, stack)
            assert sys.getswitchinterval() == pytest.approx(SWITCH_SECONDS)
            assert repository.offers == {}
            version = registry.register(await asyncio.to_thread(version_of, "DecisionTreeRegressor"))
            registry.promote(version, None)
            await happened(lambda: repository.offers)
            row = {"x": np.array([3.0]), "place": np.array(["hill"], dtype=object)}
            await repository.find("houses").answer(row)

    asyncio.run(lived())
    assert [row["asked"] for batch in served_rows(store) for row in batch.to_pylist()] == [{"x": 3.0, "place": "hill"}]
    assert [path.suffix for path in (store.folder / "served").iterdir()] == [".parquet"]


def test_what_python_warns_of_is_in_the_log(tmp_path, caplog) -> None:
    async def lived() -> None:
        async with AsyncExitStack() as stack:
            await follow(Settings(tmp_path, str(tmp_path)), stack)
            warnings.warn("an odd value", RuntimeWarning, stacklevel=1)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        asyncio.run(lived())
    (record,) = (record for record in caplog.records if record.name == "py.warnings")
    assert "RuntimeWarning: an odd value" in record.getMessage()
