"""Model files from outside, read without running what they hold.

A skops file is looked through before anything of it is made, and holds types of the fixed list or is refused. A Keras
file names classes and functions by module, and Keras imports what it names: so the names are checked first, against the
modules that networks are made of, less the layers that carry programs or open files. A pickle is a program; it is read
only where the user vouches for it, and what it gives goes through a skops file in memory, so through the same list.
"""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tasks.errors import ProblemError
from tasks.models import TRUSTED
from tasks.sentences import listed

PICKLES = (".joblib", ".pickle", ".pkl")
KINDS = (".skops", ".keras", *PICKLES)

KERAS_CLASSES = (
    "keras",
    "keras.constraints",
    "keras.dtype_policies",
    "keras.initializers",
    "keras.layers",
    "keras.losses",
    "keras.metrics",
    "keras.models",
    "keras.optimizers",
    "keras.regularizers",
    "keras.src.models.functional",
    "keras.src.models.sequential",
)
KERAS_FUNCTIONS = ("builtins", "keras.activations", "keras.losses", "keras.metrics", "keras.ops")
"""Keras writes its own functions as of ``builtins``, and finds them in its own modules only."""

KERAS_OPERATIONS = "keras.src.ops."
KERAS_PROGRAMS = ("FlaxLayer", "JaxLayer", "Lambda", "TFSMLayer", "TorchModuleWrapper")
"""Layers that hold a program or load one from another file."""

KERAS_VALUES = ("__bytes__", "__ellipsis__", "__keras_tensor__", "__numpy__", "__slice__", "__tensor__")


class Read(NamedTuple):
    """A fitted scikit-learn estimator or Keras network, and what a person should know of how it was read."""

    model: Any
    notes: tuple[str, ...] = ()


def check_file(path: Path, *, trust_pickle: bool) -> None:
    """Check that there is a file of a kind that may be read.

    Raises
    ------
    ProblemError
        There is none, it is of another kind, or a pickle that the user does not vouch for.
    """
    if not path.is_file():
        raise ProblemError(f"{path} is no file; give the model's own: {listed(f'*{kind}' for kind in KINDS)}.")
    if path.suffix not in KINDS:
        raise ProblemError(f"{path} is of a kind that is not read; allowed: {listed(KINDS)}.")
    if path.suffix in PICKLES and not trust_pickle:
        raise ProblemError(
            f"{path} is a pickle: reading it runs whatever program it holds. If you made it yourself, say so with "
            "--trust-pickle, or write the model with skops.io.dump(model, 'model.skops')."
        )


def read_model(path: Path, *, trust_pickle: bool) -> Read:
    """Give the fitted model that a file holds.

    Raises
    ------
    ProblemError
        The file is not one that `check_file` allows, no model, or holds what is not on the list: says what.
    """
    check_file(path, trust_pickle=trust_pickle)
    if path.suffix in PICKLES:
        return _read_pickle(path)
    try:
        return Read(_load_keras(path)) if path.suffix == ".keras" else _load_skops(path)
    except ProblemError:
        raise
    except Exception as error:
        made_by = "model.save of Keras" if path.suffix == ".keras" else "skops.io.dump"
        raise ProblemError(f"{path} cannot be read as what {made_by} writes: {_first_line(error)}.") from error


def _load_skops(path: Path) -> Read:
    import skops.io

    return _through_the_list(path, path.read_bytes(), skops.io.get_untrusted_types(file=path))


def _through_the_list(path: Path, content: bytes, beyond: list[str]) -> Read:
    import skops.io
    from sklearn.exceptions import InconsistentVersionWarning

    if strange := [name for name in beyond if name not in TRUSTED]:
        raise ProblemError(
            f"{path} holds types that are not on the list of those that are loaded: {listed(strange)}; "
            "build the model of scikit-learn's own estimators and transformers, or of Keras."
        )
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", InconsistentVersionWarning)
        return Read(_best(skops.io.loads(content, trusted=list(TRUSTED))), _versions_told(told))


def _read_pickle(path: Path) -> Read:
    """Give the model of a pickle that the user vouches for, by way of a skops file in memory."""
    import joblib
    import skops.io
    from sklearn.base import BaseEstimator
    from sklearn.exceptions import InconsistentVersionWarning

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", InconsistentVersionWarning)
        try:
            found = _best(joblib.load(path))
        except Exception as error:
            text = f"{path} cannot be unpickled here: {type(error).__name__}: {_first_line(error)}."
            raise ProblemError(text) from error
    if not isinstance(found, BaseEstimator):
        raise ProblemError(
            f"{path} holds a {type(found).__name__}, not a model of scikit-learn; save the fitted estimator or "
            "pipeline itself (a Keras network as .keras)."
        )
    try:
        content = skops.io.dumps(found)
        beyond = skops.io.get_untrusted_types(data=content)
    except Exception as error:
        raise ProblemError(f"{path} cannot be kept without a pickle: {_first_line(error)}.") from error
    read = _through_the_list(path, content, beyond)
    return read._replace(notes=tuple(dict.fromkeys([*_versions_told(told), *read.notes])))


def _best(model: Any) -> Any:
    """Give the model that a search among parameters found, or the model itself."""
    return getattr(model, "best_estimator_", model)


def _versions_told(told: list[warnings.WarningMessage]) -> tuple[str, ...]:
    """Give a sentence where a model was made by another version of scikit-learn than is here."""
    from sklearn.exceptions import InconsistentVersionWarning

    found = [each.message for each in told if isinstance(each.message, InconsistentVersionWarning)]
    return tuple(
        dict.fromkeys(
            f"The model was made with scikit-learn {each.original_sklearn_version}, here is "
            f"{each.current_sklearn_version}: its predictions may differ from those that it gives elsewhere."
            for each in found
        )
    )


def _load_keras(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    strange = list(dict.fromkeys(strange_names({key: config[key] for key in config if key != "compile_config"})))
    if strange:
        raise ProblemError(
            f"{path} holds what is not on the list of those that are loaded: {listed(strange)}; build the network of "
            "Keras's own layers, without Lambda and without files of its own."
        )
    from tasks.networks import tensorflow

    return tensorflow().keras.models.load_model(path, compile=False, safe_mode=True)


def strange_names(config: Any) -> Iterator[str]:
    """Give what a network's configuration names that is not on the list, as ``module.name``.

    >>> list(strange_names({"module": "os", "class_name": "function", "config": "system"}))
    ['os.system']
    """
    if isinstance(config, list):
        for each in config:
            yield from strange_names(each)
    if not isinstance(config, dict):
        return
    if "class_name" in config and not _is_known(config):
        yield _named(config)
    if isinstance(config.get("vocabulary"), str):
        yield f"the vocabulary {config['vocabulary']!r}, a file outside the model"
    for each in config.values():
        yield from strange_names(each)


def _is_known(config: dict[str, Any]) -> bool:
    name, module, registered = config["class_name"], config.get("module"), config.get("registered_name")
    if name in KERAS_VALUES:
        return True
    if not isinstance(module, str) or name in KERAS_PROGRAMS or str(name).startswith("__"):
        return False
    if registered is not None and registered not in [name, config.get("config")]:
        return False
    return module in (KERAS_FUNCTIONS if name == "function" else KERAS_CLASSES) or module.startswith(KERAS_OPERATIONS)


def _named(config: dict[str, Any]) -> str:
    """Give what a configuration names: a function stands in place of its own configuration."""
    name = config.get("config") if config["class_name"] == "function" else config["class_name"]
    parts = (config.get("module"), config.get("registered_name") if config.get("module") is None else None, name)
    return ".".join(str(part) for part in parts if part)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
