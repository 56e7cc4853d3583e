import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from tasks.candidates import Aim
from tasks.cutoffs import check_aim, choose_cutoff, decided, places
from tasks.errors import ProblemError
from tasks.out_of_fold import HeldOut
from tasks.records import Cutoff

CLASSES = np.array(["ham", "spam"])


def given(rows=2000, rate=0.2, seed=0, classes=CLASSES):
    """Give targets of which few are positive, and probabilities that are too low for them."""
    random = np.random.default_rng(seed)
    truth = random.random(rows) < rate
    share = 1 / (1 + np.exp(3 - 2.5 * truth - random.normal(size=rows)))
    target = classes[truth.astype("int64")]
    fold = np.arange(rows) % 5
    return HeldOut(target, fold, fold), np.column_stack([1 - share, share])


def called(shares, threshold):
    return shares[:, 1] >= threshold


def every_threshold(shares):
    return np.concatenate([np.unique(shares[:, 1]), [2.0]])


def test_the_best_f1_is_that_of_all_thresholds():
    held, shares = given()
    cutoff = choose_cutoff(Aim(positive="spam", best="f1"), held, shares)
    truth = held.target == "spam"
    best = max(f1_score(truth, called(shares, each)) for each in every_threshold(shares)[:-1])
    assert f1_score(truth, called(shares, cutoff.threshold)) == pytest.approx(best)
    assert best > f1_score(truth, called(shares, 0.5)) + 0.05
    assert (cutoff.positive, cutoff.costs) == ("spam", ())


def test_the_most_is_found_with_the_precision_that_is_asked():
    held, shares = given()
    cutoff = choose_cutoff(Aim(positive="spam", precision_at_least=0.8), held, shares)
    truth = held.target == "spam"
    pairs = [
        (recall_score(truth, called(shares, each)), precision_score(truth, called(shares, each)))
        for each in every_threshold(shares)[:-1]
    ]
    mine = called(shares, cutoff.threshold)
    assert precision_score(truth, mine) >= 0.8
    assert recall_score(truth, mine) == max(recall for recall, precision in pairs if precision >= 0.8)


def test_the_most_precise_finds_as_much_as_is_asked():
    held, shares = given()
    cutoff = choose_cutoff(Aim(positive="spam", recall_at_least=0.9), held, shares)
    truth = held.target == "spam"
    mine = called(shares, cutoff.threshold)
    assert recall_score(truth, mine) >= 0.9
    enough = [t for t in every_threshold(shares)[:-1] if recall_score(truth, called(shares, t)) >= 0.9]
    assert precision_score(truth, mine) == max(precision_score(truth, called(shares, t)) for t in enough)


def cost(costs, held, values):
    names = sorted(set(held.target))
    table = {name: place for place, name in enumerate(names)}
    return np.mean([costs[table[t]][table[v]] for t, v in zip(held.target, values, strict=True)])


def test_two_classes_get_the_threshold_that_costs_least():
    held, shares = given()
    costs = ((0.0, 1.0), (10.0, 0.0))
    cutoff = choose_cutoff(Aim(costs=costs), held, shares)
    mine = cost(costs, held, decided(shares, CLASSES, cutoff))
    tried = [cost(costs, held, CLASSES[called(shares, each).astype("int64")]) for each in every_threshold(shares)]
    assert mine == pytest.approx(min(tried))
    assert f"those of the likeliest class {cost(costs, held, CLASSES[shares.argmax(axis=1)]):.4f}" in cutoff.sentence


def test_a_positive_that_nobody_minds_missing_is_never_predicted():
    held, shares = given()
    cutoff = choose_cutoff(Aim(costs=((0.0, 10.0), (0.0, 0.0))), held, shares)
    assert set(decided(shares, CLASSES, cutoff)) == {"ham"}


def test_of_more_classes_that_of_least_expected_cost_is_chosen():
    names = np.array(["frog", "newt", "toad"])
    shares = np.array([[0.5, 0.3, 0.2], [0.9, 0.05, 0.05], [0.2, 0.4, 0.4]])
    held = HeldOut(names, np.arange(3), np.arange(3))
    cutoff = choose_cutoff(Aim(costs=((0, 1, 1), (1, 0, 1), (10, 10, 0))), held, shares)
    # A toad that is taken for something else costs ten: the third class is the cheapest unless it is most unlikely.
    assert decided(shares, names, cutoff).tolist() == ["toad", "frog", "toad"]
    assert cutoff.threshold is None


