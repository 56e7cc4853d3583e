"""A Python process of its own, in which a model is measured and rehearsed as if it had just been deployed there.

It imports what models need while others work, then answers questions in turn, so that the imports are paid once. Both
ends of the conversation stand here: a line of JSON goes in, ``{"ask": "rehearse", ...}``, and one comes out, the answer
or ``{"error": "a sentence"}``. What libraries print there goes to the log that is read where the process dies.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, TextIO, cast

from tasks.errors import DataRefused, ProblemError, SalamanderError, StoreError
from tasks.gate import Behaviour
from tasks.records import Artifact, Measurements, Model, Version
from tasks.store import Store

PRELOADED = ("pandas", "pyarrow.parquet", "skops.io", "sklearn.compose", "sklearn.ensemble", "sklearn.impute")
ANSWER_SECONDS = 3_600
KINDS = {kind.__name__: kind for kind in (DataRefused, ProblemError, SalamanderError, StoreError)}


class FreshProcess:
    """A process that waits for questions; use it as a context: at the end it is gone, whether it was asked or not.

    Parameters
    ----------
    timeout_seconds : float
        After so long without an answer it is ended: a model that hangs must not hang the run.
    """

    def __init__(self, timeout_seconds: float = ANSWER_SECONDS) -> None:
        self._timeout_seconds = timeout_seconds
        self._late = False
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tasks.fresh_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=same_imports(),
            text=True,
        )

    def __enter__(self) -> FreshProcess:
        """Give the process itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for pipe in self._pipes():
            with contextlib.suppress(BrokenPipeError):  # a question that it did not live to read
                pipe.close()
        self._log.close()

    def rehearse(self, version: Version, store: Store) -> None:
        """Load a version in the process and compare its predictions for the test rows with those it was judged by.

        Raises
        ------
        SalamanderError
            It cannot be loaded there, or it predicts something else.
        """
        try:
            found = self._ask("rehearse", store, version=version.number)
        except SalamanderError as error:
            text = f"Version {version.number} failed its rehearsal in a fresh process: {error}"
            raise SalamanderError(text) from error
        if not found["same"]:
            raise SalamanderError(
                f"Version {version.number} predicts something else in a fresh process: {found['different']} of "
                f"{found['rows']} rows differ, by up to {found['largest']:.3g}."
            )

    def measure(self, model: Model, test: Artifact, behaviours: tuple[Behaviour, ...], store: Store) -> Measurements:
        """Measure a model in the process; see `tasks.judging.measurements`.

        Raises
        ------
        SalamanderError
            It cannot be loaded there, it does not predict, or a behaviour does not fit it.
        """
        given = {
            "model": model.model_dump(mode="json"),
            "test": test.model_dump(mode="json"),
            "behaviours": [behaviour.model_dump(mode="json") for behaviour in behaviours],
        }
        return Measurements.model_validate(self._ask("measure", store, **given))

    def _ask(self, question: str, store: Store, **given: Any) -> dict[str, Any]:
        """Give the answer to a question; where there is none, raise the error that it ended with."""
        asked = {"ask": question, "root": str(store.root), "problem": store.problem, **given}
        to, back = self._pipes()
        with contextlib.suppress(BrokenPipeError):  # it has ended: its last words say why
            to.write(json.dumps(asked) + "\n")
            to.flush()
        patience = threading.Timer(self._timeout_seconds, self._give_up)
        patience.start()
        line = back.readline()
        patience.cancel()
        if not line.endswith("\n"):
            raise SalamanderError(self._last_words())
        answer = json.loads(line)
        if "error" in answer:
            raise KINDS[answer["kind"]](answer["error"])
        return answer

    def _give_up(self) -> None:
        self._late = True
        self._process.kill()

    def _pipes(self) -> tuple[TextIO, TextIO]:
        return cast("TextIO", self._process.stdin), cast("TextIO", self._process.stdout)

    def _last_words(self) -> str:
        """Give what is known of a process that ended without an answer."""
        code = self._process.wait()
        if self._late:
            return f"The fresh process gave no answer within {self._timeout_seconds:g} seconds and was ended"
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        if code < 0:
            name = signal.Signals(-code).name
            why = f"{name}{', as when memory runs out' if name == 'SIGKILL' else ''}"
        else:
            why = lines[-1] if lines else f"exit code {code}"
        return f"The fresh process ended without an answer: {why}"


def same_imports() -> dict[str, str]:
    """Give the environment of a process that imports the same `tasks` as here, whatever the working folder holds."""
    ours, known = str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH")
    return os.environ | {"PYTHONPATH": os.pathsep.join([ours, known] if known else [ours])}


# What follows runs in the process.


def answered(asked: dict[str, Any]) -> dict[str, Any]:
    """Give the answer to a question, or its error as a sentence."""
    try:
        return _rehearsed(asked) if asked["ask"] == "rehearse" else _measured(asked)
    except SalamanderError as error:
        return {"error": str(error), "kind": type(error).__name__}
    except Exception as error:
        first = (str(error).strip().splitlines() or ["no message"])[0]
        return {"error": f"{type(error).__name__}: {first}", "kind": "SalamanderError"}


def _rehearsed(asked: dict[str, Any]) -> dict[str, Any]:
    from tasks.models import load
    from tasks.reference import repeated
    from tasks.registry import Registry

    store = Store(Path(asked["root"]), asked["problem"])
    version = Registry(store).version(asked["version"])
    found = repeated(load(version.model, store), version, store)
    return {**found._asdict(), "same": found.same}


def _measured(asked: dict[str, Any]) -> dict[str, Any]:
    from tasks.judging.measurements import measured

    store = Store(Path(asked["root"]), asked["problem"])
    behaviours = tuple(Behaviour.model_validate(each) for each in asked["behaviours"])
    model, test = Model.model_validate(asked["model"]), Artifact.model_validate(asked["test"])
    return measured(model, test, behaviours, store).model_dump(mode="json")


def converse() -> None:
    """Import what models need, then answer one question a line until there are no more.

    TensorFlow is imported only once a network is there. What anything prints, native libraries too, goes to the log.
    """
    with os.fdopen(os.dup(1), "w", buffering=1) as answers:
        os.dup2(2, 1)
        for name in PRELOADED:
            importlib.import_module(name)
        for line in sys.stdin:
            answers.write(json.dumps(answered(json.loads(line))) + "\n")


if __name__ == "__main__":
    converse()
