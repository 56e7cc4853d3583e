"""Which versions there are, which one is in production, and how that changes.

A version is one record, created whole under the next free number after its files are in the store, so half a version is
never seen. The champion is what the newest deployment record names: promoting is creating the next record, which fails
if another run has created it first. That is a compare-and-swap, and its trail is the history of decisions.
"""

from __future__ import annotations

import getpass
from datetime import UTC, datetime

from tasks.errors import ProblemError, StoreError
from tasks.records import Deployment, Version
from tasks.store import Store


class Registry:
    """The versions and deployments of one problem."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def versions(self) -> list[Version]:
        """Give all versions, oldest first."""
        return [self.version(number) for number in self.store.numbers("versions")]

    def version(self, number: int) -> Version:
        """Give one version.

        Raises
        ------
        ProblemError
            There is no version of that number.
        """
        known = self.store.numbers("versions")
        if number not in known:
            raise ProblemError(
                f"{self.store.problem} has no version {number}; it has {', '.join(map(str, known)) or 'none yet'}."
            )
        return self.store.record(_path("versions", number), Version)

    def deployments(self) -> list[Deployment]:
        """Give every move of the champion pointer, oldest first."""
        numbers = self.store.numbers("deployments")
        return [self.store.record(_path("deployments", number), Deployment) for number in numbers]

    def deployment(self) -> Deployment | None:
        """Give the deployment in force, or None before the first."""
        numbers = self.store.numbers("deployments")
        return self.store.record(_path("deployments", numbers[-1]), Deployment) if numbers else None

    def champion(self) -> Version | None:
        """Give the version in production, or None before the first promotion."""
        deployment = self.deployment()
        return self.version(deployment.version) if deployment else None

    def settled(self, key: str) -> Version | None:
        """Give the version that a finished run of the same key made: deployed, or held against the present champion."""
        history = self.deployments()
        champion = history[-1].version if history else None
        deployed = {deployment.version for deployment in history}

        def final(version: Version) -> bool:
            if version.number in deployed:
                return True
            held = not version.verdict.promote and version.verdict.cause != "champion unreadable"
            return held and version.scores.champion_version == champion

        return next((v for v in reversed(self.versions()) if v.key == key and final(v)), None)

    def check_files(self, version: Version) -> None:
        """Check that all files of a version's model are there and unchanged.

        Raises
        ------
        StoreError
            One is not; the sentence names it.
        """
        for file in version.model.files.values():
            self.store.path(file)

    def register(self, draft: Version) -> Version:
        """Give a number to a version and create it; a version of the same content is given back as it is."""
        while True:
            known = self.versions()
            for version in known:
                if _content(version) == _content(draft):
                    return version
            numbered = draft.model_copy(update={"number": known[-1].number + 1 if known else 1})
            if self.store.create(_path("versions", numbered.number), numbered):
                return numbered

    def promote(self, version: Version, judged_against: int | None) -> Deployment | None:
        """Put a version into production, unless the champion is not the one that it was judged against.

        Returns
        -------
        Deployment or None
            The deployment that put it there, also where a run of the same content was faster. None, and nothing is
            changed, where the champion is another one.
        """
        current = self.deployment()
        if current and current.version == version.number:
            return current
        if (current.version if current else None) != judged_against:
            return None
        return self._deploy(current, version, "promotion", version.verdict.reason)

    def rollback(self, to: int | None = None) -> Deployment:
        """Put the version before the champion, or any that was deployed once, back into production.

        Raises
        ------
        ProblemError
            There is nothing to go back to, or that version was never in production.
        StoreError
            A file of that version is missing or altered, or somebody moved the pointer at the same moment.
        """
        history = self.deployments()
        if not history:
            raise ProblemError(f"{self.store.problem} has no version in production, so there is nothing to roll back.")
        current = history[-1]
        deployed = sorted({deployment.version for deployment in history} - {current.version})
        if to is None:
            promotions = [d for d in history if d.kind == "promotion" and d.version == current.version]
            to = promotions[-1].previous
            if to is None:
                raise ProblemError(
                    f"{self.store.problem} version {current.version} was the first in production: there is none before."
                )
        if to not in deployed:
            allowed = ", ".join(map(str, deployed)) or "none"
            raise ProblemError(
                f"{self.store.problem} cannot go back to version {to}: allowed are versions that were in production "
                f"before and are not now: {allowed}."
            )
        target = self.version(to)
        self.check_files(target)
        moved = self._deploy(current, target, "rollback", f"Rolled back from version {current.version}.")
        if moved is None:
            raise StoreError(
                f"The champion of {self.store.problem} was changed by another run just now; look and try again."
            )
        return moved

    def _deploy(self, current: Deployment | None, version: Version, kind: str, reason: str) -> Deployment | None:
        deployment = Deployment.model_validate(
            {
                "number": current.number + 1 if current else 1,
                "version": version.number,
                "previous": current.version if current else None,
                "kind": kind,
                "reason": reason,
                "by": getpass.getuser(),
                "at": datetime.now(UTC),
            }
        )
        return deployment if self.store.create(_path("deployments", deployment.number), deployment) else None

    def project(self) -> None:
        """Bring the folder that TensorFlow Serving watches in line with the champion.

        It serves the highest number it finds, so the champion's must be the highest, and none may stand there where the
        champion is no network. Idempotent: a run killed between the promotion and this is mended by the next.
        """
        champion = self.champion()
        served = champion.model.served_files if champion else {}
        folder = self.store.root / "serving" / self.store.problem
        for path in folder.glob("[0-9]*"):
            if champion is None or not served or int(path.name) > champion.number:
                self.store.remove_folder(path)
        if champion and served:
            self.store.project(served, folder / str(champion.number))


def _path(folder: str, number: int) -> str:
    return f"{folder}/{number:06}.json"


def _content(version: Version) -> dict[str, object]:
    return version.model_dump(mode="json", exclude={"number", "created"})
