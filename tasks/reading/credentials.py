"""Credentials: filled into an address when it is used, and taken out again of what a library says about it.

``${NAME}`` is the environment variable, ``${block:NAME}`` the Prefect Secret block of that name. Libraries quote
addresses in their messages, so whatever they say goes through `hidden` before a person, a log or a record sees it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from urllib.parse import quote, unquote, urlsplit

from tasks.errors import ProblemError

MARK = re.compile(r"\$\{([^{}]*)\}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
BLOCK = re.compile(r"block:([a-z0-9][a-z0-9-]*)")
LOGIN = re.compile(r"://([^/?#@]*)@")


def filled(text: str, secret: Callable[[str], str]) -> str:
    """Give an address with its credentials; ``secret`` gives the value of a Prefect Secret block.

    Values for the user and the password of an address are percent-encoded, so any character may stand in them.

    >>> os.environ["GREETING"] = "good day"
    >>> filled("memory://${GREETING}", str)
    'memory://good day'

    Raises
    ------
    ProblemError
        A variable is not set, or a name is not one.
    """
    login = LOGIN.search(text)
    start, end = login.span(1) if login else (0, 0)

    def value(mark: re.Match[str]) -> str:
        found = _value(mark[1], text, secret)
        return quote(found, safe="") if start <= mark.start() < end else found

    if "${" in MARK.sub("", text):
        raise ProblemError(f"source: {text} has a ${{ that is not closed; write ${{NAME}} or ${{block:NAME}}.")
    return MARK.sub(value, text)


def _value(name: str, text: str, secret: Callable[[str], str]) -> str:
    if block := BLOCK.fullmatch(name):
        return secret(block[1])
    if not VARIABLE.fullmatch(name):
        raise ProblemError(
            f"source: ${{{name}}} in {text} names nothing; write ${{NAME}} for an environment variable "
            "or ${block:name-of-a-block} for a Prefect Secret block."
        )
    if (found := os.environ.get(name)) is None:
        raise ProblemError(f"source: the environment variable {name} is not set, which {text} needs; set it.")
    return found


def hidden(message: str, address: str, declared: str) -> str:
    """Give a message without what was filled into an address: each value is again what was declared for it.

    Parameters
    ----------
    message : str
        What a library said.
    address : str
        The address as it was used, with its credentials.
    declared : str
        The address as it stands in the problem file.
    """
    message = message.replace(address, declared)
    for mark, value in _values(address, declared):
        for written in {value, unquote(value), quote(unquote(value), safe="")} - {""}:
            message = re.sub(rf"(?<!\w){re.escape(written)}(?!\w)", mark.replace("\\", r"\\"), message)
    return message


def _values(address: str, declared: str) -> list[tuple[str, str]]:
    """Give each mark of a declared address with the value that stands for it, longest value first."""
    marks = [mark[0] for mark in MARK.finditer(declared)]
    plain = [re.escape(part) for part in re.split(r"\$\{[^{}]*\}", declared)]
    match = re.fullmatch("(.*?)".join(plain), address, re.DOTALL)
    values = list(zip(marks, match.groups(), strict=True)) if match else []
    password = urlsplit(address).password  # of an address that is one secret as a whole
    return sorted([*values, *([("***", password)] if password else [])], key=lambda each: -len(each[1]))
