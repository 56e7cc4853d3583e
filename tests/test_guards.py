import asyncio
import base64
import logging

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse

from serving.guards import HEADERS, Guard, Rate, is_token, refused
from serving.settings import Settings
from serving.values import BadRequest
from tasks.errors import ProblemError

SECRET = "secret"  # noqa: S105 - of the tests


@pytest.fixture
def guarded(tmp_path):
    """Give a function that gives a client of an application behind a guard with these settings."""

    async def size(request):
        return PlainTextResponse(str(len(await request.body())))

    async def slow(_request):
        await asyncio.sleep(600)

    async def broken(_request):
        raise ZeroDivisionError(f"in {tmp_path}")

    async def too_much(_request, error):
        return refused(str(error), error.status)

    def made(**settings):
        app = Starlette(exception_handlers={BadRequest: too_much})
        for name, route in {"size": size, "slow": slow, "broken": broken, "healthz": size}.items():
            app.add_route(f"/{name}", route, ["GET", "POST"])
        app.add_middleware(Guard, settings=Settings(tmp_path, "store", **settings))
        transport = httpx.ASGITransport(app, raise_app_exceptions=True)
        return httpx.AsyncClient(transport=transport, base_url="http://here")

    return made


def ask(client, path="/size", method="GET", **more):
    async def asked():
        async with client:
            return await client.request(method, path, **more)

    return asyncio.run(asked())


def test_every_answer_tells_a_browser_to_be_careful(guarded):
    for path in ("/size", "/nowhere", "/broken"):
        answered = ask(guarded(), path)
        assert {name: answered.headers[name.decode()].encode() for name in HEADERS} == HEADERS


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("Bearer secret", 200),
        ("bearer  secret ", 200),
        ("Bearer secrets", 401),
        ("Bearer", 401),
        ("secret", 401),
        ("Basic " + base64.b64encode(b"anyone:secret").decode(), 200),
        ("Basic " + base64.b64encode(b"secret:").decode(), 401),
        ("Basic !!!", 401),
        ("Digest secret", 401),
    ],
)
def test_a_token_opens_the_door_and_nothing_else_does(guarded, authorization, status):
    headers = {} if authorization is None else {"Authorization": authorization}
    answered = ask(guarded(token=SECRET), headers=headers)
    assert answered.status_code == status
    if status == 401:
        assert answered.json()["error"].startswith("A token is needed")
        assert answered.headers["www-authenticate"].startswith("Bearer")


def test_a_supervisor_needs_no_token(guarded):
    assert ask(guarded(token=SECRET), "/healthz").status_code == 200


def test_a_token_may_be_any_text():
    assert is_token("Bearer gr\u00fcn".encode(), "gr\u00fcn")
    assert not is_token(b"Bearer gr\xfcn", "gr\u00fcn")


def test_a_body_over_the_limit_is_refused_by_its_length(guarded):
    answered = ask(guarded(most_bytes=10), method="POST", content=b"x" * 11)
    assert (answered.status_code, answered.json()["error"][:43]) == (413, "The body is too large: at most 10 bytes are")
    assert ask(guarded(most_bytes=10), method="POST", content=b"x" * 10).text == "10"


def test_a_body_over_the_limit_is_refused_also_where_nobody_says_how_long_it_is(guarded):
    async def parts():
        for _ in range(11):
            yield b"x"

    assert ask(guarded(most_bytes=10), method="POST", content=parts()).status_code == 413
    lied = ask(guarded(most_bytes=10), method="POST", content=b"x" * 11, headers={"Content-Length": "5"})
    assert lied.status_code == 413
    odd = ask(guarded(most_bytes=10), method="POST", content=b"x", headers={"Content-Length": "9" * 500})
    assert odd.status_code == 413


def test_what_takes_too_long_is_given_up(guarded):
    answered = ask(guarded(timeout_seconds=0.05), "/slow")
    assert answered.status_code == 408
    assert answered.json()["error"].startswith("The request took more than 0.05 s")


def test_a_body_that_does_not_arrive_is_given_up(guarded):
    async def receive():
        if sent:
            await asyncio.sleep(600)
        sent.append(1)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message):
        messages.append(message)

    sent, messages = [], []
    guard = guarded(timeout_seconds=0.05)._transport.app
    scope = {"type": "http", "method": "POST", "path": "/size", "headers": [], "query_string": b"", "client": None}
    asyncio.run(guard(scope, receive, send))
    assert messages[0]["status"] == 408


def test_too_many_requests_are_told_when_to_come_again(guarded):
    async def asked():
        async with guarded(most_requests="2/minute") as client:
            return [await client.get(path) for path in ["/size"] * 3 + ["/healthz"]]

    first, second, third, health = asyncio.run(asked())
    assert [each.status_code for each in (first, second, third, health)] == [200, 200, 429, 200]
    assert 1 <= int(third.headers["retry-after"]) <= 60
    assert third.json()["error"].startswith("Too many requests: at most 2/minute are answered; try again in")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("often", "'often' is no rate limit; write one such as"),
        ("5/second; 100/hour", "'5/second; 100/hour' is no rate limit; write one such as"),
        ("0/second", "'0/second' lets nobody ask; write a rate limit from 1 on, such as '100/second'."),
    ],
)
def test_a_rate_that_cannot_be_kept_is_a_sentence(text, sentence):
    assert asyncio.run(Rate("1/minute").wait("a client")) == 0
    with pytest.raises(ProblemError, match=sentence):
        Rate(text)


def test_what_breaks_is_told_to_the_log_alone(guarded, tmp_path, caplog):
    with caplog.at_level(logging.ERROR):
        answered = ask(guarded(), "/broken")
    assert answered.status_code == 500
    assert str(tmp_path) not in answered.text
    assert "ZeroDivisionError" not in answered.text
    assert "ZeroDivisionError" in caplog.text


def test_a_client_that_goes_away_is_nobody_to_answer(guarded, caplog):
    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        raise AssertionError(message)

    scope = {"type": "http", "method": "POST", "path": "/size", "headers": [], "query_string": b"", "client": None}
    asyncio.run(guarded()._transport.app(scope, receive, send))
    assert not caplog.records
