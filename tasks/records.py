"""The small immutable records that pass between tasks: each names files by their content, none holds a clock or a run.

Equal content is an equal record, so Prefect's cache can compare them. Clocks live in `Version`, `Deployment` and
`RunRecord`, which are written once and never compared.

A record read from a file becomes one of the types of this module or an error, never anything else: that is why
`decode` looks names up in a closed table instead of importing what a file asks for.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks.candidates import Candidate, Feature, TaskKind
from tasks.gate import Gate
from tasks.problem import MetricName
from tasks.sources import Declared

SCHEMA_VERSION = 1

Role = Literal["numeric", "categorical", "text"]
Label = str | int | float | bool
Outcome = Literal[
    "promoted", "held", "nothing new", "accepted", "evaluated", "reproduced", "predicted", "refused", "failed"
]
Cause = Literal[
    "worse",
    "equivalent",
    "cannot tell",
    "rule broken",
    "awaiting approval",
    "rejected",
    "blocked",
    "frozen",
    "champion changed",
    "champion unreadable",
    "not deployed",
]
Standing = Literal["better", "equivalent", "worse", "cannot tell"]
DecisionKind = Literal[
    "promoted",
    "held",
    "adopted",
    "rolled back",
    "rejected",
    "blocked",
    "unblocked",
    "frozen",
    "unfrozen",
    "collected",
]


class Record(Declared):
    """A frozen record with the version of its schema, so that what is stored today can be read in a year."""

    schema_version: Literal[1, 2] = SCHEMA_VERSION


class File(Record):
    """A file in the store: ``path`` below the problem's folder, its ``sha256`` and its ``size`` in bytes."""

    path: str
    sha256: str
    size: int


class Column(Record):
    """A column's name and its Arrow type."""

    name: str
    dtype: str


class Artifact(Record):
    """A Parquet table in the store, named by the digest of its bytes."""

    file: File
    rows: int
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(column.name for column in self.columns)


class Table(Record):
    """The rows of Parquet parts, in their order, less those that are left out; all parts have the same columns.

    A row's position counts the rows of all parts from 0. ``left_out`` is a table of one column, ``position``, rising.
    """

    parts: Annotated[tuple[Artifact, ...], Field(min_length=1)]
    left_out: Artifact | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_part(cls, value: Any) -> Any:
        """Take an artifact as a table of one part, as the first versions of the store recorded it."""
        if isinstance(value, Artifact):
            return {"parts": (value,)}
        return {"parts": (value,)} if isinstance(value, dict) and "file" in value else value

    @property
    def rows(self) -> int:
        """How many rows there are, without those that are left out."""
        return sum(part.rows for part in self.parts) - (self.left_out.rows if self.left_out else 0)

    def rows_before(self, part: int) -> int:
        """Give how many rows stand in the parts before one, those left out included: the position of its first row."""
        return sum(each.rows for each in self.parts[:part])

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns, in order."""
        return self.parts[0].columns

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return self.parts[0].names


class Snapshot(Record):
    """Raw data as fetched (and, where it grows, as it was before), and where it came from.

    ``watermark`` is where the next fetch goes on, ``watermark_of`` the digest of the query that it belongs to;
    ``ignored`` are new columns that nobody has accepted yet. ``added_to``, of a table that grows, is the digest of the
    one that the rows were added to.
    """

    data: Table
    origin: str
    watermark: str | None = None
    watermark_of: str | None = None
    ignored: tuple[Column, ...] = ()
    added_to: str | None = None


class Finding(Record):
    """One expectation that the data did not meet."""

    expectation: str
    severity: Literal["critical", "warning", "info"]
    reason: str
    column: str | None = None
    observed: str
    unexpected_rows: int | None = None
    examples: tuple[str, ...] = ()


class Validated(Record):
    """A snapshot's rows without those in quarantine, with the evidence that they met every critical expectation.

    ``quarantine`` holds the rows that were set aside, with their position, the hash of their identity and the reasons.
    """

    data: Table
    expectations: int
    warnings: tuple[Finding, ...] = ()
    quarantine: Artifact | None = None


class Changes(Record):
    """How the rows of a table differ from those before: rows are the same row where their identity is equal.

    ``new_classes`` are values of a classification's target that did not occur before.
    """

    added: int
    changed: int
    gone: int
    new_classes: tuple[str, ...] = ()


class SnapshotEntry(Record):
    """A numbered line in the history of a problem's data: what came, and whether it was accepted. Written once."""

    number: int
    snapshot: Snapshot
    outcome: Literal["accepted", "refused"]
    sentence: str
    validated: Validated | None = None
    quarantine: Artifact | None = None
    changes: Changes
    at: datetime

    @property
    def rows(self) -> Validated:
        """The rows that were accepted; a refused entry has none."""
        if self.validated is None:
            raise ValueError(f"snapshot {self.number} was refused")
        return self.validated


