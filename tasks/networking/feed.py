"""Batches for training, made anew for each epoch in an order that only the seed and the epoch decide.

So a fit that is continued in its seventh epoch sees what one that was never interrupted sees there. Rows are mixed
within a pool: all of them where they fit in it, else (of a file) row groups come in a random order and the pool is
refilled as it empties. Batches are cut by TensorFlow (`rebatch`), ahead of the training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.networking.engine import tensorflow
from tasks.networking.facts import Arrays
from tasks.networking.rows import Block, Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

POOL, CHUNK = 2**18, 2**14
Chunk = tuple[Arrays, "NDArray[Any]"]


@dataclass
class Feed:
    """The rows of one fit as batches.

    Parameters
    ----------
    rows : Rows
        Training rows and those held out.
    held_out : array of bool, shape (rows,)
        Which ones are held out for early stopping.
    prepare : callable
        From a block to the arrays and targets that the trained part of a network takes.
    augment : callable
        From arrays and a random generator to arrays that are a little different, in training only.
    batch_size, seed : int
        Rows a step; of the order.
    pool, chunk : int
        How many rows are mixed, and how many of them are handed to TensorFlow at once.
    """

    rows: Rows
    held_out: NDArray[np.bool_]
    prepare: Callable[[Block], Chunk]
    augment: Callable[[Arrays, np.random.Generator], Arrays]
    batch_size: int
    seed: int
    pool: int = POOL
    chunk: int = CHUNK

    def __post_init__(self) -> None:
        self._all = next(self._prepared(None)) if self.rows.in_memory else None

    @property
    def steps(self) -> int:
        """How many batches an epoch has."""
        return -(-int((~self.held_out).sum()) // self.batch_size)

    def training(self, first: int, epochs: int) -> Any:
        """Give the batches of the epochs from ``first`` to ``epochs - 1`` one after the other."""
        tf = tensorflow()
        signature = self.signature

        def one(epoch: Any) -> Any:
            data = tf.data.Dataset.from_generator(self.epoch, args=(epoch,), output_signature=signature)
            return data.rebatch(self.batch_size)

        return self._alone(tf.data.Dataset.range(first, epochs).flat_map(one)).prefetch(4)

    def validation(self) -> Any:
        """Give the rows that are held out, in batches."""
        data = tensorflow().data.Dataset.from_tensor_slices(_joined(list(self._parts(None, held_out=True))))
        return self._alone(data.batch(max(self.batch_size, 1024)))

    def epoch(self, number: Any) -> Iterator[Chunk]:
        """Give the training rows of an epoch, mixed, in chunks."""
        rng = np.random.default_rng([self.seed, int(number)])
        waiting: list[Chunk] = []
        for part in self._parts(rng, held_out=False):
            waiting.append(part)
            if sum(len(targets) for _, targets in waiting) >= self.pool + self.chunk:
                mixed = _mixed(_joined(waiting), rng)
                full = (len(mixed[1]) - self.pool) // self.chunk * self.chunk
                yield from self._chunks(_taken(mixed, slice(0, full)), rng)
                waiting = [_taken(mixed, slice(full, None))]
        yield from self._chunks(_mixed(_joined(waiting), rng), rng)

    def _chunks(self, part: Chunk, rng: np.random.Generator) -> Iterator[Chunk]:
        for start in range(0, len(part[1]), self.chunk):
            arrays, targets = _taken(part, slice(start, start + self.chunk))
            yield self.augment(arrays, rng), targets

    def _parts(self, order: np.random.Generator | None, *, held_out: bool) -> Iterator[Chunk]:
        """Give the prepared rows of one side, block by block."""
        prepared = self._prepared(order) if self._all is None else iter([self._all])
        for positions, part in prepared:
            yield _taken(part, self.held_out[positions] == held_out)

    def _prepared(self, order: np.random.Generator | None) -> Iterator[tuple[NDArray[np.int64], Chunk]]:
        for block in self.rows.blocks(order):
            yield block.positions, self.prepare(block)

    @property
    def signature(self) -> Any:
        """What the batches are: for each array and for the targets, the shape and type."""
        tf = tensorflow()
        arrays, targets = next(self._parts(None, held_out=False))
        return (
            {name: tf.TensorSpec((None, *array.shape[1:]), array.dtype) for name, array in arrays.items()},
            tf.TensorSpec((None, *targets.shape[1:]), targets.dtype),
        )

    @staticmethod
    def _alone(data: Any) -> Any:
        options = tensorflow().data.Options()
        options.threading.private_threadpool_size = 1
        options.deterministic = True
        return data.with_options(options)


def _taken(part: Chunk, which: Any) -> Chunk:
    arrays, targets = part
    return {name: array[which] for name, array in arrays.items()}, targets[which]


def _mixed(part: Chunk, rng: np.random.Generator) -> Chunk:
    return _taken(part, rng.permutation(len(part[1])))


def _joined(parts: list[Chunk]) -> Chunk:
    if len(parts) == 1:
        return parts[0]
    names = parts[0][0]
    return {name: np.concatenate([arrays[name] for arrays, _ in parts]) for name in names}, np.concatenate(
        [targets for _, targets in parts]
    )
