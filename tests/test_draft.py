"""A draft from a frame: guesses that rest on each other, three files that load whatever the columns are called."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.checks import check
from tasks.columns import feature_set, source_columns
from tasks.drafting.draft import Draft, draft, paths, rounded_out, withdraw, write
from tasks.drafting.draft_suite import suite_text
from tasks.drafting.draft_texts import datasheet_text, problem_text
from tasks.drafting.samples import Sample
from tasks.errors import DataRefused, ProblemError
from tasks.problem import Problem
from tasks.records import Column
from tasks.suites import Suite, load_expectations

ROWS = 300


def sample(frame: pd.DataFrame, *, whole: bool = True, origin: str = "shop.csv") -> Sample:
    return Sample(frame, origin, {"kind": "files", "path": origin}, whole)


def shop(rows: int = ROWS) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    income = generator.normal(30, 5, rows)
    bought = (income + generator.normal(0, 3, rows) > 30).astype(int)
    return pd.DataFrame(
        {
            "customer_id": range(rows),
            "income": income,
            "visits": generator.integers(0, 40, rows),
            "colour": generator.choice(["red", "green", "blue"], rows),
            "zip": generator.choice([10115, 20095, 80331], rows),
            "note": [f"came in at {n} and left" for n in range(rows)],
            "invoice_sent": bought * 2 + 5,
            "bought": bought,
            "spent": income * 2 + generator.normal(0, 3, rows),
        }
    )


def declared(found: Draft) -> Problem:
    return Problem.model_validate({**tomllib.loads(problem_text(found)), "name": found.name})


def loaded(found: Draft, folder: Path) -> list[object]:
    path = folder / f"{found.name}.py"
    path.write_text(suite_text(found), encoding="utf-8")
    return load_expectations(Suite(path=str(path), digest=""))


def test_guesses_rest_on_each_other() -> None:
    found = draft("shop", sample(shop().drop(columns="spent")), "bought")
    assert (found.task, found.identity, found.strata.column) == ("classification", ("customer_id",), "bought")
    assert {guess.column: guess.part for guess in found.parts} == {
        "customer_id": "identity",
        "income": "numeric",
        "visits": "numeric",
        "colour": "categorical",
        "zip": "categorical",
        "note": "dropped",
        "invoice_sent": "dropped",
        "bought": "target",
    }
    assert [pitfall.column for pitfall in found.pitfalls] == ["invoice_sent"]
    problem = declared(found)
    assert problem.columns.drop == ("customer_id", "note", "invoice_sent")
    assert problem.columns.categorical == ("zip",)


def test_a_regression_is_stratified_by_its_strongest_predictor() -> None:
    problem = declared(draft("shop", sample(shop()), "spent"))
    assert (problem.task, problem.split.stratify, len(problem.split.bins)) == ("regression", "income", 4)
    assert problem.split.kind == "hash"


def test_a_date_is_only_proposed_for_the_split_and_a_repeated_identifier_for_groups() -> None:
    store = np.random.default_rng(1).integers(0, 30, ROWS)
    frame = shop().assign(day=pd.date_range("2024-01-01", periods=ROWS), store_id=store)
    found = draft("shop", sample(frame), "spent")
    assert len(found.proposals) == 2
    assert "kind = 'time', by = 'day'" in problem_text(found)
    assert "kind = 'group', by = 'store_id'" in problem_text(found)
    assert declared(found).split.kind == "hash"


def test_every_expectation_is_met_by_the_data_it_was_drafted_from_and_covers_what_is_used(tmp_path: Path) -> None:
    frame = shop()
    frame.loc[:20, "income"] = np.nan
    frame["member"] = pd.Series([True, False, None] * 100, dtype="object")
    for target in ("bought", "spent"):
        found = draft("shop", sample(frame), target)
        expectations = loaded(found, tmp_path)
        assert check(frame, expectations, "shop", tmp_path / "docs").findings == []
        settings_ = [each.configuration.to_json_dict() for each in expectations]  # type: ignore[attr-defined]
        expected = {each["kwargs"].get("column") for each in settings_}
        problem = declared(found)
        features = feature_set(problem, [Column(name=name, dtype="double") for name in frame])
        assert {target, *problem.identity, *source_columns(features)} <= expected
        assert {each["severity"] for each in settings_} == {"critical", "warning"}
        assert all(any(letter.isdigit() for letter in each["notes"]) for each in settings_), "the figures seen"


def test_what_leaves_the_ranges_that_were_seen_by_far_is_refused(tmp_path: Path) -> None:
    found = draft("shop", sample(shop()), "bought")
    for name, value in {"income": 30_000.0, "visits": -1, "bought": 7}.items():
        broken = check(shop().assign(**{name: value}), loaded(found, tmp_path), "shop", tmp_path / "docs").findings
        assert (broken[0].column, broken[0].severity) == (name, "critical")
    grown = check(shop(3000).assign(colour="violet"), loaded(found, tmp_path), "shop", tmp_path / "docs").findings
    assert [(each.column, each.severity) for each in grown] == [("colour", "warning")]


def test_a_part_of_a_table_draws_no_hard_lines() -> None:
    found = draft("shop", sample(shop(), whole=False), "bought")
    ranges = ast.unparse(ast.parse(suite_text(found))).split("ExpectColumnValuesToBeBetween")[1]
    assert "severity='warning'" in ranges.split(")")[0]
    assert "the first 300 rows of shop.csv" in problem_text(found)


def test_small_data_gets_a_gate_that_it_can_pass() -> None:
    assert declared(draft("shop", sample(shop(60)), "bought")).gate.fewest_rows == 9
    assert declared(draft("shop", sample(shop()), "bought")).gate.fewest_rows == 30


def test_rows_equal_in_what_makes_a_row_are_counted() -> None:
    frame = shop().drop(columns=["customer_id", "note"])
    found = draft("shop", sample(pd.concat([frame, frame.head(5)], ignore_index=True)), "bought")
    assert found.identity == ()
    assert "5 rows repeat another in it" in found.identity_why


@pytest.mark.parametrize(
    ("frame", "target", "sentence"),
    [
        (shop(), "bougth", "has no column 'bougth' \\(did you mean 'bought'\\?\\); its columns: customer_id"),
        (shop()[["customer_id", "bought"]], "bought", "No column is left to learn 'bought' from: customer_id makes"),
        (shop()[["bought"]], "bought", "it is the only one"),
        (shop(), "note", "300 different texts in 300 rows"),
    ],
)
def test_what_cannot_be_drafted_is_a_sentence(frame: pd.DataFrame, target: str, sentence: str) -> None:
    with pytest.raises(ProblemError, match=sentence):
        draft("shop", sample(frame), target)


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(DataRefused, match="19 rows with a bought: too few"):
        draft("shop", sample(shop(19)), "bought")
    unlabelled = shop(100).assign(bought=[0, 1] * 5 + [None] * 90)
    with pytest.raises(DataRefused, match="10 rows with a bought"):
        draft("shop", sample(unlabelled), "bought")


@pytest.mark.parametrize("name", ["", "Shop", "1shop", "a b", "../shop", "store", "a" * 64, "shöp"])
def test_a_name_that_is_none_is_a_sentence(name: str, tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match="cannot name a problem"):
        paths(name, tmp_path)


def test_nothing_that_exists_is_overwritten_and_nothing_is_half_written(tmp_path: Path) -> None:
    places = paths("shop", tmp_path)
    places[2].parent.mkdir()
    places[2].write_text("mine")
    with pytest.raises(ProblemError, match=r"shop\.py exists and is not overwritten"):
        paths("shop", tmp_path)
    with pytest.raises(ProblemError, match=r"shop\.py exists"):
        write(("a", "b", "c"), places)
    assert not places[0].parent.exists()
    assert places[2].read_text() == "mine"
    places[2].unlink()
    write(("a", "b", "c"), places)
    assert [place.read_text() for place in places] == ["a", "b", "c"]
    withdraw(places)
    assert not places[0].parent.exists()


@given(st.floats(-1e9, 1e9), st.floats(0, 1e9), st.booleans())
def test_a_range_has_room_on_both_sides_but_does_not_cross_zero(low: float, span: float, whole: bool) -> None:
    low, high = (round(low), round(low) + round(span)) if whole else (low, low + span)
    lowest, highest = rounded_out(low, high, whole=whole)
    assert lowest <= low <= high <= highest
    assert (lowest >= 0) >= (low >= 0)
    assert (highest <= 0) >= (high <= 0)


NAMES = st.text(min_size=1, max_size=12).filter(lambda name: name.isprintable() or name.strip()) | st.sampled_from(
    ['"', "'", '"""', "a\nb", "\\", "#", "]", "a = 1", "[split]", "{x}", "%s", "|", "`", "\x00", "\x7f", "\u2028", "🦎"]
)
KINDS = st.sampled_from(["number", "whole", "text", "words", "truth", "date", "gaps", "constant", "empty", "infinite"])


