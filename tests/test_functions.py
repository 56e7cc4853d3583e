import itertools
import sys

import pyarrow as pa
import pytest

from tasks.errors import DataRefused, NetworkError, ProblemError, SalamanderError
from tasks.reading.functions import called
from tasks.sources import PythonSource

numbers = itertools.count()

SOURCES = '''
import pandas as pd
import pyarrow as pa

def frame(rows=2):
    """A frame, with an index that is nobody's business."""
    return pd.DataFrame({"rooms": range(rows), "place": "shore"}, index=range(5, 5 + rows))

def table():
    return pa.table({"rooms": [0, 1], "place": ["shore", "shore"]})

def batch():
    return pa.record_batch({"rooms": [0, 1], "place": ["shore", "shore"]})

def reader():
    return pa.RecordBatchReader.from_batches(batch().schema, [batch().slice(0, 1), batch().slice(1)])

def rows():
    return [{"rooms": 0, "place": "shore"}, {"place": "shore", "rooms": 1}]

def batches():
    yield frame(1)
    yield table().slice(1)

def batches_of_rows():
    return iter([rows()[:1], rows()[1:]])

def nothing():
    return None

def text():
    return "rooms"

def generator_of_numbers():
    yield frame()
    yield 3

def no_batches():
    return iter(())

def broken():
    raise KeyError("the column\\nis not there")

def breaks_later():
    yield frame()
    raise ConnectionError("cut")

def leaves():
    raise SystemExit(3)

def knows_us():
    from tasks.errors import NetworkError
    raise NetworkError("The registry did not answer.")

def other_columns():
    yield frame()
    yield frame().rename(columns={"rooms": "room"})

def other_types():
    yield frame()
    yield frame().assign(rooms="many")

def lists():
    return [{"rooms": [1, 2]}]

def twice():
    return pa.table([[1], [2]], names=["rooms", "rooms"])

def endless():
    while True:
        yield frame()

async def later():
    return frame()

constant = 3
'''


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Give a function that calls a function of a module of the user's own, by its name."""
    module = f"house_sources_{next(numbers)}"
    (tmp_path / module).mkdir()
    (tmp_path / module / "registry.py").write_text(SOURCES)
    (tmp_path / module / "needs.py").write_text("import a_library_that_nobody_has\n")
    (tmp_path / module / "wrong.py").write_text("def f(:\n")
    (tmp_path / module / "ends.py").write_text("raise SystemExit(0)\n")
    monkeypatch.setattr(sys, "path", list(sys.path))

    def call(name, held=None, **arguments):
        function = name if ":" in name else f"registry:{name}"
        source = PythonSource(kind="python", function=f"{module}.{function}", arguments=arguments)
        stream = called(source, tmp_path, held)
        return pa.Table.from_batches(list(stream.batches), schema=stream.schema)

    call.module, call.folder = module, tmp_path
    return call


@pytest.mark.parametrize("name", ["frame", "table", "batch", "reader", "rows", "batches", "batches_of_rows"])
def test_what_a_function_may_give(run, name):
    table = run(name)
    assert table.to_pydict() == {"rooms": [0, 1], "place": ["shore", "shore"]}
    assert [str(field.type) for field in table.schema] == ["int64", "string"]


def test_arguments_are_handed_in(run):
    assert run("frame", rows=5).num_rows == 5
    with pytest.raises(ProblemError, match=r"frame' takes \(rows=2\), but source\.arguments do not fit: .*'row'"):
        run("frame", row=5)


def test_types_that_were_held_win(run):
    assert str(run("frame", pa.schema([("rooms", pa.float64())])).schema.field("rooms").type) == "double"
    with pytest.raises(DataRefused, match="gives int64 in the column 'rooms', which held string before"):
        run("frame", pa.schema([("rooms", pa.string())]))


def test_batches_are_taken_one_by_one(run):
    source = PythonSource(kind="python", function=f"{run.module}.registry:endless")
    batches = called(source, run.folder).batches
    assert next(batches).num_rows == next(batches).num_rows == 2


def test_a_function_without_batches_gives_no_rows(run):
    assert run("no_batches").num_rows == 0


@pytest.mark.parametrize("name", ["nothing", "text", "generator_of_numbers"])
def test_anything_else_is_a_problem(run, name):
    with pytest.raises(ProblemError, match=rf"{name}' gives (NoneType|str|int); allowed: a pandas DataFrame"):
        run(name)


@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
def test_a_coroutine_is_a_problem(run):
    with pytest.raises(ProblemError, match="gives coroutine"):
        run("later")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("broken", r"failed: KeyError: 'the column\\nis not there' \(.*registry\.py, line \d+\)\.$"),
        ("breaks_later", r"failed: ConnectionError: cut \(.*registry\.py, line \d+\)\.$"),
        ("leaves", r"failed: SystemExit: 3 \("),
    ],
)
def test_a_function_that_fails_is_a_sentence(run, name, said):
    with pytest.raises(SalamanderError, match=said) as caught:
        run(name)
    assert type(caught.value) is SalamanderError


def test_a_function_may_say_that_another_try_is_worth_it(run):
    with pytest.raises(NetworkError, match="did not answer"):
        run("knows_us")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "other_columns",
            "gives other columns in a later batch than in its first: room, place instead of rooms, place",
        ),
        ("other_types", "gives string in the column 'rooms', which held int64 before"),
        ("lists", r"gives list<.*> in the column 'rooms', which is not read"),
    ],
)
def test_rows_that_cannot_be_kept_are_refused(run, name, said):
    with pytest.raises(DataRefused, match=said):
        run(name)


def test_two_columns_of_one_name_are_a_problem(run):
    with pytest.raises(ProblemError, match="gives the column 'rooms' twice"):
        run("twice")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere:frame", r"there is no module '.*\.nowhere' in .* or installed; check the name"),
        ("registry:fram", r"has no function 'fram' \(did you mean 'frame'\?\); it has: batch, "),
        ("registry:constant", "has no function 'constant'"),
        ("needs:f", r"cannot be imported: ModuleNotFoundError: No module named 'a_library.*needs\.py, line 1\)"),
        ("wrong:f", r"cannot be imported: SyntaxError"),
        ("ends:f", r"cannot be imported: SystemExit: 0"),
    ],
)
def test_a_function_that_cannot_be_found_is_a_problem(run, name, said):
    with pytest.raises(ProblemError, match=said):
        run(name)


def test_a_module_whose_name_is_taken_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "statistics.py").write_text("def rows():\n    return []\n")
    with pytest.raises(ProblemError, match=r"the name 'statistics' is taken by .*; rename the file"):
        called(PythonSource(kind="python", function="statistics:rows"), tmp_path)


def test_a_function_that_is_installed_may_be_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    source = PythonSource(kind="python", function="pandas:DataFrame", arguments={})
    assert called(source, tmp_path).schema.names == []
