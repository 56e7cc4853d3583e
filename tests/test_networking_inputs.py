from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.networking.engine import tensorflow
from tasks.networking.facts import Facts, Moments
from tasks.networking.inputs import (
    MANY_VALUES,
    categories,
    codes,
    crossed,
    looked_up,
    missing,
    pieces,
    standardised,
    vocabulary,
)

VALUES = np.column_stack([np.linspace(0, 8, 41), np.linspace(-1, 1, 41) ** 3]).astype("float32")


def facts_of(values):
    nothing = Moments.of(np.empty((0, 0)))
    return Facts(Moments.of(values), nothing, values[~np.isnan(values).any(axis=1)], [], np.array([]), "")


def computed(layers, values):
    keras = tensorflow().keras
    given = keras.Input(values.shape[1:])
    return keras.Model(given, layers(given))(values).numpy()


def test_the_first_values_are_few_and_all_known_those_of_many_that_occur_once_are_not():
    assert vocabulary(Counter({"b": 1, "a": 5})) == ["a", "b"]
    many = Counter({f"v{place:02}": 2 for place in range(MANY_VALUES)})
    assert vocabulary(many | Counter({"rare": 1})) == sorted(many)
    assert len(vocabulary(Counter({f"v{place}": 1 for place in range(40)}))) == 40  # else none would be left


@given(st.lists(st.tuples(st.sampled_from(["", "a", "b", "\u00fc", "?"]), st.sampled_from(["x", "y"])), min_size=1))
def test_layers_look_values_up_as_the_training_did(rows):
    values, known = np.array(rows, dtype="object"), [["", "a", "\u00fc"], ["x"]]
    keras = tensorflow().keras
    text = keras.Input((2,), dtype="string")
    found = keras.Model(text, looked_up(text, known))(tensorflow().constant(values)).numpy()
    np.testing.assert_array_equal(found, codes(values, known))
    expected = [[known[0].index(a) + 1 if a in known[0] else 0, int(b == "x")] for a, b in rows]
    np.testing.assert_array_equal(found, expected)


def test_numbers_are_standardised_missing_ones_the_mean_and_absurd_ones_clipped():
    values = np.array([[1.0], [3.0], [np.nan]], dtype="float32")
    facts = facts_of(values)
    found = computed(lambda given: standardised(given, facts), np.array([[1.0], [3.0], [np.nan], [1e9]], "float32"))
    np.testing.assert_allclose(found[:, 0], [-1, 1, 0, 5], rtol=1e-6)


def test_only_columns_that_lack_values_in_training_are_marked():
    values = np.array([[1.0, np.nan], [3.0, 2.0], [5.0, 1.0]], dtype="float32")
    facts = facts_of(values)
    keras = tensorflow().keras
    given = keras.Input((2,))
    (mark,) = missing(given, facts)
    np.testing.assert_array_equal(keras.Model(given, mark)(values).numpy()[:, 0], [1, 0, 0])


def test_pieces_count_how_far_a_number_has_come():
    """Four intervals between quantiles: whole ones behind it are 1, those ahead 0, the one that it is in a share."""
    facts = facts_of(VALUES)
    found = computed(lambda given: pieces(standardised(given, facts), facts, 4), VALUES)
    assert found.shape == (41, 8)
    np.testing.assert_allclose(found[15, :4], [1, 0.5, 0, 0], atol=1e-3)  # 3 of 0 to 8: half way from 2 to 4
    np.testing.assert_allclose(found[:, :4].sum(axis=1), np.linspace(0, 4, 41), atol=1e-3)
    assert (np.diff(found[:, 4:].sum(axis=1)) >= 0).all()


def test_a_number_that_never_varies_has_one_piece():
    values = np.full((9, 1), 3.0, dtype="float32")
    facts = facts_of(values)
    assert computed(lambda given: pieces(standardised(given, facts), facts, 4), values).shape == (9, 1)


def test_crossed_numbers_weigh_the_four_cells_around_them():
    facts = facts_of(VALUES)
    new = np.array([[3.0, 0.1], [0.0, -1.0], [99.0, 99.0], [np.nan, 0.0]], dtype="float32")
    found = computed(lambda given: crossed(standardised(given, facts), facts, (0, 1), 5), new)
    assert found.shape == (4, 25)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-5)
    assert ((found >= -1e-6) & (found <= 1 + 1e-6)).all()
    assert ((found > 1e-6).sum(axis=1) <= 4).all()
    np.testing.assert_allclose(found[0].reshape(5, 5).sum(axis=1), [0, 0.5, 0.5, 0, 0], atol=1e-3)
    assert found[1, 0] == pytest.approx(1.0, abs=1e-3)
    assert found[2, 24] == pytest.approx(1.0, abs=1e-3)


def test_few_values_have_a_unit_each_and_an_unknown_one_none():
    keras = tensorflow().keras
    code = keras.Input((1,), dtype="int32")
    wide, deep = categories(code, 3, 1)
    assert wide is deep
    found = keras.Model(code, wide)(np.array([[0], [1], [3]])).numpy()
    np.testing.assert_array_equal(found, [[0, 0, 0], [1, 0, 0], [0, 0, 1]])


def test_many_values_have_a_vector_each():
    keras = tensorflow().keras
    code = keras.Input((1,), dtype="int32")
    wide, deep = keras.Model(code, categories(code, 100, 1))(np.array([[0], [7], [100]]))
    assert wide.shape == (3, 1)
    assert deep.shape == (3, 21)
    assert len(np.unique(deep.numpy().round(6), axis=0)) == 3