class Stratum(Record):
    """How many rows of a stratum went to each part."""

    name: str
    train: int
    test: int
    validation: int = 0


class Split(Record):
    """Training and test rows: the validated columns and the hash of each row's identity.

    Rows equal in the columns ``unit`` belong together. Training rows, among them those of a validation part, also tell
    the fold in which they are held out, of ``folds``; if ``forward``, only rows of earlier folds are trained on then,
    and ``time`` is the column that tells which are earlier.
    """

    train: Artifact
    test: Artifact
    strata: tuple[Stratum, ...]
    unit: tuple[str, ...]
    folds: int
    forward: bool = False
    time: str | None = None


class FeatureSet(Record):
    """What a model reads: the columns of the source, the derived ones, and the role of each.

    ``features`` are made of these by transformers that are fitted with the model.
    """

    target: str
    roles: dict[str, Role]
    derived: dict[str, str]
    features: tuple[Feature, ...] = ()


class Features(Record):
    """The training rows with their derived columns, ready for a pipeline, and their ``folds`` as `Split` has them."""

    train: Artifact
    columns: FeatureSet
    folds: int
    forward: bool = False


class Cost(Record):
    """What a trial took: seconds of a fit (mean of the folds), to predict 1,000 rows at once, and its size when kept.

    A measurement: it says nothing of the content, and differs between runs that are equal otherwise.
    """

    fit_seconds: float
    predict_milliseconds: float
    megabytes: float


class Trial(Record):
    """A candidate with fixed values and its scores on the validation folds of the training rows.

    ``number`` counts the trials of a candidate's search from 1. ``problem`` says why there is no score, if so. A
    ``pruned`` trial was given up after its first folds, whose scores stand there: they were worse than others'.
    ``out_of_fold`` are predictions for the training rows by models not fitted on them, see `tasks.out_of_fold`.
    """

    candidate: Candidate
    number: int = 1
    metric: MetricName
    fold_scores: tuple[float, ...] = ()
    problem: str | None = None
    pruned: bool = False
    cost: Cost | None = None
    out_of_fold: Artifact | None = None

    @property
    def scored(self) -> bool:
        """Whether it has a score on every fold."""
        return self.problem is None and not self.pruned

    @property
    def mean(self) -> float:
        """The mean of the scores of the folds."""
        return sum(self.fold_scores) / len(self.fold_scores)

    @property
    def standard_deviation(self) -> float:
        """The (population) standard deviation of the scores of the folds, as scikit-learn users quote it."""
        mean = self.mean
        return (sum((score - mean) ** 2 for score in self.fold_scores) / len(self.fold_scores)) ** 0.5


class Trials(Record):
    """The trials of one candidate, in the order in which they were made."""

    trials: tuple[Trial, ...]


class Cutoff(Record):
    """How a classifier's probabilities become classes, chosen on the held-out folds of the training rows.

    Of two classes it is ``positive`` from ``threshold`` on; of more it is the class whose ``costs`` are expected to be
    least. ``sentence`` says what the choice gave on those folds.
    """

    positive: Label | None = None
    threshold: float | None = None
    costs: tuple[tuple[float, ...], ...] = ()
    sentence: str = ""


class Input(Record):
    """A column that a model reads, as its training rows had it.

    ``low`` and ``high`` are the smallest and largest number there; ``values`` all values of a category, none where
    there are too many to name. ``example`` is a middling value, for a form and for documentation.
    """

    name: str
    kind: Literal["number", "integer", "truth", "category", "text", "date"]
    nullable: bool
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()
    example: Label | None = None


class Model(Record):
    """A fitted model: its files, what it reads, what it was chosen by and the rows that it was trained on.

    ``cutoff`` is how it decides between classes, where that is not the likeliest; ``inputs`` are the columns of the
    source that it reads (none are noted by older models).
    """

    candidate: Candidate
    task: TaskKind
    files: dict[str, File]
    columns: FeatureSet
    classes: tuple[Label, ...] = ()
    cutoff: Cutoff | None = None
    inputs: tuple[Input, ...] = ()
    leaderboard: tuple[Trial, ...]
    trained_on: Artifact
    libraries: dict[str, str]
    seed: int

    @property
    def served_files(self) -> dict[str, File]:
        """The files of the SavedModel, by their names below the version's folder; none for a scikit-learn model."""
        prefix = "saved_model/"
        return {name.removeprefix(prefix): file for name, file in self.files.items() if name.startswith(prefix)}


class Adopted(Record):
    """A model from outside, and what a person should know of it."""

    model: Model
    notes: tuple[str, ...] = ()


class Interval(Record):
    """A metric's value with the bounds of its confidence interval."""

    value: float
    low: float
    high: float


