"""Small problems with a model in production, for tests of what serves them."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

from serving.access import ACCESS
from serving.repository import Repository
from serving.settings import Settings
from tasks.candidates import Candidate
from tasks.columns import ROW
from tasks.records import Coverage, FeatureSet, Interval, Intervals, Version
from tasks.registry import Registry
from tasks.store import Store
from tests.conftest import free_port, version_from

GOOD, BAD = "a great and moving film", "a dull and boring film"


def promote(made: Callable[..., Version], root: Path, **parameters: Any) -> Version:
    """Put a version of the problem that a function of its name makes into production."""
    registry = Registry(Store(root, made.__name__))
    champion = registry.champion()
    version = registry.register(made(registry.store, **parameters))
    registry.promote(version, champion.number if champion else None)
    return version


def houses(store: Store, **parameters: Any) -> Version:
    """Give a tree that knows prices of houses, with a level of 0.9."""
    number = np.arange(300)
    area, rooms, garden = 40.0 + number % 97, 1 + number % 6, number % 2 == 0
    place = np.where(number % 5 == 0, None, np.where(number % 3, "shore", "hill"))
    price = 1000 * area + 20_000 * rooms + 5_000 * garden
    frame = pd.DataFrame({"area": area, "rooms": rooms, "garden": garden, "place": place, "price": price})
    frame[ROW] = number.astype("uint64")
    roles = {"area": "numeric", "rooms": "numeric", "garden": "numeric", "place": "categorical"}
    columns = FeatureSet(target="price", roles=roles, derived={})
    candidate = Candidate(name="tree", estimator="DecisionTreeRegressor", parameters=parameters)
    version = version_from(store, candidate, columns, frame[:240], frame[240:], "regression")
    held = Coverage(level=0.9, margins=(12_345.0,), measured=Interval(value=0.91, low=0.8, high=0.97), size=24_690.0)
    ends = (float(price.min()), float(price.max()))
    return version.model_copy(
        update={
            "key": str(parameters),
            "intervals": Intervals(rows=240, test_rows=60, levels=(held,)),
            "scores": version.scores.model_copy(update={"target_range": ends}),
            "declaration": {"description": "What a house costs."},
        }
    )


def digits(store: Store, **parameters: Any) -> Version:
    """Give neighbours that read digits of 8 by 8 pixels."""
    found = load_digits()
    names = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)]
    frame = pd.DataFrame(found.data, columns=names).assign(digit=found.target)
    frame[ROW] = np.arange(len(frame), dtype="uint64")
    columns = FeatureSet(target="digit", roles=dict.fromkeys(names, "numeric"), derived={})
    candidate = Candidate(name="neighbours", estimator="KNeighborsClassifier", scale="none", parameters=parameters)
    return version_from(store, candidate, columns, frame[:1500], frame[1500:], "classification")


def reviews(store: Store, **parameters: Any) -> Version:
    """Give a classifier that tells good films from bad ones."""
    frame = pd.DataFrame({"review": [GOOD, BAD] * 30, "verdict": ["pos", "neg"] * 30})
    frame[ROW] = np.arange(len(frame), dtype="uint64")
    columns = FeatureSet(target="verdict", roles={"review": "text"}, derived={})
    candidate = Candidate(name="logistic", estimator="LogisticRegression", parameters=parameters)
    return version_from(store, candidate, columns, frame[:40], frame[40:], "classification")


@contextmanager
def logged_requests() -> Iterator[list[dict[str, Any]]]:
    """Give the fields of the requests that are logged meanwhile."""
    found: list[dict[str, Any]] = []
    handler, level = logging.Handler(), ACCESS.level
    handler.emit = lambda record: found.append(vars(record)["fields"])
    ACCESS.addHandler(handler)
    ACCESS.setLevel(logging.INFO)
    try:
        yield found
    finally:
        ACCESS.removeHandler(handler)
        ACCESS.setLevel(level)


@contextmanager
def in_a_thread(serving: AbstractAsyncContextManager[object]) -> Iterator[asyncio.AbstractEventLoop]:
    """Serve in a thread with a loop of its own, from when it is ready until the end."""
    loop, ready, done = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    failed: list[BaseException] = []

    async def run() -> None:
        async with serving:
            ready.set()
            await done.wait()

    def until_done() -> None:
        try:
            loop.run_until_complete(run())
        except BaseException as error:  # it is raised where the test is
            failed.append(error)
        finally:
            ready.set()
            loop.close()

    thread = threading.Thread(target=until_done)
    thread.start()
    ready.wait()
    try:
        if failed:
            raise failed[0]
        yield loop
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(done.set)
        thread.join()
    if failed:
        raise failed[0]


def settings_of(root: Path, **settings: Any) -> Settings:
    """Give what serves all problems of a store, with more time than any machine needs."""
    return Settings(
        root, str(root), tuple(path.name for path in root.iterdir()), **{"timeout_seconds": 600, **settings}
    )


@contextmanager
def http_server(root: Path, **settings: Any) -> Iterator[str]:
    """Serve what is in production in a store over HTTP, and give the address."""
    import uvicorn

    from serving.rest import create_app

    port = free_port()
    made = settings_of(root, port=port, **settings)
    repository = Repository(made)

    @asynccontextmanager
    async def serving() -> AsyncIterator[None]:
        config = uvicorn.Config(create_app(repository), port=port, lifespan="off", log_config=None)
        async with repository.following():
            server = uvicorn.Server(config)
            running = asyncio.create_task(server.serve())
            while not (server.started or running.done()):
                await asyncio.sleep(0.01)
            yield
            server.should_exit = True
            await running

    with in_a_thread(serving()):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def grpc_server(root: Path, **settings: Any) -> Iterator[Repository]:
    """Serve what is in production in a store over gRPC."""
    from serving.grpc_server import start

    made = settings_of(root, **settings)
    repository = Repository(made)

    @asynccontextmanager
    async def serving() -> AsyncIterator[None]:
        async with repository.following():
            server = await start(repository, made)
            yield
            await server.stop(10)

    with in_a_thread(serving()):
        yield repository
