"""Looks at test rows: how often they have been used to judge, and how much error that leaves to spend.

Twenty independent looks at equal models, each at p < 0.05, raise a false alarm with a probability of 64 %: test rows
wear out (Dwork et al., 2015, "The reusable holdout"). So an error of 1 - confidence is spent over `LOOKS` looks by a
fixed schedule, 1 / (H k) of it at look k with H = 1 + 1/2 + ... + 1/20, which by Bonferroni's inequality bounds the
chance of any false alarm whatever depends on what. (It is the alpha spending of Lan and DeMets, 1983, for looks that
nobody can plan: the first is the sharpest, later ones still see.) Rows that no look has used bring a fresh budget in
their share: k counts 1 and the mean number of looks that the rows had before.

A look is a challenger, against a champion and an anchor, on a set of rows. Taking it again costs nothing.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from tasks.columns import ROW
from tasks.records import Artifact, Look, Scores
from tasks.registering.leases import Leases
from tasks.store import Store, numbered

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOOKS = 20
HARMONIC = math.fsum(1 / k for k in range(1, LOOKS + 1))
_FOLDER = "looks"


def spent(total: float, earlier: float) -> float:
    """Give the error that a look may spend on rows that had so many looks before, on average; 0 where none is left.

    >>> round(sum(spent(0.05, earlier) for earlier in range(100)), 9)
    0.05
    """
    return total / (HARMONIC * (1 + earlier)) if earlier <= LOOKS - 1 else 0.0


def fresh_rows_needed(rows: int, earlier: float) -> int:
    """Give how many rows that had no look yet would, beside these, make another look possible."""
    return max(0, math.ceil(rows * (earlier / (LOOKS - 1) - 1)))


class Looks:
    """The looks at the test rows of one problem."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def all(self) -> list[Look]:
        """Give all looks, oldest first."""
        return [self.store.record(numbered(_FOLDER, number), Look) for number in self.store.numbers(_FOLDER)]

    def take(self, challenger: str, scores: Scores) -> Look | None:
        """Take a look, or give back the one that was taken of the same; None where no champion was judged.

        ``challenger`` is the digest of the challenger's content. Of two that look at once the later counts the earlier.
        """
        if scores.champion is None or scores.champion_version is None:
            return None
        champion, rows = scores.champion_version, self._rows(scores.predictions)
        key = _key(challenger, champion, scores.anchor_version, rows)

        def make(number: int) -> Look:
            taken = self.all()
            if same := next((look for look in taken if look.key == key), None):
                return same
            earlier = self._earlier(rows, taken)
            return Look(
                number=number,
                key=key,
                challenger=challenger,
                champion_version=champion,
                anchor_version=scores.anchor_version,
                rows=self._kept(rows),
                earlier=earlier,
                alpha=spent(1 - scores.confidence, earlier),
                fresh_rows_needed=fresh_rows_needed(len(rows), earlier),
                at=datetime.now(UTC),
            )

        return Leases(self.store).append(_FOLDER, "take a look", make)

    def left(self, rows: Artifact) -> float:
        """Give the share of the budget that is left for rows, by their column `ROW`: 1 where no look has used them."""
        from scipy.special import digamma

        earlier = self._earlier(self._rows(rows), self.all())
        return 1 - float(digamma(earlier + 1) + np.euler_gamma) / HARMONIC if earlier <= LOOKS - 1 else 0.0

    def _rows(self, table: Artifact) -> NDArray[np.uint64]:
        return np.unique(self.store.table(table, [ROW])[ROW].to_numpy())

    def _kept(self, rows: NDArray[np.uint64]) -> Artifact:
        import pyarrow as pa

        return self.store.keep_table(pa.table({ROW: rows}), _FOLDER)

    def _earlier(self, rows: NDArray[np.uint64], taken: list[Look]) -> float:
        """Give the mean number of looks that rows had."""
        times = Counter(look.rows for look in taken)
        looked = sum(count * int(np.isin(rows, self._rows(table)).sum()) for table, count in times.items())
        return looked / max(len(rows), 1)


def _key(challenger: str, champion: int, anchor: int | None, rows: NDArray[np.uint64]) -> str:
    digest = hashlib.sha256(rows.astype("<u8").tobytes())
    digest.update(f" {challenger} {champion} {anchor}".encode())
    return digest.hexdigest()
