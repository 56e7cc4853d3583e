from tasks.candidates import Candidate
from tasks.cores import CORES
from tasks.records import Trial
from tasks.searching.attempts import Outcome
from tasks.searching.progress import Progress

CANDIDATE = Candidate(name="forest", estimator="RandomForestRegressor")


def outcome(*scores, pruned=False, problem=None, known=False, seconds=0.0):
    trial = Trial(candidate=CANDIDATE, metric="rmse", fold_scores=scores, pruned=pruned, problem=problem)
    return Outcome(trial, seconds, known=known)


def test_it_says_how_far_how_good_and_how_long():
    progress = Progress("rmse", 40, None, print)
    outcomes = [outcome(42_000.0, 41_000.0), outcome(41_021.0), outcome(1.0, pruned=True), outcome(problem="no")]
    assert progress.sentence(outcomes, 20.0) == "trial 4 of 40, best RMSE 41,021, about 3 min left"
    assert progress.sentence(outcomes, 8.0) == "trial 4 of 40, best RMSE 41,021, about 72 s left"


def test_what_was_known_takes_no_time():
    progress = Progress("rmse", 3, None, print)
    assert progress.sentence([outcome(1.0, known=True), outcome(2.0)], 5.0).endswith("about 5 s left")
    assert progress.sentence([outcome(1.0, known=True)], 0.0) == "trial 1 of 3, best RMSE 1.000"


def test_seconds_of_fitting_are_divided_among_the_cores():
    progress = Progress("rmse", None, 100.0 * CORES, print)
    assert progress.sentence([outcome(1.0, seconds=50.0 * CORES)], 9.0) == "trial 1, best RMSE 1.000, about 50 s left"


def test_the_last_word_counts():
    said = []
    progress = Progress("accuracy", 3, None, said.append)
    progress.last([outcome(0.5, known=True), outcome(0.9), outcome(0.2, pruned=True), outcome(problem="no")])
    progress.last([outcome(problem="no")])
    assert said == [
        "4 trials (1 given up early, 1 failed, 1 known from before), best accuracy 0.9000",
        "1 trials (1 failed)",
    ]


def test_nothing_is_said_twice_in_a_moment():
    said = []
    progress = Progress("accuracy", 3, None, said.append)
    progress.after_each([outcome(0.5)])
    assert said == []