class Coverage(Record):
    """How far from a prediction the truth is at a level, and how often that held on test rows.

    ``margins`` are what lies on either side of a regression's prediction, for each bin of predictions; ``thresholds``
    the least probability of each class with which it is in the set of labels. ``measured`` is the share of the test
    rows whose truth was inside, ``size`` the mean width of their intervals, or the mean number of their labels.
    """

    level: float
    margins: tuple[float, ...] = ()
    thresholds: tuple[float, ...] = ()
    measured: Interval
    size: float


class Intervals(Record):
    """What surrounds a version's predictions, from out-of-fold predictions for ``rows`` training rows.

    ``edges`` separate the bins of a regression's predictions. ``test_rows`` are those that each coverage was measured
    on; a level that so few training rows cannot tell is not there. See `tasks.intervals`.
    """

    rows: int
    test_rows: int
    edges: tuple[float, ...] = ()
    levels: Annotated[tuple[Coverage, ...], Field(min_length=1)]


class Contestants(Record):
    """The models that are judged on the same rows; the anchor only where it is not the champion itself.

    ``baselines`` are a dummy and a linear model that were trained on the same rows as the challenger.
    """

    challenger: Model
    champion: Version | None = None
    anchor: Version | None = None
    baselines: tuple[Model, ...] = ()


class Scores(Record):
    """Challenger, champion, anchor and baselines on the same test rows, which none of the first three was trained on.

    ``predictions`` has, in the order of the test rows: the hash of identity, the number of the ``unit`` that a row is
    resampled with (rows equal in identity or group; with ``blocks`` the rank of its time), the target, each model's
    prediction and probabilities, and a label for each declared slice. All statistics can be recomputed from it.
    ``excluded`` tells how many test rows which model was trained on, ``classes`` whose probabilities stand there in
    which order. ``target_range`` is that of the training rows. ``problem`` says why champion or anchor could not be
    judged, where they could not.
    """

    metric: MetricName
    confidence: float
    rows: int
    excluded_rows: int
    excluded: dict[str, int] = Field(default_factory=dict)
    challenger: Interval
    champion: Interval | None = None
    difference: Interval | None = None
    champion_version: int | None = None
    anchor_version: int | None = None
    baselines: dict[str, Interval] = Field(default_factory=dict)
    classes: dict[str, tuple[Label, ...]] = Field(default_factory=dict)
    target_range: tuple[float, float] | None = None
    blocks: bool = False
    seed: int = 42
    problem: str | None = None
    predictions: Artifact


class Look(Record):
    """One look at test rows: of this challenger, against this champion and anchor. Written once.

    ``earlier`` is the mean number of looks that each of its rows had before; ``alpha`` is what this look may spend, and
    0 where nothing is left: then ``fresh_rows_needed`` rows that no look has used would make another one possible.
    """

    number: int
    key: str
    challenger: str
    champion_version: int
    anchor_version: int | None = None
    rows: Artifact
    earlier: float
    alpha: float
    fresh_rows_needed: int = 0
    at: datetime


class Comparison(Record):
    """How a challenger does beside another model on the same rows, in pairs.

    ``harm`` is how much worse the challenger is, as a share of the other's metric (below 0: better), with the bounds of
    which each is crossed by chance with probability ``alpha``. ``resolvable`` is the smallest margin that so many rows
    can resolve, ``rows_needed`` how many would resolve ``margin``.
    """

    against: str
    version: int | None = None
    rows: int
    units: int
    ours: float
    theirs: float
    harm: Interval
    standard_error: float
    alpha: float
    margin: float
    resolvable: float
    rows_needed: int
    standing: Standing


class SliceComparison(Record):
    """A slice of the test rows: how challenger and champion do there, and whether that is evidence of harm.

    ``p_value`` is that of a harm of at most ``margin``, adjusted after Holm for all slices. ``blind`` slices are too
    small to see a harm of twice the margin; ``rows_needed`` would be enough. Where the metric has no value, such as a
    ROC AUC of a single class, figures are None.
    """

    name: str
    rows: int
    ours: float | None
    theirs: float | None
    harm: Interval | None
    margin: float
    p_value: float
    blind: bool
    rows_needed: int
    harmed: bool


class Measurements(Record):
    """What was measured of a model in a process of its own; measured once, replayed as evidence ever after.

    ``row_milliseconds`` is the 95th percentile of predictions of single rows, ``batch_seconds`` the time for
    ``batch_rows`` rows at once, ``memory_megabytes`` what loading and predicting added to the process. ``broken`` is
    for each declared behaviour the share of ``behaviour_rows`` test rows that break it.
    """

    row_milliseconds: float
    batch_seconds: float
    batch_rows: int
    megabytes: float
    memory_megabytes: float
    broken: tuple[float, ...] = ()
    behaviour_rows: int = 0


