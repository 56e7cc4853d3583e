"""Small versions of benchmarks/gate.py: judged by the gate's own functions, where the truth is known."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))

from retrainings import JUDGES, SCENARIOS, margin, retrained
from simulated import SHAPES, cell, true_margin
from slices import clusters, slices

PAIRS = 300
ERROR = 3 * math.sqrt(0.05 * 0.95 / PAIRS)  # of a rate of 5 %, in the simulation


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_what_is_worse_by_the_margin_is_promoted_as_seldom_as_alpha_says(shape):
    found = cell(shape, 0.95, 200, PAIRS, seed=1)
    for mode in ("default", "declared"):
        assert found[mode]["at"] <= 0.05 + ERROR
        assert found[mode]["at_1.5"] <= 0.02
        assert found[mode]["at_2"] <= 0.01
        assert found[mode]["better_2"] >= 0.95  # one row may decide among 200: then nobody can tell
    if found["default_resolved"] >= 0.95:
        assert found["default"]["equal"] >= 0.8 - 3 * math.sqrt(0.8 * 0.2 / PAIRS)
    else:  # a few rows of 200 may decide
        assert shape.name in {"skewed, other way", "heavy-tailed"}


def test_other_rules_promote_what_is_worse_or_hold_what_is_equal():
    found = cell(SHAPES[0], 0.95, 200, PAIRS, seed=1)
    assert found["paired_t_test"]["at"] > 0.12
    assert found["stored_metric"]["at"] > 0.12
    assert 0.4 < found["lower_wins"]["equal"] < 0.6


def test_the_margin_of_a_cell_is_two_and_a_half_standard_errors():
    """Of the logarithm of two RMSEs with correlated normal errors: variance (1 - correlation²) / rows."""
    expected = math.expm1(2.4865 * math.sqrt((1 - 0.5**2) / 200))
    assert true_margin(SHAPES[0], 0.5, 200) == pytest.approx(expected, rel=0.01)
    assert true_margin(SHAPES[0], 0.95, 20_000) == 0.01


def test_losses_are_equal_on_average():
    random = np.random.default_rng(0)
    for shape in SHAPES:
        champion, challenger = shape.draw(random, *random.standard_normal((2, 1000, 1000)))
        assert champion.mean() == pytest.approx(1.0, abs=0.01)
        assert challenger.mean() == pytest.approx(1.0, abs=0.01)


def test_a_champion_does_not_decay_step_by_step():
    """Each of a hundred challengers is half a margin worse than its champion."""
    decay = SCENARIOS[1]
    gate, lower = (retrained(decay, rule, 12, seed=1) for rule in JUDGES)
    assert gate["kept"] >= 0.95
    assert gate["worst_5_percent"] <= margin() + 1e-9
    assert lower["kept"] < gate["kept"]
    assert lower["worst_5_percent"] > gate["worst_5_percent"]


def test_champions_get_better_where_challengers_vary():
    found = retrained(SCENARIOS[0], "gate", 10, seed=1, retrainings=20)
    assert found["kept"] == 1.0
    assert found["promotions"] > 3
    assert found["quality"] < -0.01


def test_a_harmed_slice_is_caught_and_none_is_blocked_for_nothing():
    found = slices(50, seed=1)
    assert found["caught"] >= 0.9
    assert found["blocked_falsely"] == 0.0
    assert found["blocked_at_the_margin"] <= 0.12


def test_groups_are_drawn_whole():
    """With rows in groups of ten, single rows call an equal challenger better in 29 % of cases at a nominal 5 %."""
    found = clusters(400, seed=1)
    assert found["clusters"] <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)
    assert found["single_rows"] > 0.2
    assert found["paired_t_test"] > 0.2
