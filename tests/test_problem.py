import contextlib
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.candidates import ESTIMATORS
from tasks.errors import ProblemError
from tasks.problem import Problem, load_problem, problem_names
from tasks.sentences import meant

HEAD = 'task = "regression"\ntarget = "price"\n'
SOURCE = '[source]\nkind = "bundled"\nname = "diabetes"\n'
URL_SOURCE = '[source]\nkind = "url"\nurl = "https://example.org/houses.csv"\n'
CANDIDATE = '[[candidates]]\nname = "ridge"\nestimator = "Ridge"\n'
MINIMAL = HEAD + SOURCE + CANDIDATE
HISTORY = '[history]\norder = "day"\nof = "price"\nlags = [1]\n'
ALL_ESTIMATORS = ", ".join(ESTIMATORS["regression"])


def load(project: Path, text: str | bytes, name: str = "houses") -> Problem:
    path = project / "data" / name / "problem.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_problem(name, project)


def refusal(project: Path, text: str | bytes) -> str:
    with pytest.raises(ProblemError) as caught:
        load(project, text)
    sentence = str(caught.value)
    assert sentence.startswith(str(project / "data" / "houses" / "problem.toml"))
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def test_a_minimal_problem_loads_with_defaults(tmp_path):
    problem = load(tmp_path, MINIMAL)
    assert problem.name == "houses"
    assert problem.judged_by == "rmse"
    assert (problem.split.kind, problem.split.test_size, problem.split.stratify) == ("hash", 0.2, None)
    assert problem.cross_validation.folds == 5
    assert (problem.gate.margin, problem.gate.confidence, problem.gate.at_least, problem.gate.at_most) == (
        None,
        0.95,
        None,
        None,
    )
    assert problem.schedule is None
    assert problem.candidates[0].parameters == {}
    assert problem.seed == 42


def test_classification_is_judged_by_accuracy(tmp_path):
    text = MINIMAL.replace("regression", "classification").replace('"Ridge"', '"LogisticRegression"')
    assert load(tmp_path, text).judged_by == "accuracy"


def test_a_problem_is_frozen(tmp_path):
    problem = load(tmp_path, MINIMAL)
    with pytest.raises(ValueError, match="frozen"):
        problem.seed = 7


def test_the_problems_of_this_project_load():
    project = Path(__file__).parent.parent
    assert {"digits", "housing"} <= set(problem_names(project))
    for name in problem_names(project):
        assert load_problem(name, project).name == name


