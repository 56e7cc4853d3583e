import numpy as np
import pytest
import tensorflow as tf

from serving.repository import Repository
from serving.served import Served
from serving.settings import Settings
from serving.tensors import columns_of, is_narrow, tensor_of
from serving.values import BadRequest

MOST_ROWS = 100
tensor = tf.make_tensor_proto


@pytest.fixture(scope="module")
def repository(deployed) -> Repository:
    found = Repository(Settings(deployed, str(deployed), problems=("houses", "digits")))
    found.load()
    return found


@pytest.fixture
def houses(repository) -> Served:
    return repository.find("houses")


@pytest.fixture
def digits(repository) -> Served:
    return repository.find("digits")


def question(**changed):
    asked = {
        "area": tensor([80.0, 120.5]),
        "rooms": tensor([3, 4], dtype=tf.int64),
        "garden": tensor([True, False]),
        "place": tensor([b"hill", b""]),
    }
    return {name: value for name, value in (asked | changed).items() if value is not None}


def test_a_tensor_a_column_is_read_as_the_training_had_it(houses) -> None:
    found = columns_of(question(), houses, MOST_ROWS)
    assert list(found) == ["area", "rooms", "garden", "place"]
    assert found["area"].tolist() == [80.0, 120.5]
    assert found["rooms"].dtype == "int64"
    assert found["garden"].tolist() == [True, False]
    assert found["place"].tolist() == ["hill", None], "a tensor's empty text is a missing one"


def test_a_column_may_have_a_second_axis_of_one(houses) -> None:
    found = columns_of(question(area=tensor([[80.0], [120.5]])), houses, MOST_ROWS)
    assert found["area"].tolist() == [80.0, 120.5]


@pytest.mark.parametrize("shape", [(2, 64), (2, 8, 8), (2, 8, 8, 1)])
def test_one_tensor_of_any_name_and_rank_holds_rows_of_numbers(digits, shape) -> None:
    values = np.arange(128).reshape(shape) % 16
    found = columns_of({"flatten_input": tensor(values, dtype=tf.float32)}, digits, MOST_ROWS)
    assert len(found) == 64
    assert found["pixel_0_3"].tolist() == [3.0, 3.0]
    assert found["pixel_7_7"].tolist() == [15.0, 15.0]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"area": None}, r'"inputs" lacks \'area\'; the model reads area, rooms, garden, place'),
        ({"aera": tensor([1.0])}, r"aera.*did you mean 'area'"),
        ({"area": tensor([80.0, np.nan])}, r"inputs.area\[1\] is null.*no missing value in training"),
        ({"area": tensor([80.0, np.inf])}, r"inputs.area\[1\] is inf"),
        ({"area": tensor([b"80", b"90"])}, r"inputs.area\[0\] is \"80\".*takes a number"),
        ({"area": tensor([[1.0, 2.0], [1.0, 2.0]])}, r"inputs.area has the shape \[2, 2\]"),
        ({"area": tensor(80.0)}, r"inputs.area has the shape \[\]"),
        ({"area": tensor([80.0])}, r"inputs.area has 1 values|inputs.rooms has 2 values"),
        ({"area": tensor([1j, 2j])}, r"inputs.area is a tensor of a type that is not taken"),
        ({"rooms": tensor([3.5, 4.0])}, r"inputs.rooms\[0\] is 3.5.*a whole number"),
        ({"place": tensor([b"hill", b"moon"])}, r"inputs.place\[1\] is \"moon\".*one of 'hill', 'shore'"),
        ({"place": tensor([b"hill", b"\xff\xfe"])}, r"inputs.place has a text that is not UTF-8"),
    ],
)
def test_what_is_wrong_is_said(houses, changed, sentence) -> None:
    with pytest.raises(BadRequest, match=sentence):
        columns_of(question(**changed), houses, MOST_ROWS)


def test_rows_without_names_need_inputs_that_are_all_numbers(houses) -> None:
    with pytest.raises(BadRequest, match="columns that hold numbers, and 'garden' does not"):
        columns_of({"x": tensor([[1.0, 2.0, 3.0, 4.0]])}, houses, MOST_ROWS)


@pytest.mark.parametrize("shape", [(10**12,), (10**6, 10**6), (2, 10**12)])
def test_a_tensor_that_claims_to_be_huge_is_refused_before_it_is_unpacked(digits, shape) -> None:
    claimed = tensor(1.0)
    claimed.tensor_shape.CopyFrom(tf.TensorShape(shape).as_proto())
    with pytest.raises(BadRequest, match=r"rows|values a row|lacks|none of the columns"):
        columns_of({"x": claimed}, digits, MOST_ROWS)


def test_a_tensor_that_holds_less_than_its_shape_says_is_refused(digits) -> None:
    cut = tensor(np.zeros((2, 64), "float32"))
    cut.tensor_content = cut.tensor_content[:-4]
    with pytest.raises(BadRequest, match=r"does not hold as many values as its shape \[2, 64\] says"):
        columns_of({"x": cut}, digits, MOST_ROWS)


def test_a_size_that_nobody_knows_is_refused(digits) -> None:
    unknown = tensor(np.zeros((2, 64), "float32"))
    unknown.tensor_shape.dim[0].size = -1
    with pytest.raises(BadRequest, match="every size must be known"):
        columns_of({"x": unknown}, digits, MOST_ROWS)


@pytest.mark.parametrize(
    ("values", "kind", "field"),
    [
        ([1.5, 2.5], tf.float64, "double_val"),
        ([[0.1, 0.9], [0.5, 0.5]], tf.float64, "double_val"),
        ([3, 1], tf.int64, "int64_val"),
        ([True, False], tf.bool, "bool_val"),
        (["hut", "villa"], tf.string, "string_val"),
    ],
)
def test_an_answer_is_what_tensorflow_reads(values, kind, field) -> None:
    made = tensor_of(values, narrow=False)
    assert made.dtype == kind.as_datatype_enum
    assert len(getattr(made, field)) == np.size(values)
    found = tf.make_ndarray(made)
    np.testing.assert_array_equal(found.astype(str) if kind == tf.string else found, np.array(values))


def test_an_answer_is_as_precise_as_its_question() -> None:
    assert is_narrow([tensor([1.0]), tensor([b"a"])])
    assert not is_narrow([tensor([1.0]), tensor([1.0], dtype=tf.float64)])
    assert not is_narrow([tensor([b"a"]), tensor([1])])
    assert tensor_of([1 / 3], narrow=True).float_val == pytest.approx([1 / 3], rel=1e-7)
    assert tensor_of([1 / 3], narrow=False).double_val == [1 / 3]
