"""Adoption: a model that somebody already has in production becomes the first version, so that the next is compared.

Rows that it was trained on never count when it is compared. What these are, its maker tells: they are in a file, or
there are none among the problem's data; where nobody tells, it may have seen all of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.endings import End, ended, finished, nothing_new
from flows.judging import Challenge, judged
from flows.steps import checked, fetched, resumable
from flows.training import run_key
from tasks.adopt import adopt
from tasks.adopting.adopted_files import check_file
from tasks.columns import feature_set
from tasks.corrections import corrections
from tasks.featurize import featurize
from tasks.fetch import fetch
from tasks.fresh_process import FreshProcess
from tasks.judging.slices import check_slices
from tasks.keys import digest
from tasks.problem import Problem
from tasks.records import Answer, Artifact, File, Split, Version
from tasks.registering.leases import user
from tasks.registry import Registry
from tasks.snapshots import Snapshots
from tasks.sources import in_place_of
from tasks.store import Store, digest_of
from tasks.suites import Suite

SEEN_ALL = (
    "Nobody told what it was trained on (--trained-on FILE, or --unseen), so every row that there is counts as seen by "
    "it, and no later model can be compared with it before there are new rows."
)


@flow(name="adoption", flow_run_name="{problem}", persist_result=False)
def adoption(
    problem: str,
    model: str,
    project: str = ".",
    store: str | None = None,
    trained_on: str | None = None,
    unseen: bool = False,
    trust_pickle: bool = False,
) -> State[Any]:
    """Take a model from outside as the first version, or judge it like any challenger where there is one.

    Parameters
    ----------
    problem : str
        The problem's name: a folder below ``data/``.
    model : str
        A file of a fitted model: skops, Keras or, where ``trust_pickle``, a pickle.
    project : str
        The folder in which ``data/`` and ``expectations/`` stand.
    store : str, optional
        The store's address; by default ``data/store`` of the project.
    trained_on : str, optional
        A file of the rows that it was trained on.
    unseen : bool
        Whether it was trained on no row of the problem's data; otherwise, and without a file, it counts as trained on
        all of them.
    trust_pickle : bool
        Whether a pickle may be read, which runs whatever program it holds.
    """

    def work(declared: Problem, suite: Suite, place: Store) -> End:
        place.sweep()
        path = Path(model)
        check_file(path, trust_pickle=trust_pickle)
        snapshot = fetched(declared, place, project)
        columns = feature_set(declared, snapshot.data.columns)
        check_slices(declared, snapshot.data.columns)
        validated, sides, news = checked(declared, suite, snapshot, place)
        rows = seen_rows(declared, sides, trained_on, unseen, place)
        file = File(path=model, sha256=digest_of(path), size=path.stat().st_size)
        key = digest([run_key(declared, suite, snapshot, corrections(place)), file.sha256, rows])
        registry = Registry(place)
        if known := registry.settled(key):
            return nothing_new(known, registry.champion())
        features = resumable(place, featurize)(sides, columns, place)
        with FreshProcess() as fresh:
            found = resumable(place, adopt)(
                file, columns, sides, rows, declared.task, declared.seed, place, trust_pickle
            )
            said = Answer(approved=True, because=f"{user()} brought it, from {model}.", by=user())
            challenge = Challenge(found.model, features, sides, snapshot, key, adopted=said)
            version, cause = judged(declared, challenge, place, fresh, promote=True)
        notes = found.notes if trained_on or unseen else (*found.notes, SEEN_ALL)
        return adopted(version, finished(version, cause, (*validated.warnings, *news), place), notes, place)

    return ended(work, problem, project, store)


def seen_rows(problem: Problem, sides: Split, file: str | None, unseen: bool, store: Store) -> Artifact:
    """Give the rows that a model from outside was trained on: those of a file, none, or all that there are."""
    if file:
        last = Snapshots(store).accepted()
        rows = fetch(in_place_of(problem.source, file), store, last.snapshot if last else None).data
        return store.keep_batches(store.schema(rows), store.batches(rows), "train")
    schema = store.schema(sides.test)
    parts = () if unseen else (sides.train, sides.test)
    names = schema.names
    return store.keep_batches(schema, (batch for part in parts for batch in store.batches(part, names)), "train")


def adopted(version: Version, end: End, notes: tuple[str, ...], store: Store) -> End:
    """Give the end of a run that took a model from outside, with what a person should know of it."""
    decision = Registry(store).decision()
    said = end.get("sentence", "")
    if decision and (decision.kind, decision.version) == ("adopted", version.number):
        said = f"Version {version.number} is in production. {decision.reason}"
    return end | End(sentence=" ".join((said, *notes)))