class Answer(Record):
    """What a person decided on a version, who and why; ``approved`` is None where nobody did in time."""

    approved: bool | None
    because: str
    by: str


class Rule(Record):
    """One rule of the gate with its figures."""

    name: str
    passed: bool
    observed: str
    required: str
    cause: Cause | None = None


class WorstRow(Record):
    """A test row on which the challenger lost most against the champion."""

    row: str
    target: str
    challenger: str
    champion: str
    loss: float


class Investigation(Record):
    """Where a person would look first when a challenger was held: rows, features and declaration.

    ``moved`` tells of features whose values moved between the two models' training rows, ``declared`` what differs
    between the two declarations.
    """

    worst_rows: tuple[WorstRow, ...] = ()
    moved: tuple[str, ...] = ()
    declared: tuple[str, ...] = ()


class Verdict(Record):
    """Whether the challenger deserves production: every rule checked, and the reason as a sentence.

    ``alarms`` are what somebody should look into though no rule forbids it.
    """

    promote: bool
    cause: Cause | None = None
    standing: Standing | None = None
    rules: tuple[Rule, ...]
    reason: str
    alarms: tuple[str, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    slices: tuple[SliceComparison, ...] = ()
    investigation: Investigation | None = None


class Version(Record):
    """A numbered model with everything that its decision rested on: its manifest. Written once, never changed.

    ``newer`` tells whether it was trained on newer data than the champion that it was judged against. Versions of
    schema 1 have no gate, look, measurements, declaration and snapshot number; ``intervals`` has none whose model came
    from outside, or is older than these.
    """

    schema_version: Literal[1, 2] = 2
    number: int
    key: str
    model: Model
    scores: Scores
    verdict: Verdict
    gate: Gate | None = None
    look: Look | None = None
    measurements: Measurements | None = None
    intervals: Intervals | None = None
    newer: bool = False
    snapshot: Snapshot
    snapshot_number: int | None = None
    test: Artifact
    declaration: dict[str, Any] | None = None
    problem_digest: str
    code_digest: str
    created: datetime


class Decision(Record):
    """A line in the history of a problem's decisions, with what was in force after it. Written once; the newest counts.

    ``anchor`` is the last champion that was promoted as better, ``blocked`` are versions whose content is not to be
    promoted again, ``manifest`` the sha256 of the record of the version that was decided on.
    """

    schema_version: Literal[1, 2] = 2
    number: int
    kind: DecisionKind
    version: int | None = None
    cause: Cause | None = None
    reason: str
    by: str
    at: datetime
    champion: int | None = None
    previous: int | None = None
    anchor: int | None = None
    blocked: tuple[int, ...] = ()
    frozen: bool = False
    manifest: str | None = None


class Deployment(Record):
    """One move of the champion pointer. The newest deployment names the version in production."""

    number: int
    version: int
    previous: int | None
    kind: Literal["promotion", "rollback"]
    reason: str
    by: str
    at: datetime


class Correction(Record):
    """Corrected rows that replace quarantined ones: the table's columns and the hash of what each replaces."""

    number: int
    rows: Artifact
    by: str
    at: datetime


class RunRecord(Record):
    """How a run ended: the outcome in one word, its cause, and a sentence for a person."""

    problem: str
    outcome: Outcome
    cause: Cause | None = None
    sentence: str
    version: int | None = None
    champion: int | None = None
    exit_code: int = 0
    findings: tuple[Finding, ...] = ()
    docs: str | None = None
    scores: Scores | None = None
    run: str | None = None
    started: datetime
    seconds: float


Contestants.model_rebuild()

RESULTS: dict[str, type[Record]] = {
    kind.__name__: kind
    for kind in (
        Snapshot,
        Validated,
        Split,
        Features,
        Trial,
        Trials,
        Model,
        Adopted,
        Scores,
        Measurements,
        Verdict,
        Investigation,
    )
}


class _Envelope(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    record: str
    data: dict[str, Any]


def encode(record: object) -> dict[str, Any]:
    """Give the JSON form of a task's result, or of the error that it ended with (Prefect's ``object_encoder``)."""
    if isinstance(record, Exception):
        return {"error": f"{type(record).__name__}: {record}"}
    if not isinstance(record, Record) or type(record).__name__ not in RESULTS:
        raise TypeError(f"A task's result is one of {', '.join(RESULTS)}, not {type(record).__name__}.")
    return {"record": type(record).__name__, "data": record.model_dump(mode="json")}


def decode(value: dict[str, Any]) -> Any:
    """Give back the record of an encoded result; other objects inside it pass unchanged."""
    if set(value) != set(_Envelope.model_fields):
        return value
    envelope = _Envelope.model_validate(value)
    return RESULTS[envelope.record].model_validate(envelope.data)
