"""The fits here are small and real; the killed one is a process that is killed."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.networking.fitting import CHECKPOINT, LOGS
from tasks.networks import ConvolutionalNetworkClassifier, WideAndDeepRegressor, tensorflow

RNG = np.random.default_rng(2)
X = pd.DataFrame({"rooms": RNG.uniform(1, 9, 300), "place": RNG.choice(list("abcdefghijklmn"), 300)})
Y = 10 * X["rooms"].to_numpy() + np.where(X["place"] < "e", 30, 0) + RNG.normal(size=300)
SETTINGS = {
    "numeric": ("rooms",),
    "categorical": ("place",),
    "epochs": 10,
    "batch_size": 64,
    "hidden": (16,),
    "dropout": 0.2,
    "normalised": True,
}


def untrained(**settings):
    return WideAndDeepRegressor(**SETTINGS | settings)


def logged(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder / LOGS), size_guidance={"tensors": 0}).Reload()
    return {name: found.Tensors(name) for name in found.Tags()["tensors"]}


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[1:3]
from tasks.networking.fitting import Fit
from test_fitting import X, Y, long
keep = Fit._checkpoint
def keep_and_die(self, path):
    keep(self, path)
    if self._progress.epoch == 3:
        os.kill(os.getpid(), signal.SIGKILL)
Fit._checkpoint = keep_and_die
long().keep_in(Path(sys.argv[3])).fit(X, Y)
"""


def long():
    return untrained(schedule="one-cycle", weight_decay=0.01, epochs=30, patience=30)


def epoch_reached(folder):
    with np.load(folder / CHECKPOINT) as found:
        return json.loads(found["about"].tobytes())["progress"]["epoch"]


