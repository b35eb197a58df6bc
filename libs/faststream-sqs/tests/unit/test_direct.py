"""Direct calls against botocore: the same signature of any request, the same error of any refusal."""

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.parsers import create_parser
from faststream_sqs.transport.direct import Signer, parsed, refusal
from hypothesis import given
from hypothesis import strategies as st

TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
URLS = st.sampled_from(
    [
        "https://sqs.eu-central-1.amazonaws.com",
        "https://sqs.eu-central-1.amazonaws.com/",
        "http://127.0.0.1:4566",
        "http://[::1]:4566",
        "https://vpce-0a-1b.sqs.eu-central-1.vpce.amazonaws.com:8443/proxy/sqs",
    ]
)
MOMENTS = st.integers(0, 4_000_000_000)


def by_botocore(url, region, headers, body, credentials, stamp):
    request = AWSRequest("POST", url, dict(headers), body)
    request.context["timestamp"] = stamp
    auth = SigV4Auth(credentials, "sqs", region)
    to_sign = auth.string_to_sign(request, auth.canonical_request(request))
    return auth.signed_headers(auth.headers_to_sign(request)), auth.signature(to_sign, request)


@given(
    url=URLS,
    region=TEXTS,
    body=st.binary(max_size=200),
    key=TEXTS,
    secret=TEXTS,
    token=st.none() | TEXTS,
    at=MOMENTS,
)
def test_any_request_is_signed_as_botocore_signs_it(url, region, body, key, secret, token, at):
    credentials = Credentials(key, secret, token)
    signer = Signer(url, region, "sqs")
    for _ in range(2):  # with a fresh signing key, and with the one that is kept
        headers = signer.headers(
            "AmazonSQS.ReceiveMessage",
            body,
            credentials.get_frozen_credentials(),
            at,
        )
        authorization = headers.pop("authorization")
        signed, signature = by_botocore(url, region, headers, body, credentials, headers["x-amz-date"])
        assert authorization.endswith(f"SignedHeaders={signed}, Signature={signature}")
        assert authorization.startswith(f"AWS4-HMAC-SHA256 Credential={key}/{headers['x-amz-date'][:8]}/")


def test_a_key_of_another_day_or_secret_is_not_used_again():
    signer, day = Signer("http://127.0.0.1", "eu-central-1", "sqs"), 86_400
    frozen = [Credentials("k", secret).get_frozen_credentials() for secret in ("one", "two")]
    calls = [(frozen[0], 0), (frozen[0], day), (frozen[1], day), (frozen[0], 0)]
    made = [signer.headers("AmazonSQS.X", b"", each, at)["authorization"] for each, at in calls]
    assert made[0] == made[3]
    assert len(set(made)) == 3


REFUSALS = [
    (400, {"x-amzn-query-error": "AWS.SimpleQueueService.NonExistentQueue;Sender"}, "QueueDoesNotExist"),
    (403, {}, "AccessDeniedException"),
    (400, {"x-amzn-query-error": "RequestThrottled;Sender"}, "RequestThrottled"),
    (500, {}, "InternalFailure"),
]


@pytest.mark.parametrize(("status", "headers", "kind"), REFUSALS)
def test_a_refusal_has_the_code_and_the_text_that_botocore_reads(status, headers, kind):
    body = f'{{"__type": "com.amazonaws.sqs#{kind}", "message": "why"}}'.encode()
    error = refusal("ReceiveMessage", status, headers, body)
    shape = botocore.session.get_session().get_service_model("sqs").operation_model("ReceiveMessage")
    answer = {"status_code": status, "headers": headers, "body": body}
    expected = ClientError(create_parser("json").parse(answer, shape.output_shape), "ReceiveMessage")
    assert str(error) == str(expected)
    assert error.response["Error"]["Code"] == expected.response["Error"]["Code"]
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status


@pytest.mark.parametrize("content", [b"<html>bad gateway</html>", b"", b"[]", b'"text"', b"{}"])
def test_a_refusal_by_something_else_than_sqs_has_its_status_as_code(content):
    assert refusal("ReceiveMessage", 502, {}, content).response["Error"]["Code"] == "502"


def test_an_answer_that_a_strict_parser_refuses_is_read():
    assert parsed(b'{"Messages": [{"Body": "\\ud800"}]}')["Messages"][0]["Body"] == "\ud800"
