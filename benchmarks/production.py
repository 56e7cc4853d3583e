"""What is in production in a store, for the contenders of `serving.py`, whatever environment they run in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tasks.registry import Registry
from tasks.store import Store

if TYPE_CHECKING:
    from tasks.models import Predictor
    from tasks.records import Version


def champion(store: Path, problem: str) -> tuple[Version, Store]:
    """Give the version in production, and the store of its problem."""
    place = Store(store, problem)
    found = Registry(place).champion()
    if found is None:
        raise SystemExit(f"{problem} has nothing in production in {store}")
    return found, place


def predictor(store: Path, problem: str) -> Predictor:
    """Give the predictor in production."""
    from tasks.models import load

    version, place = champion(store, problem)
    return load(version.model, place)
