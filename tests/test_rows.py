import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.networking.rows import FrameRows, StoredRows

FRAME = pd.DataFrame({"x": np.arange(100.0), "kind": [f"k{i % 7}" for i in range(100)], "y": np.arange(100) * 2})


@pytest.fixture
def path(tmp_path):
    pq.write_table(pa.Table.from_pandas(FRAME, preserve_index=False), tmp_path / "rows.parquet", row_group_size=30)
    return tmp_path / "rows.parquet"


def gone_through(rows, order=None):
    blocks = list(rows.blocks(order))
    positions = np.concatenate([block.positions for block in blocks])
    frame = pd.concat([block.features for block in blocks], ignore_index=True)
    return blocks, positions, frame, np.concatenate([block.target for block in blocks])


def test_a_file_gives_what_the_frame_gives(path):
    blocks, positions, frame, target = gone_through(StoredRows(path, ["kind", "x"], "y"))
    (whole,) = FrameRows(FRAME[["kind", "x"]], FRAME["y"].to_numpy()).blocks()
    np.testing.assert_array_equal(positions, whole.positions)
    np.testing.assert_array_equal(target, whole.target)
    pd.testing.assert_frame_equal(frame, whole.features)
    assert [len(block.target) for block in blocks] == [30, 30, 30, 10]


def test_a_block_never_has_more_rows_than_allowed(path):
    blocks, positions, *_ = gone_through(StoredRows(path, ["x"], "y", block=8))
    assert max(len(block.target) for block in blocks) == 8
    np.testing.assert_array_equal(positions, np.arange(100))


def test_chosen_rows_have_positions_of_their_own(path):
    chosen = np.arange(100) % 3 == 0
    chosen[30:60] = False  # a whole row group
    rows = StoredRows(path, ["x"], "y", chosen, block=8)
    _, positions, frame, target = gone_through(rows)
    assert len(rows) == chosen.sum()
    np.testing.assert_array_equal(positions, np.arange(len(rows)))
    np.testing.assert_array_equal(frame["x"], FRAME["x"][chosen])
    np.testing.assert_array_equal(target, FRAME["y"][chosen])


def test_row_groups_come_in_the_order_of_the_generator(path):
    rows = StoredRows(path, ["x"], "y")
    orders = [gone_through(rows, np.random.default_rng(seed))[1].tolist() for seed in (2, 2, 3)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == list(range(100)) != orders[0]


def test_a_feature_may_be_the_target_of_another_problem(path):
    _, _, frame, target = gone_through(StoredRows(path, ["x", "y"], "y"))
    np.testing.assert_array_equal(frame["y"], target)


def test_a_file_can_be_read_whole(path):
    chosen = np.arange(100) % 3 == 0
    (whole,) = StoredRows(path, ["kind", "x"], "y", chosen, block=8).read().blocks()
    pd.testing.assert_frame_equal(whole.features, FRAME.loc[chosen, ["kind", "x"]].reset_index(drop=True))
    np.testing.assert_array_equal(whole.target, FRAME["y"][chosen])
