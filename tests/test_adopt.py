"""Adopting as a step: its result is a record like that of any other."""

import pyarrow as pa
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from tasks.adopt import adopt
from tasks.columns import FOLD
from tasks.records import File, Split, decode, encode
from tasks.store import digest_of

pytestmark = pytest.mark.usefixtures("without_run_logger")


def test_a_model_is_adopted_with_what_a_person_should_know_of_it(version_of, store, tmp_path):
    version = version_of("LogisticRegression")
    frame = store.table(version.test).to_pandas()
    fitted = LogisticRegression().fit(frame[["x"]], frame["y"].replace("hut", "cave"))
    path = tmp_path / "model.skops"
    skops.io.dump(fitted, path)
    train = store.keep_table(pa.Table.from_pandas(frame.assign(**{FOLD: 0}), preserve_index=False), "train")
    sides = Split(train=train, test=version.test, strata=(), unit=("number",), folds=2)
    file = File(path=str(path), sha256=digest_of(path), size=path.stat().st_size)
    found = adopt.fn(file, version.model.columns, sides, train, "classification", 7, store, False)
    assert (found.model.classes, found.model.columns.roles) == (("cave", "villa"), {"x": "numeric"})
    assert found.notes == ("The model does not know the class 'hut' of y.",)
    assert decode(encode(found)) == found
