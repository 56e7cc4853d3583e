"""Columns that folders give: ``year=2024/month=1/part.parquet``, as Hive and Spark write tables of any format.

Their types are decided over all files of a table, so that they are the same in each.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tasks.errors import DataRefused
from tasks.sentences import listed

if TYPE_CHECKING:
    import pyarrow as pa

MISSING = "__HIVE_DEFAULT_PARTITION__"


def folder_columns(names: Sequence[str]) -> list[dict[str, pa.Scalar]]:
    """Give the columns that the folders of each file name, whole numbers where all values are, else text.

    Raises
    ------
    DataRefused
        The folders of two files give other columns.
    """
    import pyarrow as pa

    texts = [_texts(name) for name in names]
    for name, values in zip(names, texts, strict=True):
        if list(values) != list(texts[0]):
            raise DataRefused(
                f"source.path: the folders of {name} give other columns ({listed(values) or 'none'}) than those of "
                f"{names[0]} ({listed(texts[0]) or 'none'}); all files need the same."
            )
    types = {column: _type([each[column] for each in texts]) for column in (texts[0] if texts else {})}
    return [{column: pa.scalar(each[column]).cast(kind) for column, kind in types.items()} for each in texts]


def _texts(name: str) -> dict[str, str | None]:
    folders = (part.partition("=") for part in PurePosixPath(name).parts[:-1] if "=" in part)
    values = {unquote(column): unquote(value) for column, _, value in folders}
    return {column: None if value == MISSING else value for column, value in values.items()}


def _type(texts: Sequence[str | None]) -> pa.DataType:
    import pyarrow as pa

    given = [text for text in texts if text is not None]
    return pa.int64() if given and all(re.fullmatch(r"-?\d{1,18}", text) for text in given) else pa.string()