def values(kind: str, generator: np.random.Generator, rows: int) -> object:
    numbers = generator.normal(size=rows)
    return {
        "number": numbers,
        "whole": generator.integers(-5, 60, rows),
        "text": generator.choice(['"', "'", "a\nb", "\\", "x", "Ünï"], rows),
        "words": [f'say "{n}" \\ again' for n in range(rows)],
        "truth": numbers > 0,
        "date": pd.date_range("2020-01-01", periods=rows).astype("str"),
        "gaps": np.where(numbers > 1, np.nan, numbers),
        "constant": [1] * rows,
        "empty": [None] * rows,
        "infinite": np.where(numbers > 2, np.inf, numbers),
    }[kind]


@settings(max_examples=60)
@given(st.dictionaries(NAMES, KINDS, min_size=1, max_size=6), NAMES, st.sampled_from([0, 1, 2]), st.integers(0, 99))
def test_drafts_load_whatever_the_columns_hold_and_are_called(
    tmp_path: Path, columns: dict[str, str], target: str, kind: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    targets = (generator.normal(size=60), generator.choice(["a", 'b"\n', "\\"], 60), generator.integers(0, 3, 60))
    others = {name: values(each, generator, 60) for name, each in columns.items() if name != target}
    frame = pd.DataFrame({"always": generator.normal(size=60), **others, target: targets[kind]})
    found = draft("odd", sample(frame, origin='a "b"\n\\.csv'), target)
    problem = declared(found)
    assert problem.target == target
    assert {*problem.columns.drop, *problem.columns.categorical} <= set(frame)
    assert loaded(found, tmp_path)
    assert datasheet_text(found).startswith("# odd\n")
    assert all(line.startswith(("|", "#", "*", "-", "")) for line in datasheet_text(found).splitlines())


def test_the_drafted_suite_is_written_as_the_formatter_would(tmp_path: Path) -> None:
    path = tmp_path / "shop.py"
    path.write_text(suite_text(draft("shop", sample(shop()), "spent")))
    ruff = [str(Path(sys.executable).with_name("ruff")), "format", "--check", "--line-length=120", str(path)]
    done = subprocess.run(ruff, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
