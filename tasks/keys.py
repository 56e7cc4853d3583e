"""When is a step already done? When its inputs, the code and the libraries are the same.

Prefect's own `TASK_SOURCE` hashes only the lines of the decorated function, not the functions it calls. Here a key
covers the digests of the inputs, the part of the problem that the step reads (that is why steps receive parts, not the
whole problem), the source of all of `tasks/` without comments and docstrings, and the versions of the libraries.
"""

from __future__ import annotations

import ast
import hashlib
import json
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel

LIBRARIES = (
    "great-expectations",
    "joblib",
    "keras",
    "numpy",
    "optuna",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "skops",
    "tensorflow",
)


def step_key(step: str, inputs: Mapping[str, Any]) -> str:
    """Give the key under which a step's result is kept: the same for the same work, whenever and wherever it runs."""
    return digest([step, plain(inputs), code_digest(), library_versions()])


def digest(value: object) -> str:
    """Give the sha256 of a value's canonical JSON."""
    return hashlib.sha256(json.dumps(plain(value), sort_keys=True).encode()).hexdigest()


def plain(value: object) -> object:
    """Give the JSON form of records, tuples and mappings.

    A `Store` and a `FreshProcess` are where work is done, not what is worked on: they count as nothing.
    """
    from tasks.fresh_process import FreshProcess
    from tasks.store import Store

    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in cast("Mapping[object, object]", value).items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in cast("list[object]", value)]
    if isinstance(value, (Store, FreshProcess)):
        return None
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise TypeError(f"A step's input is a record, a scalar or a collection of them, not {type(value).__name__}.")


@cache
def library_versions() -> dict[str, str]:
    """Give the versions of Python and of the libraries that can change a result."""
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}


@cache
def code_digest() -> str:
    """Give the digest of the source of `tasks/`: a comment or a docstring does not change it, a statement does."""
    sources = sorted(Path(__file__).parent.rglob("*.py"))
    return digest([[path.name, source_digest(path.read_text(encoding="utf-8"))] for path in sources])


def source_digest(source: str) -> str:
    r"""Give the digest of Python source without its comments, docstrings and layout.

    >>> source_digest("x = 1  # one") == source_digest("'''Why.'''\nx = 1")
    True
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and _documented(node):
            node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _documented(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return ast.get_docstring(node, clean=False) is not None
