"""The AsyncAPI document against the schema that the AsyncAPI project publishes, bindings of SQS included."""

import json

import jsonschema
import pytest
from described import described

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def schema(node_modules):
    file = node_modules / "@asyncapi" / "specs" / "schemas" / "3.0.0-without-$id.json"
    return jsonschema.Draft7Validator(json.loads(file.read_text()))


def test_the_document_is_valid_by_the_official_schema_of_asyncapi_3(schema):
    assert [error.message for error in schema.iter_errors(described())] == []


@pytest.mark.parametrize(
    ("part", "value"),
    [("fifoQueue", "yes"), ("visibilityTimeout", 43_201), ("redrivePolicy", {"maxReceiveCount": 3})],
)
def test_the_official_schema_looks_into_our_bindings(schema, part, value):
    document = described()
    for channel in document["channels"].values():
        if "bindings" in channel:
            channel["bindings"]["sqs"]["queue"][part] = value
    assert not schema.is_valid(document)
