import uuid
from urllib.parse import quote, urlsplit

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import ProblemError
from tasks.fetch import secret_block
from tasks.reading.credentials import filled, hidden


def no_block(name):
    raise AssertionError(f"the block {name} is not asked for")


def test_a_variable_is_filled_in(monkeypatch):
    monkeypatch.setenv("BUCKET", "houses/2024 a")
    assert filled("s3://${BUCKET}/x?v=${BUCKET}", no_block) == "s3://houses/2024 a/x?v=houses/2024 a"
    assert filled("data/houses.csv", no_block) == "data/houses.csv"


@pytest.mark.parametrize(
    "address", ["postgresql://owner:${PASSWORD}@host:5432/name", "postgresql://owner:${block:it}@host/x"]
)
@given(password=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1))
def test_any_password_works(address, password):
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PASSWORD", password)
        url = filled(address, lambda name: password if name == "it" else "")
    assert sa.make_url(url).password == password
    assert urlsplit(url).hostname == "host"


def test_a_user_is_filled_in_too(monkeypatch):
    monkeypatch.setenv("LOGIN", "me@home")
    url = sa.make_url(filled("postgresql://${LOGIN}:${LOGIN}@host/${LOGIN}", no_block))
    assert (url.username, url.password, url.database) == ("me@home", "me@home", "me@home")


def test_a_whole_address_may_be_a_secret(monkeypatch):
    monkeypatch.setenv("DATABASE", "postgresql://me:a%40b@host/x")
    assert filled("${DATABASE}", no_block) == "postgresql://me:a%40b@host/x"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("s3://${NOT_SET}/x", r"the environment variable NOT_SET is not set, which s3://\$\{NOT_SET\}/x needs; set it"),
        ("s3://${}/x", r"\$\{\} in s3://\$\{\}/x names nothing; write \$\{NAME\}"),
        ("s3://${a b}/x", "names nothing"),
        ("s3://${block:}/x", "names nothing"),
        ("s3://${block:A_B}/x", "names nothing"),
        ("s3://${NOT_SET/x", "not closed"),
    ],
)
def test_what_cannot_be_filled_in_is_a_problem(monkeypatch, text, said):
    monkeypatch.delenv("NOT_SET", raising=False)
    with pytest.raises(ProblemError, match=said):
        filled(text, no_block)


def test_a_secret_block_of_a_real_server(server):
    from prefect.blocks.system import Secret

    name = f"house-password-{uuid.uuid4().hex[:8]}"
    Secret(value="p@ss").save(name, _sync=True)
    try:
        assert filled(f"postgresql://me:${{block:{name}}}@host/x", secret_block) == "postgresql://me:p%40ss@host/x"
    finally:
        Secret.delete(name, _sync=True)
    with pytest.raises(ProblemError, match=f"there is no Prefect Secret block '{name}'; create it"):
        filled(f"s3://${{block:{name}}}", secret_block)


# What libraries say.

DECLARED = "postgresql://${LOGIN}:${PASSWORD}@host/x"


@pytest.mark.parametrize(
    "said", ["p@ss w", "p%40ss%20w", "postgresql://me:p%40ss%20w@host/x", "me:p%40ss%20w@host", "'p@ss w'"]
)
def test_values_are_taken_out_of_a_message(said):
    address = "postgresql://me:p%40ss%20w@host/x"
    message = hidden(f"could not reach {said}: some message", address, DECLARED)
    assert "p@ss w" not in message
    assert "p%40ss%20w" not in message
    assert "${PASSWORD}" in message
    assert message.endswith("some message")


def test_the_password_of_an_address_that_is_a_secret_is_taken_out():
    address = "postgresql://me:p%40ss@host/x"
    assert hidden(f"at {address}", address, "${DATABASE}") == "at ${DATABASE}"
    assert hidden("login me:p@ss was refused", address, "${DATABASE}") == "login me:*** was refused"


def test_a_message_without_secrets_stays():
    assert hidden("no such table: houses", "sqlite:///x.db", "sqlite:///x.db") == "no such table: houses"


@given(
    password=st.text(st.characters(codec="ascii"), min_size=4), around=st.text(st.sampled_from(" :'\"/@"), max_size=3)
)
def test_no_password_is_left(password, around):
    address = f"postgresql://me:{quote(password, safe='')}@host/x"
    message = hidden(f"x {around}{password}{around} y {address}", address, "postgresql://me:${P}@host/x")
    assert password not in message or password in "x ${P} postgresql://me:${P}@host/x y *** " + around * 2
