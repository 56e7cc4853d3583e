"""Draft: a new problem from data that nobody has declared yet, with the reason of every guess.

`draft` puts the guesses together, in the order in which one rests on the other: the task, what identifies a row, the
part of each column, what gives the target away, the strata. `write` writes the three files, all or none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.candidates import Candidate, TaskKind
from tasks.drafting.guesses import Guess, guess_codes, guess_identity, guess_part, guess_task
from tasks.drafting.pitfalls import Pitfall, giveaways, pitfalls
from tasks.drafting.plans import Series, Strata, forecasts, guess_series, guess_strata, portfolio
from tasks.drafting.profile import ColumnProfile, numbers, plain, profiled
from tasks.drafting.samples import Sample
from tasks.errors import DataRefused, ProblemError
from tasks.sentences import listed, meant

if TYPE_CHECKING:
    import pandas as pd

FEWEST_ROWS = 20
NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")


@dataclass(frozen=True)
class Draft:
    """All that was guessed of a problem, with the reasons, and what to look at before training on it."""

    name: str
    sample: Sample
    profiles: dict[str, ColumnProfile]
    task: TaskKind
    task_why: str
    identity: tuple[str, ...]
    identity_why: str
    parts: tuple[Guess, ...]
    strata: Strata
    candidates: tuple[Candidate, ...]
    pitfalls: tuple[Pitfall, ...]
    proposals: tuple[str, ...]
    series: Series | None = None

    @property
    def target(self) -> str:
        """The name of the target."""
        return self.named("target")[0]

    @property
    def rows(self) -> int:
        """How many rows with a target were looked at."""
        target = self.profiles[self.target]
        return target.rows - target.missing

    def named(self, *parts: str) -> list[str]:
        """Give the names of the columns that play one of some parts, in order."""
        return [guess.column for guess in self.parts if guess.part in parts]


def paths(name: str, project: Path) -> tuple[Path, Path, Path]:
    """Give where a new problem's declaration, datasheet and suite belong.

    Raises
    ------
    ProblemError
        The name is not one, or one of the files exists.
    """
    if not NAME.fullmatch(name) or name == "store":
        raise ProblemError(
            f"{name!r} cannot name a problem: lower-case letters, digits, - and _ are allowed, a letter first, at most "
            "63 in all, and not 'store', where versions are kept."
        )
    folder = project / "data" / name
    found = (folder / "problem.toml", folder / "README.md", project / "expectations" / f"{name}.py")
    if taken := [path for path in found if path.exists() or path.is_symlink()]:
        raise ProblemError(
            f"{taken[0]} exists and is not overwritten; take another name, or remove it first. Nothing was written."
        )
    return found


def draft(name: str, sample: Sample, target: str, asked: TaskKind | None = None) -> Draft:
    """Give the draft of a problem from a sample of its data.

    Raises
    ------
    ProblemError
        The data has no such column, the target can be neither classes nor numbers, or nothing is left to learn from.
    DataRefused
        There are too few rows.
    """
    frame = plain(sample.frame)
    profiles = profiled(frame)
    if target not in profiles:
        raise ProblemError(
            f"{sample.origin} has no column {target!r}{meant(target, profiles)}; its columns: {listed(profiles)}."
        )
    if (labelled := profiles[target].rows - profiles[target].missing) < FEWEST_ROWS:
        raise DataRefused(
            f"{sample.origin} has {labelled} rows with a {target}: too few to learn from and to judge on; "
            f"at least {FEWEST_ROWS} are needed."
        )
    task, task_why = guess_task(profiles[target], asked)
    identity, identity_why = guess_identity(profiles, target)
    known = frame[frame[target].notna()]
    series = guess_series(known, profiles, target, task)
    parts, leaks = _parts(known, profiles, target, task, identity)
    features = [guess for guess in parts if guess.part in {"numeric", "categorical"}]
    if not features and not series:
        raise ProblemError(_nothing_left(parts, target))
    numeric = [guess.column for guess in parts if guess.part == "numeric"]
    makes_a_row = identity or tuple(column for column in profiles if column != target)
    if repeated := int(frame.duplicated(list(makes_a_row)).sum()):
        identity_why += f"; {repeated:,} rows repeat another in it, and stay on one side of the split"
    candidates = portfolio(task, labelled, profiles[target].distinct if task == "classification" else 0)
    strata = guess_strata(known, target, task, numeric, makes_a_row)
    proposals = _proposals(profiles, target, series)
    if series and not features:  # its own past is all that there is to learn from
        candidates = (*forecasts(target, series), *candidates[1:])
        strata = Strata(None, (), f"none: the newest rows are the test rows, as it is {series.why}")
    return Draft(
        name=name,
        sample=sample,
        profiles=profiles,
        task=task,
        task_why=task_why,
        identity=identity,
        identity_why=identity_why,
        parts=tuple(parts),
        strata=strata,
        candidates=candidates,
        pitfalls=(*leaks, *pitfalls(frame, profiles, target, task, identity)),
        proposals=tuple(proposals),
        series=None if features else series,
    )


def _parts(
    frame: pd.DataFrame, profiles: dict[str, ColumnProfile], target: str, task: TaskKind, identity: Sequence[str]
) -> tuple[list[Guess], list[Pitfall]]:
    """Give the part of each column, by its looks and by what it says of the target, and what gives the target away."""
    parts = {name: guess_part(column, target, identity) for name, column in profiles.items()}
    y = _target(frame[target], task)
    numeric = [profiles[name] for name, guess in parts.items() if guess.part == "numeric"]
    for name, why in guess_codes(frame, y, task, numeric).items():
        parts[name] = Guess(name, "categorical", why)
    features = [name for name, guess in parts.items() if guess.part in {"numeric", "categorical"}]
    leaks = giveaways(frame, y, task, features)
    if len(leaks) < len(features):
        parts |= {str(leak.column): Guess(str(leak.column), "dropped", "gives the target away") for leak in leaks}
    return list(parts.values()), leaks


def _nothing_left(parts: Sequence[Guess], target: str) -> str:
    reasons = "; ".join(f"{guess.column} {guess.why}" for guess in parts if guess.part != "target")
    return f"No column is left to learn {target!r} from: {reasons or 'it is the only one'}."


def _target(values: pd.Series[Any], task: TaskKind) -> Any:
    """Give the target as numbers, the code of each class for classification; shape (rows,)."""
    import pandas as pd

    if task == "classification":
        return pd.factorize(values, sort=True)[0]
    return numbers(values)


def _proposals(profiles: dict[str, ColumnProfile], target: str, series: Series | None) -> list[str]:
    """Give what was not done because only a person can know: a split by time, or by group."""
    found = [
        f"{column.name} is a date: if the future is to be predicted from the past, split by it: "
        f"kind = 'time', by = {column.name!r}, test_size = 0.2, without stratify"
        for column in profiles.values()
        if column.kind == "date" and column.missing == 0 and column.distinct > column.rows / 10
    ]
    if series:
        found.append(
            f"it looks like {series.why}: [history] with order = {series.order!r}, of = {target!r} and "
            f"lags = {list(series.lags)} gives each row what was before it"
        )
    for column in profiles.values():
        repeats = column.rows / max(column.distinct, 1)
        named = re.search(r"(?:^|[_\W])id$|[a-z](?:Id|ID)$", column.name)
        if named and column.name != target and column.distinct > 10 and 1.5 < repeats < column.rows / 10:
            found.append(
                f"{column.name} repeats ({column.distinct:,} in {column.rows:,} rows): if its rows belong together, "
                f"keep them on one side: kind = 'group', by = {column.name!r}"
            )
    return found


def write(texts: Sequence[str], places: Sequence[Path]) -> None:
    """Write texts to new files, all or none.

    Raises
    ------
    ProblemError
        One of the files has come to exist in the meantime.
    """
    written: list[Path] = []
    try:
        for text, path in zip(texts, places, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                written.append(path)
                file.write(text)
    except BaseException as error:
        withdraw(written)
        if isinstance(error, FileExistsError):
            raise ProblemError(f"{error.filename} exists and is not overwritten. Nothing was written.") from error
        raise


def withdraw(places: Sequence[Path]) -> None:
    """Remove files that were written, and the folder that is empty without them."""
    for path in places:
        path.unlink(missing_ok=True)
    for folder in {path.parent for path in places}:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def rounded_out(low: float, high: float, *, whole: bool) -> tuple[float, float]:
    """Give a range with room on both sides, as wide again as what was seen, that does not cross zero, on round figures.

    >>> rounded_out(2.0, 39320.0, whole=True)
    (0, 80000)
    """
    span = high - low or abs(high) or 1.0
    step = 10.0 ** np.floor(np.log10(span))
    lowest = 0.0 if low >= 0 and low - span < 0 else np.floor((low - span) / step) * step
    highest = 0.0 if high <= 0 and high + span > 0 else np.ceil((high + span) / step) * step
    if whole:
        return int(lowest), int(highest)
    digits = max(0, -int(np.log10(step)))
    return min(low, round(float(lowest), digits)), max(high, round(float(highest), digits))
