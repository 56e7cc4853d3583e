"""The document describes what is deployed: its examples work, and schemathesis finds nothing that contradicts it."""

from collections import Counter

import pytest
import requests
import schemathesis
from hypothesis import given, settings
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import positive_data_acceptance

from serving.tables import ARROW

load_all_checks()
ADDRESS = "/v1/models/houses"


def document_at(address):
    response = requests.get(f"{address}/openapi.json", timeout=60)
    response.raise_for_status()
    return response.json()


def test_each_deployed_problem_has_its_own_addresses_and_columns(serving_at, version_of):
    versions = [version_of("DecisionTreeClassifier", max_depth=depth) for depth in (1, 2)]
    found = document_at(serving_at(*versions))
    assert found["openapi"].startswith("3.1")
    assert {"/healthz", ADDRESS, f"{ADDRESS}/metadata", f"{ADDRESS}:predict"} <= set(found["paths"])
    version, label = (
        found["paths"][f"{ADDRESS}/{place}:predict"] for place in ("versions/{version}", "labels/{label}")
    )
    assert version["post"]["parameters"][0]["schema"]["enum"] == ["2", "1"]
    assert label["post"]["parameters"][0]["schema"]["enum"] == ["champion", "previous"]
    row = found["components"]["schemas"]["houses.row"]
    assert row["properties"]["place"]["enum"] == ["hill", "shore"]
    assert row["properties"]["x"]["x-trained-on"] == [0.0, 6.0]
    assert row["required"] == ["x", "place"]


def test_every_example_is_answered(serving_at, version_of):
    address = serving_at(version_of("DecisionTreeClassifier"))
    operation = document_at(address)["paths"][f"{ADDRESS}:predict"]["post"]
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    assert set(examples) == {"rows", "columns"}
    for each in examples.values():
        found = requests.post(f"{address}{ADDRESS}:predict", json=each["value"], timeout=60)
        assert found.status_code == 200, found.text
    assert ARROW in operation["requestBody"]["content"]


def test_a_token_is_part_of_the_document(serving_at, version_of):
    address = serving_at(version_of("DecisionTreeRegressor"), token="secret")  # noqa: S106 - of the tests
    assert requests.get(f"{address}/openapi.json", timeout=60).status_code == 401
    found = requests.get(f"{address}/openapi.json", headers={"Authorization": "Bearer secret"}, timeout=60).json()
    assert found["security"] == [{"token": []}]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "unfitting"])
def test_nothing_that_is_generated_from_the_document_contradicts_it(serving_at, version_of, mode):
    """A schema cannot say that lists are of one length or that a table is one, so what fits it may be refused."""
    address = serving_at(*(version_of("DecisionTreeClassifier", max_depth=depth) for depth in (1, 2)))
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
    tried = Counter()
    for operation in (result.ok() for result in schema.get_all_operations()):
        if mode == GenerationMode.NEGATIVE and not [*operation.path_parameters, *operation.query, *operation.body]:
            continue  # nothing could be wrong

        @settings(max_examples=60 if operation.method == "post" else 5)
        @given(operation.as_strategy(mode))
        def attempt(case):
            tried[case.call_and_validate(excluded_checks=[positive_data_acceptance], timeout=600).status_code] += 1

        attempt()
    assert sum(tried.values()) > 150
    assert tried[200] > 20 or mode == GenerationMode.NEGATIVE
