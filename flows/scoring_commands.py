"""The command that predicts for many rows at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from flows.command_line import DEFAULTS, Options, run_command


def predict(
    problem: str,
    input: str | None = None,  # noqa: A002 - the name that is shown
    *,
    out: str | None = None,
    version: int | None = None,
    interval: float | None = None,
    strict: Annotated[bool | None, Parameter(negative=())] = None,
    options: Options = DEFAULTS,
) -> int:
    """Predict for every row of a source, in its order, with the version in production.

    Parameters
    ----------
    input
        The rows: a file, a glob, a folder or an address (https://, s3://), in any format that the problem's source may
        have (default: what [scoring] declares).
    out
        The CSV or Parquet file to write, or its address: the rows' identity, the prediction, class probabilities, the
        version, and the reason where there is no prediction (default: what [scoring] declares).
    version
        Another version than the one in production.
    interval
        Add the interval of this level, such as 0.9, or for classes the set of labels that are possible.
    strict
        Write nothing, and end with exit code 3, if a row gets no prediction.
    """
    asked = {"version": version, "interval": interval, "strict": strict}
    return run_command("scoring", problem, options, file=input and _place(input), out=out and _place(out), **asked)


def _place(name: str) -> str:
    """Give an address as it is, and a path from the root."""
    return name if "://" in name else str(Path(name).expanduser().absolute())


COMMANDS = (predict,)
