"""The AsyncAPI 3 document: valid, and it names queue, dead letters, topic and filter."""

import json
import re

import jsonschema
import pytest
from described import NEWS, described

IDENTIFIER = {"type": "object", "properties": {"name": {"type": "string"}, "arn": {"type": "string"}}}
QUEUE = {  # the sqs binding 0.2.0 of a channel, as far as we use it
    "type": "object",
    "required": ["name", "fifoQueue"],
    "additionalProperties": False,
    "patternProperties": {"^x-": {}},
    "properties": {
        "name": {"type": "string"},
        "fifoQueue": {"type": "boolean"},
        "visibilityTimeout": {"type": "integer", "minimum": 0, "maximum": 43_200},
        "receiveMessageWaitTime": {"type": "integer", "minimum": 0, "maximum": 20},
        "redrivePolicy": {
            "type": "object",
            "required": ["deadLetterQueue"],
            "properties": {"deadLetterQueue": IDENTIFIER},
        },
    },
}
BINDING = {
    "type": "object",
    "required": ["queue", "bindingVersion"],
    "additionalProperties": False,
    "properties": {"queue": QUEUE, "bindingVersion": {"const": "0.2.0"}},
}


@pytest.fixture
def document():
    return described()


def test_every_sqs_binding_is_one_of_version_0_2_0(document):
    bindings = [c["bindings"]["sqs"] for c in document["channels"].values() if "bindings" in c]
    assert document["asyncapi"] == "3.0.0"
    assert len(bindings) == 3
    for binding in bindings:
        jsonschema.validate(binding, BINDING)


def test_no_operation_claims_a_binding_without_queues(document):
    assert [o for o in document["operations"].values() if "sqs" in (o.get("bindings") or {})] == []


def test_every_reference_leads_somewhere(document):
    references = re.findall(r'"[$]ref": "#/([^"]+)"', json.dumps(document))
    assert references
    for reference in references:
        node = document
        for part in reference.split("/"):
            node = node[part]


def test_consumed_queue_names_its_dead_letters_topic_and_filter(document):
    channel = document["channels"]["orders:OnOrder"]
    queue = channel["bindings"]["sqs"]["queue"]
    assert (channel["address"], queue["name"], queue["fifoQueue"]) == ("orders", "orders", False)
    assert queue["redrivePolicy"] == {"deadLetterQueue": {"name": "orders-dlq"}}
    assert queue["x-sns-subscriptions"] == [
        {
            "topic": NEWS.arn,
            "rawMessageDelivery": True,
            "filterPolicy": {"kind": ["new"]},
            "filterPolicyScope": "MessageAttributes",
        }
    ]


def test_topic_is_a_channel_at_its_arn_and_no_queue(document):
    channel = document["channels"]["News"]
    assert channel["address"] == NEWS.arn
    assert "bindings" not in channel
    assert document["operations"]["News"]["action"] == "send"


def test_router_prefix_goes_before_names_and_urls_stay(document):
    assert {c["address"] for c in document["channels"].values()} == {
        "orders",
        NEWS.arn,
        "plain",
        "shop-out.fifo",
    }
    fifo = document["channels"]["shop-out.fifo:Publisher"]["bindings"]["sqs"]["queue"]
    assert fifo == {"name": "shop-out.fifo", "fifoQueue": True}
