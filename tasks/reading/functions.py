"""Functions of the user's as a source: the last resort, for data that no other kind of source reaches.

The project's folder is put at the end of the path, so that nothing that is installed can be shadowed by a file there.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import ProblemError, SalamanderError
from tasks.reading.conversion import stream_of
from tasks.reading.streams import Stream
from tasks.sentences import listed, meant
from tasks.sources import PythonSource

if TYPE_CHECKING:
    import pyarrow as pa

ALLOWED = "a pandas DataFrame, an Arrow table or reader, a list of dicts, or batches of these"


def called(source: PythonSource, project: Path, held: pa.Schema | None = None) -> Stream:
    """Give what a user's function gives, called with its declared arguments; ``held`` types win.

    Raises
    ------
    ProblemError
        There is no such function, it does not take these arguments, or it gives something else than rows.
    SalamanderError
        The function fails, now or, where it gives batches, later from the stream.
    DataRefused
        A column's type is not one that can be kept, or changes between batches.
    """
    function = _found(source.function, project)
    where = f"source.function = {source.function!r}"
    try:
        inspect.signature(function).bind(**source.arguments)
    except TypeError as error:
        takes = str(inspect.signature(function))
        raise ProblemError(f"{where} takes {takes}, but source.arguments do not fit: {error}.") from error
    return stream_of(_pieces(function, source.arguments, where, str(project.absolute())), where, held)


def _found(name: str, project: Path) -> Callable[..., Any]:
    """Give the function of a dotted path, from the project's folder or from what is installed."""
    module_name, _, function_name = name.partition(":")
    folder = str(project.absolute())
    if folder not in sys.path:
        sys.path.append(folder)
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and f"{module_name}.".startswith(f"{error.name}."):
            missing = f"there is no module {error.name!r} in {folder} or installed"
            raise ProblemError(f"source.function = {name!r}: {missing}; check the name.") from error
        raise ProblemError(f"source.function = {name!r} cannot be imported: {_said(error, folder)}.") from error
    own = Path(folder, *module_name.split(".")).with_suffix(".py")
    if own.is_file() and Path(module.__file__ or "").absolute() != own:
        raise ProblemError(
            f"source.function = {name!r}: {own} cannot be imported, as the name {module_name!r} is taken by "
            f"{module.__file__ or 'Python itself'}; rename the file."
        )
    function = getattr(module, function_name, None)
    if not callable(function):
        names = [each for each, _ in inspect.getmembers(module, inspect.isfunction)]
        raise ProblemError(
            f"source.function = {name!r}: {module_name} has no function {function_name!r}"
            f"{meant(function_name, names)}; it has: {listed(names) or 'none'}."
        )
    return function


def _pieces(function: Callable[..., Any], arguments: dict[str, Any], where: str, folder: str) -> Iterator[pa.Table]:
    """Give what the function gives, table by table; what it raises is a sentence."""
    try:
        given = function(**arguments)
        table = _table(given)
        several = table is None and isinstance(given, Iterable) and not isinstance(given, str | bytes | dict)
        for piece in given if several else [given]:
            yield _needed(_table(piece), piece, where)
    except SalamanderError:
        raise
    except (Exception, SystemExit) as error:
        raise SalamanderError(f"{where} failed: {_said(error, folder)}.") from error


def _needed(table: pa.Table | None, piece: object, where: str) -> pa.Table:
    if table is None:
        raise ProblemError(f"{where} gives {type(piece).__name__}; allowed: {ALLOWED}.")
    return table


def _table(piece: Any) -> pa.Table | None:
    """Give a piece as a table, or None where it is not one."""
    import pandas as pd
    import pyarrow as pa

    if isinstance(piece, pa.Table):
        return piece
    if isinstance(piece, pa.RecordBatch):
        return pa.Table.from_batches([piece])
    if isinstance(piece, pd.DataFrame):
        return pa.Table.from_pandas(piece, preserve_index=False).replace_schema_metadata()
    if isinstance(piece, list) and piece and all(isinstance(row, dict) for row in piece):
        names = dict.fromkeys(name for row in piece for name in row)
        return pa.table({name: [row.get(name) for row in piece] for name in names})
    return None


def _said(error: BaseException, folder: str) -> str:
    """Give what went wrong, and where in the user's file: the innermost line of the project, or else of all."""
    every = traceback.extract_tb(error.__traceback__)
    frames = [frame for frame in every if frame.filename.startswith(folder)] or every
    place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}{place}"
