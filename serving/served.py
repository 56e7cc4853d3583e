"""One version, loaded, checked and warm: what answers.

Rows are predicted as arrays, without frames, where that gives the same to the last bit for rows of the test set.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from serving.batching import Batcher
from serving.rows import Rows
from tasks.direct import Columns, DirectPredictor
from tasks.inputs import Input, inputs_of
from tasks.reference import load_version

if TYPE_CHECKING:
    import pandas as pd

    from tasks.models import Prediction, Predictor
    from tasks.records import Version
    from tasks.store import Store

LOG = logging.getLogger("salamander.served")
KNOWN_ROWS = 100
Noted = Callable[[Columns, "Prediction"], None]


class Served:
    """A version that is ready to answer.

    Attributes
    ----------
    problem : str
        The name that it is served under.
    version : Version
        Its record: scores, model, classes.
    inputs : tuple of Input
        What a row must have, in the order in which rows without names are read.
    noted : callable or None
        Is told what was asked and predicted, once it was; it must not block.
    rows : Rows
        Reads requests by these inputs.
    """

    def __init__(self, version: Version, store: Store, seen: Callable[[int], None] = lambda _rows: None) -> None:
        """Load a version, after checking that it repeats its stored predictions here.

        Raises
        ------
        StoreError
            It cannot be loaded, or it predicts something else: in one sentence.
        """
        self.problem, self.version = store.problem, version
        self.noted: Noted | None = None
        self.inputs: tuple[Input, ...] = inputs_of(version, store)
        self.rows = Rows(self.inputs)
        names = [each.name for each in self.inputs]
        known = next(store.batches(version.test, names)).slice(0, KNOWN_ROWS).to_pandas()
        self._predict = fastest(load_version(version, store), known)
        self._batcher = Batcher(self._predict, seen=seen)

    @property
    def number(self) -> int:
        """The number of the version."""
        return self.version.number

    def predict(self, columns: Columns) -> Prediction:
        """Give the prediction for checked columns; blocks."""
        return self._predict(columns)

    async def answer(self, columns: Columns) -> Prediction:
        """Give the prediction for checked columns, together with those of other requests.

        Raises
        ------
        BadRequest
            Values are so far from those of the training that the model breaks, as trees do beyond 32 bits.
        """
        try:
            found = await self._batcher.answer(columns)
        except Exception as error:
            if refusal := self.rows.too_far(columns):
                raise refusal from error
            raise
        if self.noted:
            self.noted(columns, found)
        return found

    async def close(self) -> None:
        """Answer who waits, then let go."""
        await self._batcher.close()


def fastest(predictor: Predictor, rows: pd.DataFrame) -> Callable[[Columns], Prediction]:
    """Give what predicts for columns as a predictor does, the quickest way that repeats its predictions for rows.

    What is built only when rows are predicted, many or one, is built by that.
    """
    import pandas as pd

    direct = DirectPredictor(predictor)
    try:
        if direct.repeats(predictor, rows):
            return direct.predict
        LOG.info("The predictions of arrays and frames differ, so frames are used.")
    except Exception as error:  # a step that takes no arrays: frames are what it was fitted with
        LOG.info("Frames are used: arrays cannot be predicted (%s: %s).", type(error).__name__, error)
    return lambda columns: predictor.predict(pd.DataFrame(columns))