MISTAKES = {
    "share to be noted above one": (MINIMAL + "[serving]\nlog = 1.5\n", ["serving.log", "1.5", "1"]),
    "private columns as one text": (MINIMAL + '[serving]\nprivate = "name"\n', ["serving.private", "'name'"]),
    "misspelt key": (
        "sed = 1\n" + MINIMAL,
        ["the key 'sed' is not known (did you mean 'seed'?); allowed: schema_version, description, task, "],
    ),
    "misspelt key in split": (
        MINIMAL + "[split]\ntest_siz = 0.2\n",
        [
            "the key 'split.test_siz' is not known (did you mean 'test_size'?)",
            "allowed: kind, by, test_size, validation_size, stratify, bins, seed.",
        ],
    ),
    "misspelt key in gate": (
        MINIMAL + "[gate]\nmargn = 0.2\n",
        ["'gate.margn'", "did you mean 'margin'?", "allowed: margin, confidence, promote_when, "],
    ),
    "misspelt key in a candidate": (
        MINIMAL + "parametres = { alpha = 1.0 }\n",
        [
            "the key 'candidates[1].parametres' is not known (did you mean 'parameters'?)",
            "allowed: name, estimator, scale, impute, encode, components, target, calibrate, features, leave_out, "
            "parameters, text, search.",
        ],
    ),
    "empty range": (
        MINIMAL + "search = { parameters = { alpha = { low = 3, high = 1 } } }\n",
        ["candidates[1].search.parameters.alpha: the range from low = 3 to high = 1 is empty; low must be below high."],
    ),
    "range on a log scale from 0": (
        MINIMAL + "search = { parameters = { alpha = { low = 0.0, high = 1.0, log = true } } }\n",
        ["candidates[1].search.parameters.alpha: a range with log = true needs low above 0 and no step."],
    ),
    "a broken step of whole numbers": (
        MINIMAL + "search = { parameters = { max_iter = { low = 1, high = 9, step = 0.5 } } }\n",
        ["candidates[1].search.parameters.max_iter: step = 0.5 must be whole, as low and high are."],
    ),
    "number in place of a range": (
        MINIMAL + "search = { parameters = { alpha = 3 } }\n",
        [
            "'candidates[1].search.parameters.alpha' = 3 is not allowed: a list of values is needed, or a range "
            "such as { low = 0.1, high = 1.0 }."
        ],
    ),
    "nothing to try": (
        MINIMAL + "search = { parameters = { alpha = [] } }\n",
        ["'candidates[1].search.parameters.alpha' = [] is not allowed: at least 1 is needed."],
    ),
    "table among what is tried": (
        MINIMAL + "search = { parameters = { alpha = [{ x = 1 }] } }\n",
        ["'candidates[1].search.parameters.alpha' = {'x': 1} is not allowed: a text, a number, true, false or a list"],
    ),
    "budget of no trials": (
        MINIMAL + "search = { trials = 0 }\n",
        ["'candidates[1].search.trials' = 0 is not allowed: input should be greater than or equal to 1."],
    ),
    "budget of no time": (
        MINIMAL + "[search]\nminutes = 0\n",
        ["'search.minutes' = 0 is not allowed: input should be greater than 0."],
    ),
    "fixed and searched for": (
        MINIMAL + "parameters = { alpha = 1.0 }\nsearch = { parameters = { alpha = [1.0, 2.0] } }\n",
        ["candidates[1]: parameters.alpha is fixed and searched for; leave it out in one of the two."],
    ),
    "grid of a range without steps": (
        MINIMAL + 'search = { strategy = "grid", parameters = { alpha = { low = 0.1, high = 1.0 } } }\n',
        ["candidates.search of 'ridge': strategy = 'grid' needs a list for alpha, or a range with step = "],
    ),
    "grid of nothing, as declared for all": (
        MINIMAL + 'search = {}\n[search]\nstrategy = "grid"\n',
        ["candidates.search of 'ridge': strategy = 'grid' needs the values to try."],
    ),
    "unknown way of preparing": (
        MINIMAL + 'search = { prepare = { scale = ["big"] } }\n',
        ["'candidates[1].search.prepare.scale[1]' = 'big' is not allowed: input should be 'standard', 'minmax', "],
    ),
    "log target of classes": (
        MINIMAL.replace("regression", "classification").replace("Ridge", "RidgeClassifier") + 'target = "log"\n',
        ["candidates.target of 'ridge': 'log' fits task = 'regression' only."],
    ),
    "calibrated numbers": (
        MINIMAL + 'calibrate = "sigmoid"\n',
        ["candidates.calibrate of 'ridge' fits task = 'classification' only."],
    ),
    "declared members": (
        MINIMAL + 'members = [{ candidate = { name = "a", estimator = "Ridge" }, weight = 1.0 }]\n',
        ["candidates.members of 'ridge' cannot be declared; use [[ensembles]]."],
    ),
    "unknown transformer": (
        MINIMAL + '[[features]]\nname = "near"\ntransformer = "NeighborsTarget"\ncolumns = ["rooms"]\n',
        ["features.transformer = 'NeighborsTarget' is not known (did you mean 'NeighboursTarget'?); allowed: "],
    ),
    "unknown feature of a candidate": (
        MINIMAL + 'features = ["near"]\n',
        ["candidates.features of 'ridge' names 'near', which is not declared in [[features]]; declared: none."],
    ),
    "ensemble of an unknown candidate": (
        MINIMAL + '[[ensembles]]\nname = "mean"\nkind = "average"\nof = ["rigde"]\n',
        ["ensembles.of = 'rigde' is no candidate (did you mean 'ridge'?); the candidates: ridge."],
    ),
    "ensemble with the name of a candidate": (
        MINIMAL + '[[ensembles]]\nname = "ridge"\nkind = "average"\n',
        ["ensembles.name = 'ridge' stands twice; each needs a name of its own."],
    ),
    "threshold of numbers": (
        MINIMAL + '[threshold]\npositive = "yes"\nbest = "f1"\n',
        ["threshold fits task = 'classification' only."],
    ),
    "threshold with two aims": (
        MINIMAL + '[threshold]\npositive = "yes"\nbest = "f1"\nprecision_at_least = 0.9\n',
        ["threshold: exactly one of best, precision_at_least, recall_at_least and costs is needed."],
    ),
    "threshold without its class": (
        MINIMAL + '[threshold]\nbest = "f1"\n',
        ["threshold: positive = ..., the class of interest, is needed by all but costs, which do not take it."],
    ),
    "costs of what is right": (
        MINIMAL + "[threshold]\ncosts = [[1.0, 5.0], [1.0, 0.0]]\n",
        ["threshold: costs needs a row and a column for each class, and 0 where the prediction is right."],
    ),
    "a word for all candidates": (
        HEAD.replace("task =", 'candidates = "all"\ntask =', 1) + SOURCE,
        ["'candidates' = 'all' is not allowed: a list of [[candidates]] is needed, or 'auto'."],
    ),
    "misspelt key in a bundled source": (
        HEAD + SOURCE + 'nmae = "x"\n' + CANDIDATE,
        ["the key 'source.nmae' is not known (did you mean 'name'?)", "allowed: kind, name."],
    ),
    "misspelt key in a url source": (
        HEAD + URL_SOURCE + 'sha265 = "x"\n' + CANDIDATE,
        [
            "the key 'source.sha265' is not known (did you mean 'sha256'?)",
            "allowed: kind, url, urls, sha256, mode, smallest_share, format, dialect, arrays, types, member, ",
        ],
    ),
    "misspelt key in schedule": (
        MINIMAL + '[schedule]\ncron = "0 5 * * *"\ntime_zone = "UTC"\n',
        ["'schedule.time_zone'", "did you mean 'timezone'?", "allowed: cron, timezone."],
    ),
    "unknown source kind": (
        HEAD + '[source]\nkind = "ftp"\n' + CANDIDATE,
        ["'source.kind' = 'ftp' is not allowed; allowed: bundled, url, files, sql, python."],
    ),
    "unknown bundled data set": (
        HEAD + '[source]\nkind = "bundled"\nname = "irs"\n' + CANDIDATE,
        ["'source.name' = 'irs'", "'breast_cancer', 'diabetes', 'digits', 'iris' or 'wine'"],
    ),
    "wrong type": ('seed = "many"\n' + MINIMAL, ["'seed' = 'many'", "integer"]),
    "too large": (MINIMAL + "[split]\ntest_size = 1.5\n", ["'split.test_size' = 1.5", "a share between 0 and 1"]),
    "text for a list": ('identity = "id"\n' + MINIMAL, ["'identity' = 'id'"]),
    "history without identity": (MINIMAL + HISTORY, ["history needs identity = [...]"]),
    "history that looks nowhere": (
        'identity = ["day"]\n' + MINIMAL + HISTORY.replace("lags = [1]", ""),
        [": history: lags = [1, 7] or rolling = [7] is needed"],
    ),
    "history that looks ahead": (
        'identity = ["day"]\n' + MINIMAL + HISTORY.replace("[1]", "[1, 0]"),
        ["'history.lags[2]' = 0 is not allowed: input should be greater than or equal to 1"],
    ),
    "history with a lag twice": (
        'identity = ["day"]\n' + MINIMAL + HISTORY.replace("[1]", "[1, 7, 1]"),
        ["history: 'price_lag_1' would be made twice"],
    ),
    "history of the order itself": (
        'identity = ["day"]\n' + MINIMAL + HISTORY.replace('"price"', '"day"'),
        ["history: order = 'day' cannot be in by or of too"],
    ),
    "unknown statistic of history": (
        'identity = ["day"]\n' + MINIMAL + HISTORY + 'statistics = ["average"]\n',
        ["'history.statistics[1]' = 'average' is not allowed: input should be 'mean', 'min', 'max', 'std' or 'median'"],
    ),
    "number for a table": ("split = 3\n" + MINIMAL, ["'split' = 3"]),
    "number for the source": ("source = 3\n" + HEAD + CANDIDATE, ["'source' = 3"]),
    "table for a parameter": (
        MINIMAL + "parameters = { alpha = { beta = 1 } }\n",
        ["candidates[1].parameters.alpha", "{'beta': 1}"],
    ),
    "table for candidates": (HEAD + SOURCE + '[candidates]\nname = "a"\n', ["'candidates' = {'name': 'a'}"]),
    "no candidates": ("candidates = []\n" + HEAD + SOURCE, ["'candidates' = []", "at least 1"]),
    "missing target": (MINIMAL.replace('target = "price"\n', ""), ["the key 'target' is missing"]),
    "missing estimator": (HEAD + SOURCE + '[[candidates]]\nname = "a"\n', ["'candidates[1].estimator' is missing"]),
    "metric of another task": (
        'metric = "accuracy"\n' + MINIMAL,
        ["metric = 'accuracy' does not fit task = 'regression'; allowed: rmse, mae, mape, r2."],
    ),
    "unknown metric": ('metric = "auc"\n' + MINIMAL, ["'metric' = 'auc'", "'rmse', 'mae', 'mape' or 'r2'"]),
    "unknown estimator": (
        HEAD + SOURCE + '[[candidates]]\nname = "a"\nestimator = "Rigde"\n',
        [
            "candidates.estimator = 'Rigde' is not known for task = 'regression' (did you mean 'Ridge'?)",
            f"allowed: {ALL_ESTIMATORS}.",
        ],
    ),
    "estimator of another task": (
        HEAD + SOURCE + '[[candidates]]\nname = "a"\nestimator = "SVC"\n',
        ["candidates.estimator = 'SVC' is not known for task = 'regression'"],
    ),
    "the same candidate twice": (MINIMAL + CANDIDATE, ["candidates.name = 'ridge' stands twice"]),
    "candidate's name with capitals": (
        HEAD + SOURCE + '[[candidates]]\nname = "My Ridge"\nestimator = "Ridge"\n',
        ["'candidates[1].name' = 'My Ridge'"],
    ),
    "bad cron": (MINIMAL + '[schedule]\ncron = "daily"\n', ["'schedule.cron' = 'daily'", "five fields", "0 6 * * 1"]),
    "bad time zone": (
        MINIMAL + '[schedule]\ncron = "0 5 * * *"\ntimezone = "Mars/Olympus"\n',
        ["'schedule.timezone' = 'Mars/Olympus'", "'Europe/Berlin'"],
    ),
    "time zone outside the database": (
        MINIMAL + '[schedule]\ncron = "0 5 * * *"\ntimezone = "../../etc/passwd"\n',
        ["'schedule.timezone' = '../../etc/passwd'"],
    ),
    "bins that do not rise": (
        MINIMAL + '[split]\nstratify = "income"\nbins = [3.0, 1.0]\n',
        ["split: bins must rise, but are [3.0, 1.0]"],
    ),
    "bins that repeat": (
        MINIMAL + '[split]\nstratify = "income"\nbins = [1.0, 1.0]\n',
        ["split: bins must rise, but are [1.0, 1.0]"],
    ),
    "bins without stratify": (
        MINIMAL + "[split]\nbins = [1.0]\n",
        ["split: bins cut the column named by stratify, which is missing"],
    ),
    "bins that are no numbers": (MINIMAL + '[split]\nstratify = "income"\nbins = [nan]\n', ["'split.bins[1]' = nan"]),
    "floor for an error": (
        MINIMAL + "[gate]\nat_least = 3\n",
        ["gate.at_least does not fit metric = 'rmse'; use gate.at_most"],
    ),
    "calibration of a regression": (
        MINIMAL + "[gate]\ncalibration_error_at_most = 0.1\n",
        ["gate.calibration_error_at_most does not fit task = 'regression'"],
    ),
    "range of a classification": (
        MINIMAL.replace("regression", "classification").replace('"Ridge"', '"GaussianNB"')
        + "[gate]\noutside_range_at_most = 0.1\n",
        ["gate.outside_range_at_most does not fit task = 'classification'"],
    ),
    "behaviour of the target": (
        MINIMAL + '[[gate.behaviours]]\ncolumn = "price"\nadd = 1\nprediction = "same"\n',
        ["gate.behaviours change the target 'price', which no model reads"],
    ),
    "behaviour of a class of a number": (
        MINIMAL + '[[gate.behaviours]]\ncolumn = "x"\nadd = 1\nprediction = "same"\nof = "villa"\n',
        ["gate.behaviours: of = 'villa' fits task = 'classification' only"],
    ),
    "behaviour of no class": (
        MINIMAL.replace("regression", "classification").replace('"Ridge"', '"GaussianNB"')
        + '[[gate.behaviours]]\ncolumn = "x"\nadd = 1\nprediction = "not lower"\n',
        ["gate.behaviours: prediction = 'not lower' needs of = '...'"],
    ),
    "target as a feature": (MINIMAL + '[columns]\nnumeric = ["price"]\n', ["target = 'price'", "never a feature"]),
    "pin that is no digest": (
        HEAD + URL_SOURCE + 'sha256 = "abc"\n' + CANDIDATE,
        ["'source.sha256' = 'abc'"],
    ),
    "address that is not of the web": (
        HEAD + '[source]\nkind = "url"\nurl = "file:///etc/passwd"\n' + CANDIDATE,
        ["'source.url' = 'file:///etc/passwd'"],
    ),
    "password in an address": (
        HEAD + '[source]\nkind = "sql"\nurl = "postgresql://me:secret@db/sales"\nquery = "select 1"\n' + CANDIDATE,
        ["'source.url'", "a password does not belong in a problem file; write ${NAME}"],
    ),
    "misspelt key in a dialect": (
        HEAD + URL_SOURCE + 'dialect = { seperator = ";" }\n' + CANDIDATE,
        ["the key 'source.dialect.seperator' is not known (did you mean 'separator'?)", "allowed: separator, quote, "],
    ),
    "one address and many": (
        HEAD + URL_SOURCE + 'urls = ["https://example.org/b.csv"]\n' + CANDIDATE,
        ["source: either url = '...' or urls = ['...', '...'] is needed"],
    ),
    "a pin for many addresses": (
        HEAD + f'[source]\nkind = "url"\nurls = ["https://example.org/b.csv"]\nsha256 = "{"0" * 64}"\n' + CANDIDATE,
        ["source: sha256 pins one url, not a list of urls"],
    ),
    "a watermark without growth": (
        HEAD + '[source]\nkind = "sql"\nurl = "sqlite:///a.db"\nquery = "select 1"\nwatermark = "at"\n' + CANDIDATE,
        ["source: watermark fetches new rows only, which needs mode = 'append'"],
    ),
    "growth without identity": (
        HEAD + URL_SOURCE + 'mode = "append"\n' + CANDIDATE,
        ["source.mode = 'append' needs identity = [...], the columns that make a row the same row"],
    ),
    "a split by time of no column": (
        MINIMAL + '[split]\nkind = "time"\n',
        ["split: kind = 'time' needs by = '...', the column that it divides by"],
    ),
    "a period for a hash": (
        MINIMAL + '[split]\ntest_size = "90 days"\n',
        ["split: a period such as '90 days' fits kind = 'time' only"],
    ),
    "a period of no length": (
        MINIMAL + '[split]\nkind = "time"\nby = "day"\ntest_size = "a while"\n',
        ["'split.test_size' = 'a while'", "a period such as '90 days'"],
    ),
    "parts that leave nothing": (
        MINIMAL + "[split]\ntest_size = 0.5\nvalidation_size = 0.5\n",
        ["split: test_size and validation_size leave nothing to train on"],
    ),
    "a column for a split that has none": (
        MINIMAL + '[split]\nby = "customer"\n',
        ["split: by does not fit kind = 'hash'"],
    ),
    "name given": ('name = "houses"\n' + MINIMAL, ["the key 'name' is not allowed", "by its folder, 'houses'"]),
    "not TOML": ("target = \n", ["is not TOML", "line 1"]),
    "not UTF-8": ("target = 'é'\n".encode("latin-1"), ["is not TOML"]),
    "number of 5,000 digits": ("seed = " + "9" * 5000 + "\n" + MINIMAL, ["problem.toml"]),
    "nested too deep": ("seed = " + "[" * 5000 + "\n" + MINIMAL, ["problem.toml"]),
    "a future schema": ("schema_version = 2\n" + MINIMAL, ["'schema_version' = 2"]),
}

