import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.networking.facts import Moments, facts_of
from tasks.networking.rows import FrameRows, StoredRows

RNG = np.random.default_rng(4)
FRAME = pd.DataFrame({"x": RNG.normal(5, 2, 90), "z": RNG.uniform(-1, 0, 90), "kind": RNG.choice(["a", "b", "c"], 90)})
FRAME.loc[[3, 50], "x"] = np.nan
TARGET = np.exp(RNG.normal(size=90))
HELD_OUT = np.arange(90) % 10 == 0


def arrays(X):
    return {
        "numeric": X[["x", "z"]].to_numpy("float32"),
        "categorical": X[["kind"]].astype("object").to_numpy(dtype="object"),
    }


@given(st.lists(st.lists(st.one_of(st.just(np.nan), st.floats(-1e3, 1e3)), max_size=20), min_size=1, max_size=4))
def test_moments_of_parts_are_those_of_the_whole(parts):
    blocks = [np.array(part, dtype="float64").reshape(-1, 1) for part in parts]
    together = Moments.of(blocks[0])
    for block in blocks[1:]:
        together += Moments.of(block)
    whole = np.concatenate(blocks)[:, 0]
    there = whole[~np.isnan(whole)]
    assert together.missing.tolist() == [len(there) < len(whole)]
    if len(there):
        np.testing.assert_allclose(together.mean, there.mean(), atol=1e-8)
        np.testing.assert_allclose(np.sqrt(together.squares / together.count), there.std(), rtol=1e-6, atol=1e-5)
        assert (together.least[0], together.most[0]) == (there.min(), there.max())


@pytest.mark.parametrize("value", [0.0, 7.1, 1e9])
def test_what_never_varies_has_deviation_1(value):
    assert Moments.of(np.full((50, 1), value)).deviation.tolist() == [1.0]


def test_facts_are_those_of_the_rows_that_are_not_held_out():
    facts = facts_of(FrameRows(FRAME, TARGET), HELD_OUT, arrays, np.log)
    kept = FRAME[~HELD_OUT]
    np.testing.assert_allclose(facts.numbers.mean, kept[["x", "z"]].mean(), rtol=1e-6)
    np.testing.assert_allclose(facts.numbers.deviation, kept[["x", "z"]].std(ddof=0), rtol=1e-6)
    assert facts.numbers.missing.tolist() == [True, False]  # row 3; row 50 is held out
    np.testing.assert_allclose(facts.target.mean, np.log(TARGET[~HELD_OUT]).mean())
    assert facts.values == [kept["kind"].value_counts().to_dict()]
    np.testing.assert_array_equal(facts.sample, kept[["x", "z"]].to_numpy("float32"))
    assert len(facts.classes) == 0


def test_classes_are_those_of_all_rows():
    labels = np.where(HELD_OUT & (np.arange(90) == 0), "rare", "usual")
    facts = facts_of(FrameRows(FRAME, labels), HELD_OUT, arrays)
    assert facts.classes.tolist() == ["rare", "usual"]
    assert len(facts.target.mean) == 0


def test_a_file_in_blocks_has_the_facts_of_the_frame(tmp_path):
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pandas(FRAME.assign(y=TARGET), preserve_index=False), path, row_group_size=25)
    stored = facts_of(StoredRows(path, [*FRAME.columns], "y", block=10), HELD_OUT, arrays, np.log)
    frame = facts_of(FrameRows(FRAME, TARGET), HELD_OUT, arrays, np.log)
    np.testing.assert_allclose(stored.numbers.mean, frame.numbers.mean)
    np.testing.assert_allclose(stored.numbers.deviation, frame.numbers.deviation)
    np.testing.assert_array_equal(stored.sample, frame.sample)
    assert stored.values == frame.values


def test_the_digest_tells_rows_apart():
    def digest(frame, target):
        return facts_of(FrameRows(frame, target), HELD_OUT, arrays, np.log).digest

    same = digest(FRAME, TARGET)
    assert digest(FRAME.copy(), TARGET.copy()) == same
    assert digest(FRAME.assign(kind=["d", *FRAME["kind"][1:]]), TARGET) != same
    assert digest(FRAME.assign(z=FRAME["z"] + 1e-3), TARGET) != same
    assert digest(FRAME, TARGET[::-1].copy()) != same
