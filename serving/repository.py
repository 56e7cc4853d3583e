"""Which versions one process serves: the champion of each problem and the one before it, as the registry says now.

The pointer is polled, since that works on any store. A new version is loaded beside the old one; only when it has
repeated its stored predictions does it take over, in one assignment. Requests in flight end on the version that they
began with. A version that cannot be loaded is not taken: the one before goes on, and the trouble is said.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from serving.metrics import Metrics
from serving.served import Served
from serving.settings import Settings
from tasks.errors import ProblemError, SalamanderError
from tasks.problem import declaration, problem_names
from tasks.registry import Registry
from tasks.store import Store

if TYPE_CHECKING:
    from serving.journal import Journal

Label = Literal["champion", "previous"]
LOG = logging.getLogger("salamander.repository")
AGAIN_SECONDS = 30.0
"""After so long a champion that could not be loaded is tried again, though nothing was moved."""
MOST_AT_ONCE = 3
"""So many problems are looked at side by side, so that threads are left for large requests."""


class NotServed(ProblemError):  # noqa: N818 - says what is the matter
    """There is no such model here: says what there is."""


@dataclass(frozen=True)
class Offer:
    """What is served of a problem at a moment: replaced whole, never changed."""

    champion: Served | None = None
    previous: Served | None = None
    trouble: str | None = None

    def all(self) -> dict[Label, Served]:
        """Give the versions that answer, by label."""
        both: dict[Label, Served | None] = {"champion": self.champion, "previous": self.previous}
        return {label: served for label, served in both.items() if served}


@dataclass
class _Seen:
    """What of a problem was looked at: its newest decision, its declaration, and when to try what failed again."""

    decision: int = 0
    declared: tuple[int, int] = (0, 0)
    again_at: float = float("inf")


class Repository:
    """The models of one process.

    Parameters
    ----------
    journal : Journal, optional
        Where predictions are noted, as each problem declares.
    """

    def __init__(self, settings: Settings, journal: Journal | None = None, metrics: Metrics | None = None) -> None:
        self.settings, self.journal = settings, journal
        self.metrics = metrics or Metrics()
        self.offers: dict[str, Offer] = {}
        self._seen: dict[str, _Seen] = {}

    def find(self, problem: str, version: int | None = None, label: str | None = None) -> Served:
        """Give what answers for a problem: the champion, or the version of a number or label.

        Raises
        ------
        NotServed
            Nothing of that name, number or label is served here.
        """
        offer = self.offers.get(problem)
        if offer is None:
            known = ", ".join(self.offers) or "none"
            raise NotServed(f"There is no model {problem[:80]!r} here; served are: {known}.")
        asked = (label or "champion") if version is None else version
        for name, served in offer.all().items():
            if asked in (name, served.number):
                return served
        shown = asked if isinstance(asked, int) or asked.isalnum() else repr(asked[:80])
        known = ", ".join(f"{served.number} ({name})" for name, served in offer.all().items())
        raise NotServed(f"{problem} has no version {shown} here; served are: {known or 'none'}.")

    def ready(self) -> bool:
        """Tell whether there is something that answers for every problem that has something in production."""
        return all(offer.champion for offer in self.offers.values())

    @asynccontextmanager
    async def following(self) -> AsyncGenerator[None]:
        """Load what is in production, and follow it until the end; who waits is answered before that."""
        await asyncio.to_thread(self.load)
        work = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work
            for served in [served for offer in self.offers.values() for served in offer.all().values()]:
                await served.close()

    async def _follow(self) -> None:
        """Look at all problems again and again, side by side: one that loads slowly does not delay another."""
        looking, under_way, some = set[str](), set[asyncio.Task[None]](), asyncio.Semaphore(MOST_AT_ONCE)

        async def look(name: str) -> None:
            try:
                async with some:
                    let_go = await asyncio.to_thread(self.look, name)
            finally:
                looking.discard(name)
            for old in let_go:
                await old.close()

        try:
            while True:
                await asyncio.sleep(self.settings.poll_seconds)
                for name in {*await asyncio.to_thread(self._names)} - looking:
                    looking.add(name)
                    task = asyncio.create_task(look(name))
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    def _names(self) -> tuple[str, ...]:
        return self.settings.problems or problem_names(self.settings.project)

    def load(self) -> None:
        """Load what is in production of every problem, one after another; blocks."""
        for name in self._names():
            self.look(name)

    def look(self, name: str) -> list[Served]:
        """Bring what is served of a problem in line with what is declared and in production; blocks.

        Returns
        -------
        list of Served
            What is not served any more, and is to be closed.
        """
        seen = self._seen.setdefault(name, _Seen())
        registry = Registry(Store.at(self.settings.store, name))
        before = self.offers.get(name, Offer()).all().values()
        try:
            if self._is_declared_anew(name, seen):
                for served in before:
                    self._note(served, registry.store)
            if _is_decided_anew(registry, seen):
                self._take(name, registry)
        except Exception as error:  # whatever is wrong with one problem, the others are served
            self._complain(name, registry.store, error)
            seen.again_at = time.monotonic() + AGAIN_SECONDS
        now = self.offers.get(name, Offer()).all().values()
        return [served for served in before if served not in now]

    def _is_declared_anew(self, name: str, seen: _Seen) -> bool:
        """Tell whether the declaration is another than when this was asked last."""
        before, seen.declared = seen.declared, (0, 0)
        with suppress(OSError):  # there may be none: a store is served without its project too
            found = declaration(name, self.settings.project).stat()
            seen.declared = found.st_mtime_ns, found.st_size
        return seen.declared != before

    def _take(self, name: str, registry: Registry) -> None:
        """Load what the newest decision says; the champion answers before the one before it is loaded."""
        decision = registry.decision()
        if decision is None or decision.champion is None:
            return
        before = self.offers.get(name, Offer())
        held = {served.number: served for served in before.all().values()}
        try:
            champion = held.get(decision.champion) or self._loaded(decision.champion, registry)
        except SalamanderError:
            if before.champion is None and decision.previous:  # a process that started just now: as the others do
                self._offer(name, Offer(self._loaded(decision.previous, registry)), before)
            raise
        previous = held.get(decision.previous or 0)
        self._offer(name, Offer(champion, previous), before)
        if previous is None and decision.previous:
            try:
                previous = self._loaded(decision.previous, registry)
            except SalamanderError as error:  # it may never be asked for, so it is not tried again and again
                self._complain(name, registry.store, error)
            else:
                self._offer(name, Offer(champion, previous), self.offers[name])

    def _loaded(self, number: int, registry: Registry) -> Served:
        store, begun = registry.store, time.perf_counter()
        served = Served(registry.version(number), store, self.metrics.batches.labels(store.problem).observe)
        self._note(served, store)
        seconds = round(time.perf_counter() - begun, 3)
        fields = {"problem": store.problem, "version": number, "seconds": seconds}
        LOG.info("A version is loaded, checked and warm.", extra={"fields": fields})
        return served

    def _note(self, served: Served, store: Store) -> None:
        """Have noted what a version predicts, as its problem declares now."""
        if self.journal is None:
            return
        try:
            served.noted = self.journal.page(served, store, self.settings.project)
        except Exception as error:  # nobody knows what is private; that is no reason not to answer
            served.noted = None
            fields = {"problem": served.problem, "version": served.number}
            LOG.warning(f"Nothing is noted: {error}", extra={"fields": fields})

    def _offer(self, name: str, offer: Offer, before: Offer) -> None:
        self.offers[name] = offer
        for label in ("champion", "previous"):
            served = offer.all().get(label)
            self.metrics.version.labels(name, label).set(served.number if served else 0)
        if offer.champion and before.champion is not offer.champion:
            if before.champion:
                self.metrics.swaps.labels(name).inc()
            left = before.champion.number if before.champion else None
            fields = {"problem": name, "version": offer.champion.number, "before": left}
            LOG.info("A version answers from now on.", extra={"fields": fields})

    def _complain(self, name: str, store: Store, error: Exception) -> None:
        """Say what is wrong: in the log whole, to whoever asks without the places of this machine."""
        sentence = str(error) if isinstance(error, SalamanderError) else f"{type(error).__name__}: {error}"
        before = self.offers.get(name, Offer())
        self.offers[name] = replace(before, trouble=sentence.replace(str(store.root), "the store"))
        self.metrics.troubles.labels(name).inc()
        fields = {"problem": name, "goes_on": before.champion and before.champion.number}
        LOG.error(sentence, extra={"fields": fields})


def _is_decided_anew(registry: Registry, seen: _Seen) -> bool:
    """Tell whether something was decided since this was asked last, or it is time to try again."""
    newest = registry.newest()
    if newest == seen.decision and time.monotonic() < seen.again_at:
        return False
    seen.decision, seen.again_at = newest, float("inf")
    return True