JARGON = (
    "pydantic",
    "errors.",
    "input_value",
    "type=",
    "tuple",
    "dictionary",
    "instance of",
    "after validation",
    "union",
    "nullable",
    "Value error",
    ".str'",
    ".bundled",
    "Traceback",
)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_a_sentence_with_the_key_the_value_and_what_is_allowed(tmp_path, mistake):
    text, expected = MISTAKES[mistake]
    sentence = refusal(tmp_path, text)
    for part in expected:
        assert part in sentence


@pytest.mark.parametrize("mistake", MISTAKES)
def test_sentences_use_the_words_of_the_file_not_those_of_a_library(tmp_path, mistake):
    sentence = refusal(tmp_path, MISTAKES[mistake][0]).removeprefix(str(tmp_path))
    assert [word for word in JARGON if word in sentence] == []


def test_history_names_the_columns_that_it_makes(tmp_path):
    text = HISTORY + 'by = "station"\nrolling = [7, 30]\nstatistics = ["mean", "std"]\n'
    history = load(tmp_path, 'identity = ["day"]\n' + MINIMAL + text).history
    assert history is not None
    assert (history.of, history.by) == (("price",), ("station",))
    assert history.columns == ("price_lag_1", "price_mean_7", "price_std_7", "price_mean_30", "price_std_30")


