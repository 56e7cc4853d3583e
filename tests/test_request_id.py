"""The name of a request: the client's own where it is fit for a log."""

from contextvars import copy_context

import pytest

from serving.request_id import begin, current


def test_the_name_of_a_request_is_that_of_the_client() -> None:
    assert copy_context().run(lambda: (begin("order-7/a"), current())) == ("order-7/a", "order-7/a")


@pytest.mark.parametrize("asked", ["", "two\nlines", "x" * 129, "café", "a b"])
def test_what_is_not_fit_for_a_log_is_replaced(asked: str) -> None:
    name = copy_context().run(begin, asked)
    assert len(name) == 32
    assert name.isalnum()


def test_each_request_that_nobody_named_has_a_name_of_its_own() -> None:
    assert copy_context().run(current) != copy_context().run(current)
