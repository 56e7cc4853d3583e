import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tasks.gate import Gate
from tasks.keys import LIBRARIES, code_digest, digest, library_versions, plain, source_digest, step_key
from tasks.records import File
from tasks.store import Store

FILE = File(path="models/a.bin", sha256="a" * 64, size=3)

BASE = '''
"""Why."""

LIMIT = 3


def double(value):
    """Give twice the value."""
    return value * 2  # by arithmetic


class House:
    """Where somebody lives."""

    rooms = 3
'''

SAME = {
    "comments": BASE.replace("  # by arithmetic", "").replace("LIMIT = 3", "# a limit\nLIMIT = 3"),
    "module docstring": BASE.replace('"""Why."""', '"""Because."""'),
    "no docstring": BASE.replace('"""Why."""', ""),
    "function docstring": BASE.replace('    """Give twice the value."""\n', ""),
    "class docstring": BASE.replace("Where somebody lives.", "Bricks."),
    "layout": BASE.replace("value * 2", "(value\n            *    2)").replace("\n\n\n", "\n\n\n\n\n"),
}
OTHER = {
    "constant": BASE.replace("LIMIT = 3", "LIMIT = 4"),
    "statement": BASE.replace("value * 2", "value + 2"),
    "name": BASE.replace("def double", "def twice"),
    "default": BASE.replace("(value)", "(value=1)"),
    "attribute": BASE.replace("rooms = 3", "rooms = 4"),
    "type of a constant": BASE.replace("LIMIT = 3", "LIMIT = 3.0"),
    "text that is no docstring": BASE.replace("LIMIT = 3", 'LIMIT = "3"'),
    "decorator": BASE.replace("def double", "@staticmethod\ndef double"),
    "order": BASE.replace("LIMIT = 3", "") + "LIMIT = 3\n",
}


@pytest.mark.parametrize("change", SAME)
def test_comments_docstrings_and_layout_do_not_count(change):
    assert SAME[change] != BASE
    assert source_digest(SAME[change]) == source_digest(BASE)


@pytest.mark.parametrize("change", OTHER)
def test_statements_count(change):
    assert OTHER[change] != BASE
    assert source_digest(OTHER[change]) != source_digest(BASE)


def test_a_function_of_nothing_but_a_docstring_is_a_function_that_passes():
    assert source_digest('def f():\n    "Why."') == source_digest("def f():\n    pass")
    assert source_digest('async def f():\n    "Why."\n    return 1') == source_digest("async def f():\n    return 1")


def test_a_text_that_is_not_first_is_a_statement():
    assert source_digest('x = 1\n"Why."') != source_digest("x = 1")


def test_a_syntax_error_is_not_hidden():
    with pytest.raises(SyntaxError):
        source_digest("def")


def test_a_key_is_the_same_for_the_same_work():
    inputs = {"file": FILE, "gate": Gate(), "seed": 42, "names": ("a", "b")}
    again = {"names": ["a", "b"], "seed": 42, "gate": Gate(confidence=0.95), "file": FILE.model_copy()}
    assert step_key("train", inputs) == step_key("train", again)
    assert len(step_key("train", inputs)) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"file": FILE.model_copy(update={"sha256": "b" * 64})},
        {"gate": Gate(margin=0.03)},
        {"seed": 43},
        {"names": ("b", "a")},
        {"more": None},
    ],
)
def test_a_key_changes_with_every_input(change):
    inputs = {"file": FILE, "gate": Gate(), "seed": 42, "names": ("a", "b")}
    assert step_key("train", inputs | change) != step_key("train", inputs)


def test_a_key_changes_with_the_step():
    assert step_key("train", {"seed": 42}) != step_key("split", {"seed": 42})


def test_a_key_does_not_depend_on_the_place_of_the_store(tmp_path):
    here, there = (Store(tmp_path / place, "houses") for place in ("here", "there"))
    assert step_key("fetch", {"store": here, "seed": 1}) == step_key("fetch", {"store": there, "seed": 1})


def test_a_key_changes_with_the_code_and_the_libraries(monkeypatch):
    before = step_key("train", {})
    monkeypatch.setattr("tasks.keys.code_digest", lambda: "other code")
    other_code = step_key("train", {})
    monkeypatch.undo()
    monkeypatch.setattr("tasks.keys.library_versions", lambda: {"numpy": "0.1"})
    assert len({before, other_code, step_key("train", {})}) == 3


def test_a_key_is_the_same_in_another_process():
    """Hashing of text is seeded anew in every Python process; a key is not."""
    code = "from tasks.keys import step_key; print(step_key('train', {'b': 1, 'a': ['x', None, 1.5]}))"
    project = Path(__file__).parent.parent
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=project)
    assert answer.stdout.strip() == step_key("train", {"a": ("x", None, 1.5), "b": 1})


@pytest.mark.parametrize("value", [pd.DataFrame({"a": [1]}), {1, 2}, object(), b"bytes", Path("x")])
def test_only_records_scalars_and_collections_are_inputs(value):
    with pytest.raises(TypeError, match="A step's input is a record, a scalar or a collection"):
        step_key("train", {"value": [value]})


def test_values_of_different_kinds_have_different_digests():
    values = [None, True, 1, "1", [1], {"1": 1}, 1.5, "", [], {}]
    assert len({digest(value) for value in values}) == len(values)


def test_plain_is_json():
    assert plain({"file": FILE, "pair": (1, None)}) == {
        "file": {"schema_version": 1, "path": "models/a.bin", "sha256": "a" * 64, "size": 3},
        "pair": [1, None],
    }


def test_libraries_that_can_change_a_result_are_named():
    assert set(library_versions()) == {"python", *LIBRARIES}
    assert len(code_digest()) == 64
