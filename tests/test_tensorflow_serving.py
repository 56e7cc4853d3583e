"""What TensorFlow Serving would serve: the folder that it watches, asked by TensorFlow's own tools."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tasks.networks import tensorflow
from tasks.reference import load_version
from tasks.registry import Registry

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
SERVED = ["--tag_set", "serve", "--signature_def", "serving_default"]


@pytest.fixture
def folder(store, version_of):
    """Give the folder of a network that is in production."""
    registry = Registry(store)
    version = registry.register(version_of("WideAndDeepRegressor", epochs=2, hidden=[4]))
    registry.promote(version, None)
    registry.project()
    return store.root / "serving" / "houses" / "1"


@pytest.fixture
def expected(store, folder):
    """Give the test rows, what was predicted for them when they were evaluated, and what is predicted now."""
    version = Registry(store).champion()
    rows = store.table(version.test, ["x", "place"]).to_pandas()
    stored = store.table(version.scores.predictions, ["challenger"])["challenger"].to_numpy()
    return rows, stored, load_version(version, store).predict(rows).values


def test_the_served_signature_predicts_as_the_version_does(folder, expected):
    tf = tensorflow()
    rows, stored, now = expected
    served = tf.saved_model.load(str(folder)).signatures["serving_default"]
    given = {"x": tf.constant(rows["x"]), "place": tf.constant(rows["place"].to_numpy("object"))}
    found = served(**given)["prediction"].numpy()
    np.testing.assert_allclose(found, stored, rtol=1e-5)
    np.testing.assert_allclose(found, now, rtol=1e-5)


def test_saved_model_cli_shows_the_raw_columns_and_predicts_as_the_version_does(folder, expected, tmp_path):
    rows, stored, _ = expected
    np.save(tmp_path / "x.npy", rows["x"].to_numpy("float64"))
    np.save(tmp_path / "place.npy", rows["place"].to_numpy("S5"))
    files = ";".join(f"{name}={tmp_path}/{name}.npy" for name in ("x", "place"))
    shown, _ = both(
        ["show", "--dir", str(folder), *SERVED],
        ["run", "--dir", str(folder), *SERVED, "--inputs", files, "--outdir", str(tmp_path)],
    )
    assert re.search(r"inputs\['x'\] tensor_info:\s+dtype: DT_DOUBLE\s+shape: \(-1\)", shown)
    assert re.search(r"inputs\['place'\] tensor_info:\s+dtype: DT_STRING\s+shape: \(-1\)", shown)
    assert re.search(r"outputs\['prediction'\] tensor_info:\s+dtype: DT_FLOAT\s+shape: \(-1\)", shown)
    assert "Method name is: tensorflow/serving/predict" in shown
    np.testing.assert_allclose(np.load(tmp_path / "prediction.npy"), stored, rtol=1e-5)


def both(*arguments):
    """Give what two calls of saved_model_cli print, which take their seconds at the same time."""
    tool = str(Path(sys.executable).with_name("saved_model_cli"))
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    running = [subprocess.Popen([tool, *each], **streams) for each in arguments]
    ended = [(each, *each.communicate()) for each in running]
    assert [each.returncode for each, _, _ in ended] == [0] * len(ended), [error for _, _, error in ended]
    return [output for _, output, _ in ended]


def test_the_configuration_that_the_readme_shows_is_one():
    from google.protobuf.text_format import Parse
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    (shown,) = re.findall(r"```textproto\n(.*?)```", README, re.DOTALL)
    found = Parse(shown, ModelServerConfig())
    assert [each.name for each in found.model_config_list.config] == ["digits", "reviews"]
