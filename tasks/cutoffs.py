"""Where a classifier's probabilities become classes, chosen for what the problem aims at.

The likeliest class is the right answer only where all mistakes cost the same. What is chosen on the out-of-fold
predictions of the training rows is too good there, so what it gives is told of folds that it was not chosen on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tasks.candidates import Aim
from tasks.errors import ProblemError
from tasks.out_of_fold import HeldOut, held_out
from tasks.records import Cutoff, Features
from tasks.sentences import listed
from tasks.store import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

NEVER_REACHED = 2.0
"""Above every probability."""


def decided(probabilities: Floats, classes: NDArray[Any], cutoff: Cutoff) -> NDArray[Any]:
    """Give the class of each row, shape (rows,), from probabilities of shape (rows, classes)."""
    return classes[places(probabilities, classes.tolist(), cutoff, np)]


def places(probabilities: Any, classes: Sequence[Any], cutoff: Cutoff, library: Any) -> Any:
    """Give the place of each row's class among the classes, from arrays of NumPy or, in a served network, tensors."""
    if cutoff.threshold is None:
        return library.argmin(probabilities @ [list(row) for row in cutoff.costs], axis=1)
    place = list(classes).index(cutoff.positive)
    return library.where(probabilities[:, place] >= cutoff.threshold, place, 1 - place)


def check_aim(aim: Aim, classes: Sequence[Any], target: str) -> None:
    """Check that the classes of the target are those that the problem's threshold is declared for.

    Raises
    ------
    ProblemError
        They are not: says which they are.
    """
    found = f"the target {target!r} has {len(classes)}: {listed(map(repr, classes))}"
    if aim.costs and len(aim.costs) != len(classes):
        raise ProblemError(
            f"threshold.costs has {len(aim.costs)} rows, but {found}; it needs one of each class, sorted as they are."
        )
    if not aim.costs and len(classes) != 2:
        raise ProblemError(f"threshold.positive needs two classes, but {found}; declare costs instead.")
    if not aim.costs and aim.positive not in classes:
        raise ProblemError(f"threshold.positive = {aim.positive!r} is no class; {found}.")


def check_threshold(aim: Aim | None, features: Features, store: Store) -> None:
    """Check an aim, if there is one, before hours are spent on a search: see `check_aim`."""
    if aim:
        target = features.columns.target
        check_aim(aim, np.unique(held_out(features, store).target).tolist(), target)


def choose_cutoff(aim: Aim, held: HeldOut, shares: Floats) -> Cutoff:
    """Give the cutoff that serves an aim best on held-out rows.

    Parameters
    ----------
    aim : Aim
        It fits the classes, see `check_aim`.
    held : HeldOut
        The targets.
    shares : array of shape (rows, classes)
        Out-of-fold probabilities of the classes, sorted as they are; rows that were never held out are NaN.

    Raises
    ------
    ProblemError
        No threshold is as precise as is asked.
    """
    rows = (held.part >= 0) & np.isfinite(shares).all(axis=1)
    target, part, shares, classes = held.target[rows], held.part[rows], shares[rows], np.unique(held.target)
    if len(classes) > 2:
        cutoff = Cutoff(costs=aim.costs)
        values = decided(shares, classes, cutoff)
        return cutoff.model_copy(update={"sentence": _told_of_costs(aim, target, shares, values, classes)})
    positive = classes[1] if aim.positive is None else aim.positive
    share, truth = shares[:, classes.tolist().index(positive)], target == positive
    found = _threshold(aim, share, truth)
    if not found.reached:
        raise ProblemError(
            f"threshold.precision_at_least = {aim.precision_at_least:g}: on the held-out rows the highest precision of "
            f"{positive!r} is {found.precision:.4f}; ask for less, or for better candidates."
        )
    values = _cross_fitted(aim, share, truth, part)
    label = positive.item() if isinstance(positive, np.generic) else positive
    cutoff = Cutoff(positive=label, threshold=found.threshold)
    chosen = np.where(values, positive, classes[classes != positive][0])
    told = _told_of_costs(aim, target, shares, chosen, classes) if aim.costs else _told(share, truth, values)
    sentence = f"{label!r} from a probability of {found.threshold:.4f} on: {told}"
    return cutoff.model_copy(update={"sentence": sentence})


