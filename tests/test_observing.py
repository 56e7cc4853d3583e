"""What an operator sees: alive, ready, counted, and a line for each request."""

import asyncio
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI, Response

from serving.observing import NO_ANSWER, Observed, observing_router
from serving.repository import Offer, Repository
from serving.request_id import current
from serving.settings import Settings
from tests.deployed import logged_requests


@pytest.fixture
def repository(tmp_path) -> Repository:
    found = Repository(Settings(tmp_path, str(tmp_path)))
    found.offers["digits"] = Offer(SimpleNamespace(number=3), SimpleNamespace(number=2))
    return found


@pytest.fixture
def app(repository) -> Observed:
    inner = FastAPI()
    inner.include_router(observing_router(repository))

    @inner.post("/v1/models/{name}:predict")
    async def predict(name: str) -> Response:
        assert current()
        return Response(current(), headers={"X-Model-Version": "3"})

    return Observed(inner, repository)


def ask(app: Observed, method: str, path: str, **headers: str) -> httpx.Response:
    async def asked() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(asked())


@pytest.fixture
def logged():
    with logged_requests() as found:
        yield found


def test_alive_and_ready_with_the_versions_that_answer(app) -> None:
    assert ask(app, "GET", "/healthz").json() == {"status": "alive"}
    found = ask(app, "GET", "/readyz")
    assert found.status_code == 200
    assert found.json()["problems"] == {"digits": {"trouble": None, "champion": 3, "previous": 2}}


def test_trouble_is_said_and_only_where_nothing_answers_it_is_not_ready(app, repository) -> None:
    repository.offers["digits"] = Offer(SimpleNamespace(number=2), None, "Version 3 cannot be used.")
    found = ask(app, "GET", "/readyz")
    assert (found.status_code, found.json()["problems"]["digits"]["trouble"]) == (200, "Version 3 cannot be used.")
    repository.offers["digits"] = Offer(trouble="Version 3 cannot be used.")
    found = ask(app, "GET", "/readyz")
    assert (found.status_code, found.json()["ready"]) == (503, False)


def test_a_request_is_named_counted_and_logged(app, repository, logged) -> None:
    found = ask(app, "POST", "/v1/models/digits:predict", **{"X-Request-Id": "mine"})
    assert (found.text, found.headers["x-request-id"]) == ("mine", "mine")
    assert len(ask(app, "POST", "/v1/models/digits:predict").headers["x-request-id"]) == 32
    first = logged[0]
    assert first.pop("milliseconds") > 0
    assert first == {
        "request": "mine",
        "client": "127.0.0.1",
        "method": "POST",
        "path": "/v1/models/digits:predict",
        "status": 200,
        "problem": "digits",
        "version": "3",
    }
    text = ask(app, "GET", "/metrics").text
    assert 'salamander_requests_total{action="predict",code="200",problem="digits"} 2.0' in text
    assert 'salamander_request_seconds_count{action="predict",problem="digits"} 2.0' in text
    assert len(logged) == 2  # nobody wants to read of every probe


def test_what_clients_make_up_makes_no_new_series(app) -> None:
    for path in ("/v1/models/made-up", "/v1/models/digits:guess", "/x", "/v1/models/digits/versions/3"):
        ask(app, "GET", path)
    text = ask(app, "GET", "/metrics").text
    assert "made-up" not in text
    assert "guess" not in text
    assert 'salamander_requests_total{action="status",code="404",problem=""} 1.0' in text
    assert 'salamander_requests_total{action="status",code="404",problem="digits"} 1.0' in text
    assert 'salamander_requests_total{action="other",code="404",problem="digits"} 1.0' in text
    assert 'salamander_requests_total{action="other",code="404",problem=""} 1.0' in text


def test_who_goes_away_before_the_answer_is_counted_too(repository) -> None:
    async def gone(_scope, _receive, _send) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        ask(Observed(gone, repository), "GET", "/v1/models/digits")
    assert f'code="{NO_ANSWER}"' in repository.metrics.text().decode()
