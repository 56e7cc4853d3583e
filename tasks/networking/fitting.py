"""Training: epochs with a schedule, early stopping and the best weights, continued where it was interrupted.

After each epoch everything that the next one depends on is written below a folder, if one is given: weights, the
optimizer's state, the state of every random generator in the network (they are variables of it), the best weights so
far and what early stopping counts. A fit that is killed is repeated from there and ends in the very same weights. A
checkpoint of other rows, parameters or libraries is passed over: it says whose it is.
"""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from tasks.networking.engine import tensorflow
from tasks.networking.feed import Feed

if TYPE_CHECKING:
    from numpy.typing import NDArray

Schedule = Literal["plateau", "cosine", "one-cycle"]
SCHEDULES: tuple[Schedule, ...] = ("plateau", "cosine", "one-cycle")
CHECKPOINT, LOGS = "checkpoint.npz", "logs"


class Settings(NamedTuple):
    """How a network is trained; see `tasks.networks.Network`."""

    epochs: int
    patience: int
    learning_rate: float
    schedule: str
    weight_decay: float
    gradient_clip: float


def optimizer(settings: Settings, steps: int) -> Any:
    """Give the optimizer; ``steps`` are those of an epoch.

    Raises
    ------
    ValueError
        The schedule is not known.

    Notes
    -----
    Loshchilov and Hutter, SGDR (2017) and Decoupled Weight Decay Regularization (2019); Smith, A Disciplined Approach
    to Neural Network Hyper-Parameters (2018), for one cycle.
    """
    if settings.schedule not in SCHEDULES:
        raise ValueError(f"schedule = {settings.schedule!r} is not known; allowed: {', '.join(SCHEDULES)}")
    optimizers = tensorflow().keras.optimizers
    decayed, rate, total = optimizers.schedules.CosineDecay, settings.learning_rate, steps * settings.epochs
    if settings.schedule == "cosine":
        rate = decayed(rate, total)
    elif settings.schedule == "one-cycle":
        rise = max(1, round(0.3 * total))
        rate = decayed(rate / 25, max(1, total - rise), alpha=1e-3, warmup_target=rate, warmup_steps=rise)
    clip = settings.gradient_clip or None
    if not settings.weight_decay:
        return optimizers.Adam(rate, global_clipnorm=clip)
    found = optimizers.AdamW(rate, weight_decay=settings.weight_decay, global_clipnorm=clip)
    found.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    return found


@dataclass
class Progress:
    """How far a fit has come: its epochs, its best loss, and the epochs since then."""

    epoch: int = 0
    best: float = float("inf")
    waited: int = 0
    stopped: bool = False
    losses: list[tuple[float, float]] = field(default_factory=list)


class Fit:
    """One fit of a compiled network.

    Parameters
    ----------
    network : keras.Model
        The trained part, not yet trained.
    settings : Settings
        How it is trained.
    folder : pathlib.Path, optional
        Where the checkpoint and the logs for TensorBoard go.
    whose : str
        Names what is fitted to what: only a checkpoint of the same is continued.
    """

    def __init__(self, network: Any, settings: Settings, folder: Path | None, whose: str) -> None:
        self._network, self._settings, self._folder, self._whose = network, settings, folder, whose
        self._progress = Progress()
        self._best: list[NDArray[Any]] = network.get_weights()
        self._writer: Any = None

    def run(self, feed: Feed) -> Progress:
        """Train and leave the network with its best weights, or the last ones where no rows are held out.

        Raises
        ------
        ValueError
            The loss is no number any more: the network diverged.
        """
        network = self._network
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            network.optimizer.build(network.trainable_variables)
            self._resume(self._folder / CHECKPOINT)
            self._writer = tensorflow().summary.create_file_writer(str(self._folder / LOGS))
        progress = self._progress
        if not progress.stopped and progress.epoch < self._settings.epochs:
            network.fit(
                feed.training(progress.epoch, self._settings.epochs),
                validation_data=feed.validation() if feed.held_out.any() else None,
                steps_per_epoch=feed.steps,
                initial_epoch=progress.epoch,
                epochs=self._settings.epochs,
                shuffle=False,  # the batches are shuffled already
                verbose=0,
                callbacks=[tensorflow().keras.callbacks.LambdaCallback(on_epoch_end=self._ended)],
            )
        network.set_weights(self._best)
        return self._progress

    def _ended(self, epoch: int, logs: dict[str, float]) -> None:
        loss, held_out = float(logs["loss"]), float(logs.get("val_loss", 0.0))
        if not (np.isfinite(loss) and np.isfinite(held_out)):
            raise ValueError("the network diverged: its loss is no number any more; lower learning_rate")
        progress, patience = self._progress, self._settings.patience
        progress.epoch = epoch + 1
        progress.losses.append((loss, held_out))
        if "val_loss" not in logs or held_out < progress.best:
            progress.best, progress.waited = held_out, 0
            self._best = self._network.get_weights()
        else:
            progress.waited += 1
            self._slow_down(max(1, patience // 3))
        if progress.waited >= patience:
            progress.stopped = self._network.stop_training = True
        if self._folder is not None:
            self._log(loss, held_out)
            self._checkpoint(self._folder / CHECKPOINT)

    def _slow_down(self, every: int) -> None:
        if self._settings.schedule == "plateau" and self._progress.waited % every == 0:
            rate = self._network.optimizer.learning_rate
            rate.assign(rate * 0.5)

    def _log(self, loss: float, held_out: float) -> None:
        rate = float(np.asarray(self._network.optimizer.learning_rate))
        with self._writer.as_default(step=self._progress.epoch):
            for name, value in {"loss": loss, "held-out loss": held_out, "learning rate": rate}.items():
                tensorflow().summary.scalar(name, value)
        self._writer.flush()

    def _state(self) -> list[Any]:
        metrics = {id(variable) for variable in self._network.metrics_variables}  # each epoch begins with new ones
        own = [variable for variable in self._network.variables if id(variable) not in metrics]
        return [*own, *self._network.optimizer.variables]

    def _checkpoint(self, path: Path) -> None:
        """Write everything that the next epoch depends on; whole or not at all."""
        state = {f"state_{place}": np.asarray(variable) for place, variable in enumerate(self._state())}
        best = {f"best_{place}": weights for place, weights in enumerate(self._best)}
        about = json.dumps({"whose": self._whose, "progress": asdict(self._progress)})
        draft = path.with_suffix(f".{os.getpid()}")
        with draft.open("wb") as file:
            np.savez(file, allow_pickle=False, about=np.frombuffer(about.encode(), dtype="uint8"), **state, **best)
        draft.replace(path)

    def _resume(self, path: Path) -> None:
        """Go on from a checkpoint, where there is a readable one of the same fit."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
                kept = dict(found)
        except (OSError, ValueError, zipfile.BadZipFile, EOFError):
            return
        about = json.loads(kept["about"].tobytes())
        if about["whose"] != self._whose:
            return
        for place, variable in enumerate(self._state()):
            variable.assign(kept[f"state_{place}"])
        self._best = [kept[f"best_{place}"] for place in range(len(self._best))]
        self._progress = Progress(**about["progress"])