def test_a_fit_that_is_killed_ends_in_the_same_weights(tmp_path):
    here = Path(__file__).parent
    words = [sys.executable, "-c", KILLED, str(here.parent), str(here), str(tmp_path)]
    killed = subprocess.run(words, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert epoch_reached(tmp_path) == 3
    resumed = long().keep_in(tmp_path).fit(X, Y)
    np.testing.assert_array_equal(resumed.predict(X), long().fit(X, Y).predict(X))
    assert sorted(event.step for event in logged(tmp_path)["loss"]) == list(range(1, 31))


def test_keeping_checkpoints_changes_nothing(tmp_path):
    plain, kept = untrained().fit(X, Y), untrained().keep_in(tmp_path).fit(X, Y)
    np.testing.assert_array_equal(kept.predict(X), plain.predict(X))
    assert set(logged(tmp_path)) == {"loss", "held-out loss", "learning rate"}


def test_a_finished_fit_is_not_repeated(tmp_path):
    first = untrained().keep_in(tmp_path).fit(X, Y)
    before = (tmp_path / CHECKPOINT).stat().st_mtime_ns
    again = untrained().keep_in(tmp_path).fit(X, Y)
    np.testing.assert_array_equal(again.predict(X), first.predict(X))
    assert (tmp_path / CHECKPOINT).stat().st_mtime_ns == before


@pytest.mark.parametrize("change", ["rows", "parameters", "torn"])
def test_a_checkpoint_of_something_else_is_passed_over(tmp_path, change):
    y, settings = (Y + 1, {}) if change == "rows" else (Y, {"random_state": 8} if change == "parameters" else {})
    untrained().keep_in(tmp_path).fit(X, Y)
    if change == "torn":
        content = (tmp_path / CHECKPOINT).read_bytes()
        (tmp_path / CHECKPOINT).write_bytes(content[: len(content) // 2])
    kept = untrained(**settings).keep_in(tmp_path).fit(X, y)
    np.testing.assert_array_equal(kept.predict(X), untrained(**settings).fit(X, y).predict(X))


def test_images_are_changed_alike_and_rates_halved_alike_after_an_interruption(tmp_path):
    """A fit of fewer epochs, whose checkpoint is then made the longer one's: what an interruption leaves behind."""
    rng = np.random.default_rng(3)
    images = pd.DataFrame(rng.uniform(0, 16, (80, 64)), columns=[f"p{i}" for i in range(64)])
    labels = rng.integers(0, 3, 80)  # nothing can be learnt, so the rate is halved
    settings = {"numeric": tuple(images.columns), "batch_size": 16, "shift": 1.0, "bend": 0.5, "filters": 4}

    def network(epochs, folder):
        found = ConvolutionalNetworkClassifier(**settings, epochs=epochs, patience=5).keep_in(tmp_path / folder)
        return found.fit(images, labels)

    network(4, "short")
    whole = network(6, "whole")
    renamed(tmp_path / "short" / CHECKPOINT, tmp_path / "whole" / CHECKPOINT)
    resumed = network(6, "short")
    np.testing.assert_array_equal(resumed.predict_proba(images), whole.predict_proba(images))
    assert epoch_reached(tmp_path / "short") == epoch_reached(tmp_path / "whole")


def renamed(path, like):
    with np.load(path) as found, np.load(like) as wanted:
        arrays, about = dict(found), json.loads(found["about"].tobytes())
        about["whose"] = json.loads(wanted["about"].tobytes())["whose"]
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), dtype="uint8")
    np.savez(path, **arrays)


def rates(tmp_path, schedule, **settings):
    untrained(schedule=schedule, learning_rate=0.01, **settings).keep_in(tmp_path).fit(X, Y)
    events = logged(tmp_path)["learning rate"]
    return [float(tensorflow().make_ndarray(event.tensor_proto)) for event in events]


def test_a_cosine_falls_from_the_highest_rate_to_0(tmp_path):
    found = rates(tmp_path, "cosine", patience=10)
    assert (np.diff(found) < 0).all()
    assert found[4] == pytest.approx(0.005)
    assert found[-1] == pytest.approx(0.0, abs=1e-6)


def test_one_cycle_rises_to_the_highest_rate_and_falls(tmp_path):
    found = rates(tmp_path, "one-cycle", patience=10)
    highest = int(np.argmax(found))
    assert 1 <= highest <= 3
    assert 0.008 < found[highest] <= 0.01
    assert (np.diff(found[highest:]) < 0).all()
    assert found[-1] < 0.001


def test_a_plateau_halves_the_rate_while_nothing_is_gained(tmp_path):
    found = rates(tmp_path, "plateau", patience=6, epochs=40)
    assert found[0] == pytest.approx(0.01)
    assert found[-1] < 0.01
    assert {round(np.log2(0.01 / rate), 3) % 1 for rate in found} == {0.0}


def test_an_unknown_schedule_is_a_sentence():
    with pytest.raises(ValueError, match=r"schedule = 'linear' is not known; allowed: plateau, cosine, one-cycle"):
        untrained(schedule="linear").fit(X, Y)


def test_training_stops_early_and_keeps_the_best_weights(tmp_path):
    noise = np.random.default_rng(3).normal(size=300)  # nothing can be learnt of it
    network = untrained(epochs=60, patience=3, learning_rate=0.02).keep_in(tmp_path).fit(X, noise)
    with np.load(tmp_path / CHECKPOINT) as found:
        progress = json.loads(found["about"].tobytes())["progress"]
    losses = [held_out for _, held_out in progress["losses"]]
    assert len(losses) < 60
    assert progress["stopped"]
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 3
    held_out = network._held_out(300)
    residual = (network.predict(X[held_out]) - noise[held_out]) / noise[~held_out].std()
    assert np.mean(residual**2) == pytest.approx(losses[best], rel=1e-3)


def test_without_rows_held_out_the_last_weights_are_kept(tmp_path):
    network = untrained(validation_fraction=0.0, schedule="cosine", epochs=4).keep_in(tmp_path).fit(X, Y)
    resumed = untrained(validation_fraction=0.0, schedule="cosine", epochs=4).keep_in(tmp_path).fit(X, Y)
    np.testing.assert_array_equal(resumed.predict(X), network.predict(X))
    with np.load(tmp_path / CHECKPOINT) as found:
        np.testing.assert_array_equal(found["best_0"], found["state_0"])
    with pytest.raises(ValueError, match=r"validation_fraction = 0 leaves schedule = 'plateau' no rows"):
        untrained(validation_fraction=0.0).fit(X, Y)
