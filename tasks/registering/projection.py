"""The folder that TensorFlow Serving watches: a projection of the champion, laid out anew wherever it differs from it.

It serves the highest number it finds, so that must be the champion's, and none may stand there where the champion is no
network. Every version in it was in production once. A file in it that was changed is laid out anew.
"""

from __future__ import annotations

from pathlib import Path

from tasks.records import Version
from tasks.store import Store, digest_of


def is_in_line(store: Store, champion: Version | None) -> bool:
    """Give whether the folder shows the champion as the store has it, and nothing that would be served in its place."""
    return not _in_its_place(store, champion) and (champion is None or _is_whole(store, champion))


def bring_in_line(store: Store, champion: Version | None) -> None:
    """Take away what would be served in the champion's place, and lay the champion out; each appears and goes whole."""
    for path in _in_its_place(store, champion):
        store.remove_folder(path)
    if champion and champion.model.served_files:
        shown = _folder(store) / str(champion.number)
        if shown.exists() and not _is_whole(store, champion):
            store.remove_folder(shown)
        store.project(champion.model.served_files, shown)


def _is_whole(store: Store, champion: Version) -> bool:
    shown = _folder(store) / str(champion.number)
    files = champion.model.served_files.items()
    return all((shown / name).is_file() and digest_of(shown / name) == file.sha256 for name, file in files)


def _in_its_place(store: Store, champion: Version | None) -> list[Path]:
    highest = champion.number if champion and champion.model.served_files else 0
    shown = (path for path in _folder(store).glob("*") if path.name.isdigit())
    return [path for path in shown if int(path.name) > highest]


def _folder(store: Store) -> Path:
    return store.root / "serving" / store.problem
