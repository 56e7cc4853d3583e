"""Where data may come from, as declared in ``[source]``: one model a kind. What each does stands in `fetch`.

Credentials never stand in a problem file: ``${NAME}`` in an address is filled from the environment when it is used, and
``${block:NAME}`` from the Prefect Secret block of that name. What is logged, kept or compared is the text as declared.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, StringConstraints, model_validator

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Format = Literal["csv", "tsv", "jsonl", "parquet", "arrow", "npz", "texts"]
Type = Literal["int", "float", "text", "bool", "date", "datetime"]


class Declared(BaseModel):
    """Frozen, and nothing unknown is let in."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _no_password(address: str) -> str:
    password = urlsplit(address).password if "://" in address else None
    if password and not password.startswith("${"):
        raise ValueError("a password does not belong in a problem file; write ${NAME} and set it in the environment")
    return address


Address = Annotated[str, StringConstraints(min_length=1), AfterValidator(_no_password)]


class Dialect(Declared):
    """How a text table is written: what people really meet in CSV files.

    ``names`` are the columns' names where the file has no header; ``missing`` are the marks of missing values beside
    the empty field; ``dates`` gives the format of a column's dates (``%d.%m.%Y``) where it is not ISO 8601.
    """

    separator: Annotated[str, StringConstraints(min_length=1, max_length=1)] | None = None
    quote: Annotated[str, StringConstraints(min_length=1, max_length=1)] = '"'
    decimal: Literal[".", ","] = "."
    thousands: Literal[".", ",", " ", "'", "_"] | None = None
    encoding: str = "utf-8"
    names: tuple[str, ...] = ()
    skip_rows: Annotated[int, Field(ge=0)] = 0
    missing: tuple[str, ...] = ("NA", "N/A", "NaN", "nan", "NULL", "null")
    strip: bool = False
    dates: dict[str, str] = Field(default_factory=dict)


class Images(Declared):
    """Which arrays of an npz file are the images, shape (rows, ...), and their labels, shape (rows,)."""

    images: str = "images"
    labels: str = "labels"


class _Files(Declared):
    """What all sources that read files share: how to read them, and limits against what would fill the machine."""

    format: Format | None = None
    dialect: Dialect = Dialect()
    arrays: Images = Images()
    types: dict[str, Type] = Field(default_factory=dict)
    member: str | None = None
    largest_bytes: Annotated[int, Field(gt=0)] = 2**33
    largest_ratio: Annotated[float, Field(gt=1)] = 200


class _Growing(Declared):
    """Whether each fetch is the whole table, or adds rows, of which those equal in identity replace the older ones."""

    mode: Literal["replace", "append"] = "replace"
    smallest_share: Annotated[float, Field(ge=0, le=1)] = 0.5

    @property
    def pinned(self) -> bool:
        """Whether the data cannot change, so that what was fetched once need not be fetched again."""
        return False


class BundledSource(Declared):
    """A data set that comes with scikit-learn: no network."""

    kind: Literal["bundled"]
    name: Literal["breast_cancer", "diabetes", "digits", "iris", "wine"]
    mode: ClassVar[Literal["replace"]] = "replace"
    smallest_share: ClassVar[float] = 0.0

    @property
    def pinned(self) -> bool:
        """Whether the data cannot change: it comes with the library."""
        return True


class UrlSource(_Files, _Growing):
    """Files at public addresses, plain, gz, or inside a zip or tar archive; ``sha256`` pins a single one."""

    kind: Literal["url"]
    url: Annotated[str, StringConstraints(pattern=r"^https?://\S+$"), AfterValidator(_no_password)] | None = None
    urls: tuple[Annotated[str, StringConstraints(pattern=r"^https?://\S+$"), AfterValidator(_no_password)], ...] = ()
    sha256: Digest | None = None

    @model_validator(mode="after")
    def _one_or_many(self) -> UrlSource:
        if (self.url is None) == (not self.urls):
            raise ValueError("either url = '...' or urls = ['...', '...'] is needed")
        if self.sha256 and self.url is None:
            raise ValueError("sha256 pins one url, not a list of urls")
        return self

    @property
    def addresses(self) -> tuple[str, ...]:
        """All addresses, in order."""
        return self.urls or (str(self.url),)

    @property
    def pinned(self) -> bool:
        """Whether the digest of the file is declared."""
        return self.sha256 is not None


class FilesSource(_Files, _Growing):
    """Files by path, glob, folder (hive-partitioned Parquet too) or any fsspec address (``s3://...``, ``gs://...``)."""

    kind: Literal["files"]
    path: Address


class SqlSource(_Growing):
    """The rows of a query, read in batches through SQLAlchemy (PostgreSQL, SQLite, DuckDB).

    With ``watermark``, a column that only rises, each fetch asks for the rows beyond the largest value seen so far.
    """

    kind: Literal["sql"]
    url: Address
    query: Annotated[str, StringConstraints(min_length=1)]
    watermark: str | None = None
    batch_rows: Annotated[int, Field(gt=0)] = 100_000

    @model_validator(mode="after")
    def _watermark_grows(self) -> SqlSource:
        if self.watermark is not None and self.mode != "append":
            raise ValueError("watermark fetches new rows only, which needs mode = 'append'")
        return self


class PythonSource(_Growing):
    """A function of the user's, ``package.module:function``, that gives a frame, an Arrow table or batches of these."""

    kind: Literal["python"]
    function: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
    arguments: dict[str, str | int | float | bool] = Field(default_factory=dict)


Source = Annotated[
    BundledSource | UrlSource | FilesSource | SqlSource | PythonSource,
    Discriminator("kind"),
]


def in_place_of(source: Source, place: str) -> FilesSource | UrlSource:
    """Give the source that reads files at a place (path, glob, folder or address) the way a declared source is read."""
    reading = source.model_dump(include=set(_Files.model_fields) - {"member"}) if isinstance(source, _Files) else {}
    reading = {**reading, "format": None, "smallest_share": 0}
    if place.startswith(("http://", "https://")):
        return UrlSource.model_validate({"kind": "url", "url": place, **reading})
    return FilesSource.model_validate({"kind": "files", "path": place, **reading})


def without_types(source: Source) -> Source:
    """Give a source as it comes, whatever types it declares: a column is read as what takes all of its values."""
    return source.model_copy(update={"types": {}}) if isinstance(source, _Files) else source


def dialect_of(source: Source) -> Dialect:
    """Give how a source's texts are written."""
    return source.dialect if isinstance(source, _Files) else Dialect()
