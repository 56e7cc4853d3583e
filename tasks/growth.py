"""Tables that grow: which rows are the same row, and a table with a batch added, in which no row is stored twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tasks.columns import identity_columns, row_hashes
from tasks.records import Artifact, Table
from tasks.store import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Rows:
    """The hashes of a table's rows, two arrays of shape (rows,): of their identity, and of all their values."""

    identity: NDArray[np.uint64]
    content: NDArray[np.uint64]

    @property
    def pairs(self) -> NDArray[np.uint64]:
        """A hash of both, an array of shape (rows,)."""
        return self.identity * np.uint64(0x9E3779B97F4A7C15) + self.content


def hashed(store: Store, table: Table | Artifact, identity: Sequence[str], content: Sequence[str]) -> Rows:
    """Give the hashes of a table's rows, reading it as a stream; a hash never depends on the rows beside it."""
    names = list(dict.fromkeys([*identity, *content]))
    found = [(row_hashes(batch, identity), row_hashes(batch, content)) for batch in store.batches(table, names)]
    empty = np.array([], dtype="uint64")
    return Rows(
        np.concatenate([empty, *(pair[0] for pair in found)]), np.concatenate([empty, *(pair[1] for pair in found)])
    )


def grown(store: Store, base: Table | None, batch: Artifact, identity: tuple[str, ...], target: str) -> Table:
    """Give a table with a batch added: of rows equal in identity the last one stays.

    A batch that brings nothing new gives the table as it was.
    """
    names = identity_columns(identity, target, batch)
    new = hashed(store, batch, names, batch.names)
    if base is None:
        whole = Table(parts=(batch,))
        return store.without(whole, np.flatnonzero(~_last_of_each(new.identity)))
    everything = base.model_copy(update={"parts": (*base.parts, batch)})
    offset = sum(part.rows for part in base.parts)
    stays = np.setdiff1d(np.arange(offset), store.left_out(base))
    old = hashed(store, base, names, batch.names)
    last = _last_of_each(new.identity)
    if np.isin(new.pairs[last], old.pairs).all():
        return base
    replaced = stays[np.isin(old.identity, new.identity)]
    return store.without(everything, np.concatenate([replaced, offset + np.flatnonzero(~last)]))


def _last_of_each(hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Tell for each row whether no later one has the same hash."""
    last = np.zeros(len(hashes), dtype="bool")
    _, first_from_behind = np.unique(hashes[::-1], return_index=True)
    last[len(hashes) - 1 - first_from_behind] = True
    return last
