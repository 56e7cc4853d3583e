"""The name of the request that is being answered: the client's own, or a new one. Logs and the journal carry it."""

from __future__ import annotations

import re
from contextvars import ContextVar
from uuid import uuid4

REQUEST: ContextVar[str] = ContextVar("request")
_ALLOWED = re.compile(r"[\w.:/+=@-]{1,128}", re.ASCII)


def begin(asked: str = "") -> str:
    """Give the name of the request that begins now: what the client asked for, where it is fit for a log."""
    name = asked if _ALLOWED.fullmatch(asked) else uuid4().hex
    REQUEST.set(name)
    return name


def current() -> str:
    """Give the name of the request that is being answered; where nobody named it, a new one."""
    return REQUEST.get("") or begin()
