"""The folder that TensorFlow Serving watches: a projection of the champion, laid out anew wherever it differs from it.

It serves the highest number it finds, so that must be the champion's, and none may stand there where the champion is no
network. Every version in it was in production once.
"""

from __future__ import annotations

from pathlib import Path

from tasks.records import Version
from tasks.store import Store


def is_in_line(store: Store, champion: Version | None) -> bool:
    """Give whether the folder shows the champion, and nothing that would be served in its place."""
    served = champion.model.served_files if champion else {}
    there = _folder(store) / str(champion.number if champion else 0)
    return not _in_its_place(store, champion) and (there.is_dir() or not served)


def bring_in_line(store: Store, champion: Version | None) -> None:
    """Take away what would be served in the champion's place, and lay the champion out; each appears and goes whole."""
    for path in _in_its_place(store, champion):
        store.remove_folder(path)
    if champion and champion.model.served_files:
        store.project(champion.model.served_files, _folder(store) / str(champion.number))


def _in_its_place(store: Store, champion: Version | None) -> list[Path]:
    highest = champion.number if champion and champion.model.served_files else 0
    shown = (path for path in _folder(store).glob("*") if path.name.isdigit())
    return [path for path in shown if int(path.name) > highest]


def _folder(store: Store) -> Path:
    return store.root / "serving" / store.problem
