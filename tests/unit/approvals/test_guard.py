"""What stands before every route."""

import json

import pytest

PATH = "/api/v1/approvals/transform_images/run-1/decisions"
BODY = json.dumps({"decision": "APPROVED", "reason": "the dropped rows are replayed"})
JSON = {"Content-Type": "application/json"}


async def post(line, path=PATH, content=BODY, **headers):
    async with line.client("ann") as client:
        return await client.post(path, content=content, headers=headers)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({**JSON, "Origin": "https://evil.example"}, 403),
        ({**JSON, "Origin": "null"}, 403),
        ({**JSON, "Sec-Fetch-Site": "cross-site"}, 403),
        ({**JSON, "Sec-Fetch-Site": "same-site"}, 403),
        ({**JSON, "Host": "evil.example"}, 403),
        ({**JSON, "Host": "["}, 403),
        ({**JSON, "Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-origin"}, 201),
        ({**JSON, "Host": "localhost:9999"}, 201),
        ({"Content-Type": "application/json; charset=utf-8"}, 201),
    ],
)
async def test_a_change_comes_as_json_and_from_here(line, headers, status):
    await line.run()
    answer = await post(line, **headers)
    assert answer.status_code == status, answer.text
    assert len(line.published) == (status == 201)


@pytest.mark.parametrize(("path", "size"), [(PATH, 64 * 1024), ("/api/v1/approvals/bulk", 256 * 1024)])
async def test_a_body_over_its_limit_is_413(line, path, size):
    assert (await post(line, path, "x" * (size + 1), **JSON)).status_code == 413
    assert (await post(line, path, " " * size, **JSON)).status_code == 422


async def test_an_address_over_4_kib_is_413(line):
    assert (await line.get(f"/api/v1/runs?job_name={'x' * 4096}")).status_code == 413


@pytest.mark.parametrize("path", ["/api/v1/me", "/approvals", "/api/v1/nothing", "/nothing", "/openapi.json"])
async def test_every_answer_is_marked(line, path):
    answer = await line.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert "strict-transport-security" not in answer.headers
    assert answer.headers["cache-control"] == ("private, no-cache" if "/api/" in path else "no-store")
    assert "access-control-allow-origin" not in answer.headers


async def test_a_method_that_is_not_there_is_405_and_a_page_that_is_not_404(line):
    async with line.client("ann") as client:
        answer = await client.put("/api/v1/me", json={})
        assert (answer.status_code, answer.json()["type"]) == (405, "/problems/method-not-allowed")
        page = await client.get("/nothing")
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