class _Threshold(NamedTuple):
    """A threshold, its precision on the rows that it was chosen on, and whether these meet what the aim asks."""

    threshold: float
    precision: float
    reached: bool = True


def _threshold(aim: Aim, share: Floats, truth: NDArray[np.bool_]) -> _Threshold:
    """Give the best threshold for two classes: half-way between two probabilities that occur.

    So a last bit does not change the class of a row that it was chosen on.
    """
    order = np.argsort(-share, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(share[order])), len(share) - 1)  # of rows that are equally likely
    hits, called = np.append(0, np.cumsum(truth[order])[ends]), np.append(0, ends + 1)
    levels = np.concatenate([[NEVER_REACHED], share[order][ends], [0.0]])
    cuts = (levels[:-1] + levels[1:]) / 2
    precision = np.where(called > 0, hits / np.maximum(called, 1), 0.0)
    best, reached = _best(aim, hits.astype("float64"), called, precision, int(truth.sum()))
    return _Threshold(float(cuts[best]), float(precision[best]), reached)


def _best(aim: Aim, hits: Floats, called: NDArray[Any], precision: Floats, there: int) -> tuple[int, bool]:
    """Give which of several thresholds is best, from its hits, how many rows it calls positive and its precision."""
    if aim.costs:
        (_, false_alarm), (missed, _) = aim.costs
        return int(np.argmin((called - hits) * false_alarm + (there - hits) * missed)), True
    if aim.best:
        return int(np.argmax(2 * hits / np.maximum(called + there, 1))), True
    if aim.recall_at_least is not None:
        enough = hits >= aim.recall_at_least * there - 1e-9
        return int(np.argmax(np.where(enough, precision, -1.0))), True
    enough = precision >= (aim.precision_at_least or 0.0)
    if not enough.any():
        return int(np.argmax(precision)), False
    return int(
        np.argmax(np.where(enough, hits + precision / 2, -1.0))
    ), True  # the most found; of equal ones the purest


def _cross_fitted(aim: Aim, share: Floats, truth: NDArray[np.bool_], part: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Give which rows are called positive by a threshold that was chosen on the other parts, shape (rows,)."""
    found = np.zeros(len(share), dtype="bool")
    for number in np.unique(part):
        here = part == number
        found[here] = share[here] >= _threshold(aim, share[~here], truth[~here]).threshold
    return found


def _told(share: Floats, truth: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> str:
    """Give what a threshold gave on folds that it was not chosen on, beside a half."""
    return f"on folds that it was not chosen on {_figures(chosen, truth)}; a half gives {_figures(share > 0.5, truth)}."


def _figures(called: NDArray[np.bool_], truth: NDArray[np.bool_]) -> str:
    hits = int((called & truth).sum())
    precision, recall = hits / max(int(called.sum()), 1), hits / max(int(truth.sum()), 1)
    f1 = 2 * hits / max(int(called.sum() + truth.sum()), 1)
    return f"precision {precision:.4f}, recall {recall:.4f}, F1 {f1:.4f}"


def _told_of_costs(aim: Aim, target: NDArray[Any], shares: Floats, values: NDArray[Any], classes: NDArray[Any]) -> str:
    mean = _mean_cost(aim, classes)
    chosen, likeliest = mean(target, values), mean(target, classes[shares.argmax(axis=1)])
    return f"on held-out folds mistakes cost {chosen:.4f} a row; those of the likeliest class {likeliest:.4f}."


def _mean_cost(aim: Aim, classes: NDArray[Any]) -> Callable[[NDArray[Any], NDArray[Any]], float]:
    costs = np.asarray(aim.costs)

    def mean(target: NDArray[Any], values: NDArray[Any]) -> float:
        return float(costs[np.searchsorted(classes, target), np.searchsorted(classes, values)].mean())

    return mean