def test_two_mistakes_are_both_named(tmp_path):
    sentence = refusal(tmp_path, "sed = 1\n" + MINIMAL + "[split]\ntest_siz = 0.2\n")
    assert "'sed'" in sentence
    assert "'split.test_siz'" in sentence


def test_one_mistake_in_a_candidate_is_named_once(tmp_path):
    sentence = refusal(tmp_path, MINIMAL + "parametres = { alpha = 1.0 }\n")
    assert "at least 1" not in sentence  # the list of candidates is not empty: one of them is wrong


def test_an_unknown_problem_is_named_with_those_that_exist(tmp_path):
    load(tmp_path, MINIMAL)
    with pytest.raises(ProblemError, match=r"no problem 'huoses'.*did you mean 'houses'\?.*known here: houses\.$"):
        load_problem("huoses", tmp_path)
    with pytest.raises(ProblemError, match=r"known here: none\.$"):
        load_problem("houses", tmp_path / "elsewhere")


def test_a_name_longer_than_a_file_can_have_is_refused(tmp_path):
    with pytest.raises(ProblemError, match="no problem"):
        load_problem("a" * 300, tmp_path)


@given(st.text(max_size=60))
def test_an_arbitrary_name_is_found_or_refused(name):
    project = Path(__file__).parent / "no_such_project"
    with pytest.raises(ProblemError):
        load_problem(name, project)


