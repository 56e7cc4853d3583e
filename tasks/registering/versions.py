"""The numbered versions of a problem: each is one record, created whole after its files are in the store.

A decision names the version by the sha256 of its record, so that no other can stand in its place; where keys are given,
the record is signed, and its signature is verified before anything of it is parsed. Records stay for ever, so that no
number is used twice; `salamander gc` may take the files of old versions away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from pydantic_core import to_json

from tasks.errors import ProblemError, StoreError
from tasks.records import Decision, Model, Version
from tasks.registering import signatures
from tasks.registering.decisions import Decisions
from tasks.registering.leases import Leases
from tasks.registering.seals import sealed
from tasks.store import Store, numbered

FOLDER = "versions"


class Versions:
    """The versions of one problem."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.decisions = Decisions(store)

    def numbers(self) -> list[int]:
        """Give the numbers of all versions, rising."""
        return self.store.numbers(FOLDER)

    def version(self, number: int) -> Version:
        """Give one version.

        Raises
        ------
        ProblemError
            There is no version of that number.
        StoreError
            Its record is missing or was changed, or its signature, where one is asked for.
        """
        known, manifest = self.numbers(), self._manifest(number)
        if number not in known and manifest is None:
            raise ProblemError(
                f"{self.store.problem} has no version {number}; it has {', '.join(map(str, known)) or 'none yet'}."
            )
        return self._read(number, manifest)

    def models(self, numbers: Iterable[int]) -> dict[int, Model]:
        """Give the models of versions to compare them, not to use them: their signatures are not asked for."""
        manifests = self._manifests()
        return {number: self._read(number, manifests.get(number), signed=False).model for number in numbers}

    def signature(self, number: int) -> str:
        """Give the name of the signature of a version, whether there is one or not."""
        return signatures.name_of(self.store.read(numbered(FOLDER, number)))

    def all(self, *, signed: bool = True) -> list[Version]:
        """Give all versions, oldest first; where only looked at, their signatures need not be asked for."""
        manifests = self._manifests()
        return [self._read(number, manifests.get(number), signed=signed) for number in self._ever(manifests)]

    def readable(self, key: str | None = None) -> Iterator[Version]:
        """Give all versions, or those of a key, but those that are not to be trusted, newest first.

        Those are named where they are used.
        """
        return (found for found in self._each(key) if isinstance(found, Version))

    def refused(self) -> Iterator[str]:
        """Give why each version that is not to be trusted is not, newest first."""
        return (str(found) for found in self._each(None) if isinstance(found, StoreError))

    def _each(self, key: str | None) -> Iterator[Version | StoreError]:
        manifests, written = self._manifests(), b"" if key is None else to_json(key)
        for number in reversed(self._ever(manifests)):
            try:
                if written in self.store.read(numbered(FOLDER, number)):  # the key, as it is written there
                    yield self._read(number, manifests.get(number))
            except StoreError as error:
                yield error

    def _ever(self, manifests: dict[int, str]) -> list[int]:
        """Give the numbers of all versions that there are or that were decided on once, rising."""
        return sorted({*self.numbers(), *manifests})

    def manifest(self, number: int) -> str:
        """Give the sha256 of a version's record."""
        return hashlib.sha256(self.store.read(numbered(FOLDER, number))).hexdigest()

    def _manifest(self, number: int) -> str | None:
        """Give the sha256 that the record of a version had when it was decided on, or None."""
        decided = (each.manifest for each in self.decisions.newest_first() if each.version == number)
        return next((manifest for manifest in decided if manifest), None)

    def _manifests(self) -> dict[int, str]:
        decided = ((each.version, each.manifest) for each in self.decisions.newest_first())
        return {version: manifest for version, manifest in decided if version and manifest}

    def _read(self, number: int, manifest: str | None, *, signed: bool = True) -> Version:
        name = numbered(FOLDER, number)

        def check(content: bytes) -> None:
            if signed:
                signatures.check(self.store, name, content)
            if manifest and hashlib.sha256(content).hexdigest() != manifest:
                raise StoreError(
                    f"{self.store.folder / name} is not the record that was decided on (its sha256 is not "
                    f"{manifest[:12]}...) and is not used; restore it from a backup."
                )

        return self.store.record(name, Version, check)

    def register(self, draft: Version, leases: Leases) -> Version:
        """Give a number to a version and create it; a version of the same content is given back as it is.

        Raises
        ------
        StoreError
            A file of it is not in the store (any more).
        """
        content = _content(draft)

        def make(number: int) -> Version:
            known = next((version for version in self.readable(draft.key) if _content(version) == content), None)
            if known:
                return known
            version = draft.model_copy(update={"number": number})
            signatures.sign(self.store, numbered(FOLDER, number), sealed(version))
            return version

        return leases.append(FOLDER, "register a version", make, after=max(self._manifests(), default=0))

    def hold(self, numbers: Iterable[int], model: Model) -> bool:
        """Give whether one of these versions has the same content as a model."""
        return any(same_content(other, model) for other in self.models(numbers).values())

    def without(self, numbers: Iterable[int], model: Model) -> tuple[int, ...]:
        """Give those of these versions that have another content than a model."""
        return tuple(number for number, other in self.models(numbers).items() if not same_content(other, model))

    def check_files(self, version: Version) -> None:
        """Check that all files that a version is used with are there and unchanged.

        These are the model's, and the test rows and predictions that it must repeat. The rows that it was trained on
        are checked where they are read: there may be a great many.

        Raises
        ------
        StoreError
            One is not; the sentence names it.
        """
        self.check_kept(version)
        for file in (*version.model.files.values(), version.test.file, version.scores.predictions.file):
            self.store.path(file)

    def check_kept(self, version: Version) -> None:
        """Check that no file of a version was collected.

        Raises
        ------
        StoreError
            One was; the sentence says when, and by which decision.
        """
        if self.store.gone(version) and (decision := self._collected(version.number)):
            raise StoreError(
                f"The files of version {version.number} of {self.store.problem} were removed on {decision.at:%Y-%m-%d} "
                f"by {decision.by} (decision {decision.number}: {decision.reason}); only its record is kept."
            )

    def _collected(self, number: int) -> Decision | None:
        newest_first = self.decisions.newest_first()
        return next((each for each in newest_first if each.kind == "collected" and each.version == number), None)


def same_content(one: Model, other: Model) -> bool:
    """Give whether two models are the same to who uses them: the same files, columns and classes."""

    def parts(model: Model) -> tuple[object, ...]:
        return {name: file.sha256 for name, file in model.files.items()}, model.columns, model.classes

    return parts(one) == parts(other)


def _content(version: Version) -> dict[str, object]:
    return version.model_dump(mode="json", exclude={"number", "created"})
