"""What can go wrong in a way that a user can mend: one sentence each, and the exit code it ends with."""

from __future__ import annotations

from typing import ClassVar


class SalamanderError(Exception):
    """One clear sentence: what, where, what is allowed, what to do. Shown without a traceback."""

    exit_code: ClassVar[int] = 1


class StoreError(SalamanderError):
    """A stored file is missing, altered or cannot be written."""


class NetworkError(SalamanderError):
    """A server did not answer as it should; worth another try."""


class ProblemError(SalamanderError):
    """The problem's declaration or the command line is wrong."""

    exit_code: ClassVar[int] = 2


class DataRefused(SalamanderError):  # noqa: N818 - "refused" is the outcome's own word
    """The data breaks an expectation whose severity is critical, or is not what the problem pins."""

    exit_code: ClassVar[int] = 3