KEYS = (
    *Problem.model_fields,
    *("kind", "url", "sha256", "member", "stratify", "bins", "test_size", "folds", "estimator", "scale", "parameters"),
    *("margin", "at_least", "cron", "timezone", "drop", "numeric", "categorical"),
)
SCALARS = (
    st.sampled_from(["bundled", "url", "hash", "regression", "classification", "Ridge", "iris", "rmse", "0 5 * * *"])
    | st.text(max_size=6)
    | st.integers()
    | st.floats()
    | st.booleans()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=8,
)
DECLARATIONS = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), VALUES, max_size=5)
BEGINNING: dict[str, Any] = {
    "task": "regression",
    "target": "price",
    "source": {"kind": "bundled", "name": "diabetes"},
    "candidates": [{"name": "ridge", "estimator": "Ridge"}],
}


def toml(value: object) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{toml(str(key))} = {toml(inner)}" for key, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(toml(inner) for inner in value) + "]"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case bool():
            return str(value).lower()
        case _:
            return repr(value)


@given(DECLARATIONS, st.booleans())
def test_an_arbitrary_declaration_is_a_problem_or_a_sentence(tmp_path, declaration, complete):
    declared = (BEGINNING if complete else {}) | declaration
    text = "".join(f"{toml(key)} = {toml(value)}\n" for key, value in declared.items())
    with contextlib.suppress(ProblemError):
        assert load(tmp_path, text).candidates


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4))
def test_the_declarations_of_these_tests_are_toml(declaration):
    assert tomllib.loads("".join(f"{toml(key)} = {toml(value)}\n" for key, value in declaration.items())).keys() == (
        declaration.keys()
    )


@given(st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=60) | st.binary(max_size=60))
def test_an_arbitrary_file_is_refused(tmp_path, content):
    assert refusal(tmp_path, content)


def test_only_a_near_name_is_proposed():
    assert meant("serd", ["seed", "target"]) == " (did you mean 'seed'?)"
    assert meant("zebra", ["seed", "target"]) == ""