def test_the_figures_that_are_told_come_of_folds_that_it_was_not_chosen_on():
    """Probabilities without any connection: a threshold chosen for precision looks good where it was chosen only."""
    random = np.random.default_rng(3)
    target = CLASSES[(random.random(60) < 0.3).astype("int64")]
    share = random.random(60)
    shares, fold = np.column_stack([1 - share, share]), np.arange(60) % 5
    held = HeldOut(target, fold, fold)
    aim = Aim(positive="spam", best="f1")
    cutoff = choose_cutoff(aim, held, shares)
    values = np.zeros(60, dtype="bool")
    for number in range(5):
        rest = fold != number
        part = choose_cutoff(aim, HeldOut(target[rest], fold[rest], fold[rest]), shares[rest])
        values[~rest] = share[~rest] >= part.threshold
    honest, seen = (f1_score(target == "spam", each) for each in (values, share >= cutoff.threshold))
    assert honest < seen
    assert f"F1 {honest:.4f}; a half gives" in cutoff.sentence


def test_the_sentence_says_where_and_what():
    held, shares = given()
    cutoff = choose_cutoff(Aim(positive="spam", best="f1"), held, shares)
    start = f"'spam' from a probability of {cutoff.threshold:.4f} on: on folds that it was not chosen on precision 0."
    assert cutoff.sentence.startswith(start)


def test_rows_that_were_never_held_out_do_not_count():
    held, shares = given()
    never = np.full((500, 2), np.nan)
    more = HeldOut(
        np.append(np.repeat("spam", 500), held.target),
        np.append(np.full(500, -1), held.fold),
        np.append(np.full(500, -1), held.part),
    )
    aim = Aim(positive="spam", best="f1")
    assert choose_cutoff(aim, more, np.vstack([never, shares])) == choose_cutoff(aim, held, shares)


def test_a_threshold_stands_between_two_probabilities():
    held, shares = given()
    cutoff = choose_cutoff(Aim(positive="spam", best="f1"), held, shares)
    nearest = np.abs(shares[:, 1] - cutoff.threshold).min()
    assert nearest > 1e-9
    assert (called(shares, cutoff.threshold) == called(shares.astype("float32"), cutoff.threshold)).all()


def test_the_class_of_interest_may_be_the_first():
    held, shares = given(rate=0.8)
    cutoff = choose_cutoff(Aim(positive="ham", best="f1"), held, shares)
    values = decided(shares, CLASSES, cutoff)
    assert (values == "ham").tolist() == (shares[:, 0] >= cutoff.threshold).tolist()


def test_a_precision_that_no_threshold_has_is_a_sentence():
    target = np.array(["ham", "spam"] * 20)
    share = np.where(target == "spam", 0.4, 0.6)
    held = HeldOut(target, np.arange(40) // 2 % 5, np.arange(40) // 2 % 5)
    with pytest.raises(ProblemError) as caught:
        choose_cutoff(Aim(positive="spam", precision_at_least=0.9), held, np.column_stack([1 - share, share]))
    assert str(caught.value) == (
        "threshold.precision_at_least = 0.9: on the held-out rows the highest precision of 'spam' is 0.5000; ask for "
        "less, or for better candidates."
    )


@pytest.mark.parametrize(
    ("aim", "classes", "expected"),
    [
        (
            Aim(positive="spam", best="f1"),
            ["ham", "eggs"],
            "threshold.positive = 'spam' is no class; the target 'kind' has 2: 'ham', 'eggs'.",
        ),
        (
            Aim(positive="a", best="f1"),
            ["a", "b", "c"],
            "threshold.positive needs two classes, but the target 'kind' has 3: 'a', 'b', 'c'; declare costs instead.",
        ),
        (
            Aim(costs=((0, 1), (1, 0))),
            [1, 2, 3],
            "threshold.costs has 2 rows, but the target 'kind' has 3: 1, 2, 3; it needs one of each class, sorted as "
            "they are.",
        ),
    ],
)
def test_an_aim_that_does_not_fit_the_classes_is_a_sentence(aim, classes, expected):
    with pytest.raises(ProblemError) as caught:
        check_aim(aim, classes, "kind")
    assert str(caught.value) == expected


@pytest.mark.parametrize("cutoff", [Cutoff(positive="spam", threshold=0.3), Cutoff(costs=((0, 1), (4, 0)))])
def test_a_served_network_decides_alike(cutoff):
    from tasks.networks import tensorflow

    tf = tensorflow()
    _, shares = given(100)
    found = places(tf.constant(shares.astype("float32")), CLASSES.tolist(), cutoff, tf)
    assert CLASSES[found.numpy()].tolist() == decided(shares, CLASSES, cutoff).tolist()
