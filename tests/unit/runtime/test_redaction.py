import pytest
from dwh_runtime.redaction import STARS, Redactor


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("https://admin:hunter2@search.example.com/x", "hunter2"),
        ("Authorization: Bearer abcdefgh12345678", "abcdefgh12345678"),
        ("https://x.example.com/?X-Amz-Signature=deadbeef&y=1", "deadbeef"),
        ("https://x.example.com/?access_token=tok123456", "tok123456"),
        ("https://hooks.slack.com/services/T00/B00/XyZ", "XyZ"),
        ("GET /links/eyJzZWNyZXQiOjF9.aaaaaa.bbbbbbbb", "aaaaaa"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "c2lnbmF0dXJl"),
    ],
)
def test_secrets_are_found_by_their_shape(text, secret):
    redacted = Redactor().text(text)
    assert secret not in redacted
    assert STARS in redacted


@pytest.mark.parametrize(
    "key", ["password", "DB_PASSWORD", "routing_key", "api_key", "set_cookie", "csrf_token"]
)
def test_secrets_are_found_by_their_key_at_any_depth(key):
    line = Redactor()(None, "info", {"event": "x", "detail": {"list": [{key: "v4lue"}]}})
    assert "v4lue" not in str(line)


def test_secrets_of_this_process_are_found_by_value():
    assert Redactor(["s3cret-value"]).text("key=s3cret-value!") == f"key={STARS}!"


def test_ordinary_text_is_left_alone():
    text = "https://example.com/runs/transform_images/run-1?limit=5 took 3 s"
    assert Redactor(["s3cret-value"]).text(text) == text


def test_numbers_and_none_keep_their_type():
    line = {"event": "x", "count": 3, "share": 0.5, "ok": True, "nothing": None, "token": None}
    assert Redactor()(None, "info", line) == line
