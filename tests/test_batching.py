"""Requests that are answered together: each gets its own rows, its own error, and nobody waits for a clock."""

import asyncio
import threading

import numpy as np
import pytest

from serving.batching import Batcher
from tasks.models import Prediction


def columns(*values: float):
    return {"x": np.array(values)}


def doubled(rows) -> Prediction:
    if (rows["x"] < 0).any():
        raise ValueError(f"{rows['x'].min()} is negative")
    shares = np.column_stack([rows["x"], 1 - rows["x"]])
    return Prediction(2 * rows["x"], np.array([0, 1]), shares)


class Held:
    """Predicts only when it is let go, so that requests gather meanwhile."""

    def __init__(self) -> None:
        self.begun, self.go, self.sizes = threading.Event(), threading.Event(), []

    def __call__(self, rows) -> Prediction:
        self.begun.set()
        self.go.wait()
        return doubled(rows)

    async def asked(self, *requests, **settings):
        """Ask the first request, the others while that is predicted, and give all answers."""
        batcher = Batcher(self, seen=self.sizes.append, **settings)
        asked = [asyncio.create_task(batcher.answer(requests[0]))]
        await asyncio.to_thread(self.begun.wait)
        asked += [asyncio.create_task(batcher.answer(each)) for each in requests[1:]]
        await asyncio.sleep(0)
        self.go.set()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        await batcher.close()
        return answers


def test_what_comes_while_a_batch_is_predicted_is_the_next_batch() -> None:
    held = Held()
    answers = asyncio.run(held.asked(columns(1), columns(2, 3), columns(4)))
    assert [answer.values.tolist() for answer in answers] == [[2], [4, 6], [8]]
    assert answers[1].probabilities.tolist() == [[2, -1], [3, -2]]
    assert held.sizes == [1, 3]


def test_a_batch_has_about_so_many_rows_and_no_request_is_cut() -> None:
    held = Held()
    requests = [columns(1), columns(*range(3)), columns(*range(3)), columns(*range(9))]
    answers = asyncio.run(held.asked(*requests, most_rows=4))
    assert [len(answer.values) for answer in answers] == [1, 3, 3, 9]
    assert held.sizes == [1, 3, 3, 9]


def test_an_error_is_that_of_the_request_alone() -> None:
    answers = asyncio.run(Held().asked(columns(1), columns(2), columns(-3), columns(4)))
    assert [answers[place].values.tolist() for place in (0, 1, 3)] == [[2], [4], [8]]
    assert str(answers[2]) == "-3 is negative"


def test_who_gave_up_is_not_predicted_for() -> None:
    held = Held()

    async def given_up():
        batcher = Batcher(held, seen=held.sizes.append)
        first = asyncio.create_task(batcher.answer(columns(1)))
        await asyncio.to_thread(held.begun.wait)
        second = asyncio.create_task(batcher.answer(columns(2)))
        await asyncio.sleep(0)
        second.cancel()
        held.go.set()
        assert (await first).values.tolist() == [2]
        with pytest.raises(asyncio.CancelledError):
            await second
        await batcher.close()

    asyncio.run(given_up())
    assert held.sizes == [1]


def test_closing_answers_who_waits_and_who_comes_too_late_too() -> None:
    async def closed():
        batcher = Batcher(doubled)
        waiting = asyncio.create_task(batcher.answer(columns(1)))
        await asyncio.sleep(0)
        await batcher.close()
        assert waiting.done()
        assert (await batcher.answer(columns(2))).values.tolist() == [4]
        return [thread for thread in threading.enumerate() if thread.name.startswith("predict")]

    for thread in asyncio.run(closed()):
        thread.join(60)
        assert not thread.is_alive()
