import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.networking.feed import Feed
from tasks.networking.rows import FrameRows, StoredRows

COUNT = 500
HELD_OUT = np.arange(COUNT) % 10 == 3
TRAINED = set(np.flatnonzero(~HELD_OUT).tolist())


def prepared(block):
    return {"numeric": block.features[["x"]].to_numpy("float32")}, block.target.astype("float32")


def unchanged(arrays, rng):
    return arrays


def feed_of(rows, augment=unchanged, **settings):
    settings = {"batch_size": 32, "seed": 5} | settings
    return Feed(rows=rows, held_out=HELD_OUT, prepare=prepared, augment=augment, **settings)


@pytest.fixture
def sources(tmp_path):
    frame = pd.DataFrame({"x": np.arange(COUNT, dtype="float64"), "y": np.arange(COUNT, dtype="float64")})
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), tmp_path / "rows.parquet", row_group_size=80)
    path = tmp_path / "rows.parquet"
    return FrameRows(frame[["x"]], frame["y"].to_numpy()), StoredRows(path, ["x"], "y", block=30)


def epoch_of(feed, number):
    parts = list(feed.epoch(number))
    numbers = np.concatenate([arrays["numeric"][:, 0] for arrays, _ in parts])
    np.testing.assert_array_equal(numbers, np.concatenate([targets for _, targets in parts]))
    return numbers.astype(int).tolist()


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("pool", [100, 2**18])
def test_an_epoch_has_each_training_row_once_in_an_order_of_its_own(sources, place, pool):
    feed = feed_of(sources[place], pool=pool, chunk=20)
    first, second = epoch_of(feed, 0), epoch_of(feed, 1)
    assert set(first) == set(second) == TRAINED
    assert len(first) == len(second) == len(TRAINED)
    assert first != second
    assert epoch_of(feed_of(sources[place], pool=pool, chunk=20), 1) == second


def test_rows_of_a_file_are_mixed_across_row_groups(sources):
    """Were they not, the first tenth of an epoch would be neighbours in the file."""
    order = epoch_of(feed_of(sources[1], pool=200, chunk=20), 0)
    assert np.std(order[:45]) > 50


def test_no_more_rows_wait_than_the_pool_and_what_was_just_read(sources):
    read, given, most = 0, 0, 0

    class Counted:
        in_memory = False

        def __len__(self):
            return COUNT

        def blocks(self, order=None):
            nonlocal read, most
            for block in sources[1].blocks(order):
                read += len(block.target)
                most = max(most, read - given)
                yield block

    feed = feed_of(Counted(), pool=100, chunk=20)
    for _, targets in feed.epoch(0):
        given += len(targets)
    assert most <= 100 + 20 + 30 + HELD_OUT.sum()


def test_batches_are_full_but_for_the_last_of_each_epoch(sources):
    feed = feed_of(sources[1], chunk=7)
    sizes = [len(targets) for _, targets in feed.training(0, 2)]
    assert sizes == 2 * [*[32] * 14, 2]
    assert feed.steps == 15


def test_batches_of_a_later_epoch_are_those_of_a_fit_that_was_never_interrupted(sources):
    feed = feed_of(sources[0])
    whole = [targets.numpy().tolist() for _, targets in feed.training(0, 3)]
    rest = [targets.numpy().tolist() for _, targets in feed.training(2, 3)]
    assert rest == whole[-len(rest) :]
    assert len(rest) == 15


def test_held_out_rows_are_the_validation_and_never_changed(sources):
    def doubled(arrays, rng):
        return {"numeric": arrays["numeric"] * 2}

    feed = feed_of(sources[1], doubled)
    found = np.concatenate([arrays["numeric"].numpy()[:, 0] for arrays, _ in feed.validation()])
    np.testing.assert_array_equal(found, np.flatnonzero(HELD_OUT))
    arrays, targets = next(feed.epoch(0))
    np.testing.assert_array_equal(arrays["numeric"][:, 0], targets * 2)
