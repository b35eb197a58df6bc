"""Signed requests, judged by a server that recomputes each signature from what came over the wire."""

import asyncio

import pytest
from aws_front import REGION, STS_PATH, aws_front, aws_variables
from dwh_eventstore import StoreDenied, StoreError, StoreSettings, StoreUnavailable
from dwh_eventstore.backend import Create, Query
from dwh_eventstore.opensearch import OpenSearchBackend

KEYS = {"AWS_ACCESS_KEY_ID": "AKIAFIXED", "AWS_SECRET_ACCESS_KEY": "s3cr3t/+="}


@pytest.fixture
def front():
    with aws_front() as front:
        yield front


@pytest.fixture
async def backend(front):
    """Opened by the first request, so that a test sets the environment before."""
    opened = OpenSearchBackend(store_settings(front.url))
    yield opened
    await opened.close()


def store_settings(url, **over):
    over = {"auth": "sigv4", "region": REGION, "timeout_seconds": 5, **over}
    return StoreSettings(url=url, environment="dev", service="test", **over)


async def every_kind_of_request(backend):
    await backend.ping()
    await backend.read([("events-job-v1-2026-11", "id/with?odd&chars=ü")])
    await backend.search(Query(indices=["events-*", "rm-job-events-v0001"], where={"job_name": "ü + %"}))
    await backend.names("events-job-v1-*")
    await backend.refresh(["events-*", "rm-*"])
    await backend.settle()
    await backend.put_template("dwh-events-job", {"index_patterns": ["events-job-*"]})
    await backend.resolve("job-events-transform-images")
    await backend.create_index("events-late-v1", {})
    await backend.write([])


async def test_every_kind_of_request_carries_a_signature_of_what_is_on_the_wire(
    front, backend, monkeypatch, tmp_path
):
    front.knows("AKIAFIXED")
    aws_variables(monkeypatch, tmp_path, **KEYS)
    await every_kind_of_request(backend)
    await backend._bulk([Create("events-job-v1-2026-11", "1", {"text": "ü"})])
    assert front.faults == []
    assert len(front.seen) == 10
    assert any("filter_path=took%2Cerrors" in seen.target for seen in front.seen)


async def test_a_session_token_is_sent_and_signed(front, backend, monkeypatch, tmp_path):
    front.knows("AKIAFIXED", token="t0ken/+==")
    aws_variables(monkeypatch, tmp_path, **KEYS, AWS_SESSION_TOKEN="t0ken/+==")
    await backend.ping()
    assert front.faults == []


async def test_an_address_with_a_path_is_signed_as_it_is_asked(front, monkeypatch, tmp_path):
    front.knows("AKIAFIXED")
    aws_variables(monkeypatch, tmp_path, **KEYS)
    backend = OpenSearchBackend(store_settings(f"{front.url}/behind/a/proxy/"))
    await backend.names("events-*")
    await backend.close()
    assert [seen.target.partition("?")[0] for seen in front.seen] == ["/behind/a/proxy/events-*"]
    assert front.faults == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "other"}, "wrong signature"),
        ({"AWS_ACCESS_KEY_ID": "AKIAOTHER"}, "its key is unknown"),
        ({"AWS_SESSION_TOKEN": "stray"}, "its token is another one"),
    ],
)
async def test_the_server_of_these_tests_refuses_what_is_signed_wrongly(
    front, backend, monkeypatch, tmp_path, change, fault
):
    front.knows("AKIAFIXED")
    aws_variables(monkeypatch, tmp_path, **(KEYS | change))
    with pytest.raises(StoreDenied, match="does not match"):
        await backend.ping()
    assert [seen.fault for seen in front.seen] == [fault]


async def test_a_space_in_a_query_is_refused_before_it_is_sent(front, backend, monkeypatch, tmp_path):
    aws_variables(monkeypatch, tmp_path, **KEYS)
    with pytest.raises(StoreError, match="space"):
        await backend._ask("GET", "/", params={"q": "a b"})
    assert front.seen == []


async def test_new_credentials_take_effect_without_a_restart_and_without_anybody_waiting(
    front, backend, monkeypatch, tmp_path
):
    aws_variables(monkeypatch, tmp_path, front)
    front.gives("AKIAFIRST", seconds=300)  # within the quarter of an hour in which new ones are fetched
    await backend.ping()
    asked = front.asked_for_credentials
    front.gives("AKIASECOND", seconds=3600)
    front.hold.clear()
    for _ in range(5):
        await asyncio.wait_for(backend.ping(), 2)  # while the credentials' endpoint does not answer
    front.hold.set()
    for _ in range(200):
        await backend.ping()
        if front.seen[-1].access_key == "AKIASECOND":
            break
    assert [seen.access_key for seen in front.seen[:6]] == ["AKIAFIRST"] * 6
    assert front.seen[-1].access_key == "AKIASECOND"
    assert front.faults == []
    assert front.asked_for_credentials == asked + 1


async def test_requests_wait_for_new_credentials_when_the_old_ones_end_and_the_loop_goes_on(
    front, backend, monkeypatch, tmp_path
):
    aws_variables(monkeypatch, tmp_path, front)
    front.gives("AKIAFIRST", seconds=50)
    await backend.ping()
    asked = front.asked_for_credentials
    front.gives("AKIASECOND", seconds=3600)
    front.asked.clear()
    front.hold.clear()
    waiting = [asyncio.create_task(backend.ping()) for _ in range(20)]
    assert await asyncio.to_thread(front.asked.wait, 5)  # the loop is free: it would not go on otherwise
    assert not any(task.done() for task in waiting)
    front.hold.set()
    await asyncio.gather(*waiting)
    assert {seen.access_key for seen in front.seen[1:]} == {"AKIASECOND"}
    assert front.asked_for_credentials == asked + 1


async def test_a_failed_refresh_leaves_credentials_in_use_that_still_hold(
    front, backend, monkeypatch, tmp_path
):
    aws_variables(monkeypatch, tmp_path, front)
    front.gives("AKIAFIRST", seconds=800)
    await backend.ping()
    asked = front.asked_for_credentials
    front.given = None
    for _ in range(20):
        await backend.ping()
    assert {seen.access_key for seen in front.seen} == {"AKIAFIRST"}
    assert front.faults == []
    assert (
        front.asked_for_credentials <= asked + 3
    )  # one fetch with the chain's own attempts, not one a request


async def test_a_role_assumed_by_web_identity_signs_and_is_assumed_anew(
    front, backend, monkeypatch, tmp_path
):
    (tmp_path / "token").write_text("of-the-service-account")
    aws_variables(
        monkeypatch,
        tmp_path,
        AWS_ROLE_ARN="arn:aws:iam::000000000000:role/dwh-dev-indexer",
        AWS_WEB_IDENTITY_TOKEN_FILE=str(tmp_path / "token"),
        AWS_ENDPOINT_URL_STS=f"{front.url}{STS_PATH}",
        AWS_REGION=REGION,
    )
    front.gives("ASIAFIRST", seconds=50)
    await backend.ping()
    front.gives("ASIASECOND", seconds=50)
    await backend.ping()
    assert [seen.access_key for seen in front.seen] == ["ASIAFIRST", "ASIASECOND"]
    assert front.faults == []
    front.given = None
    with pytest.raises(StoreDenied, match="who may assume it"):
        await backend.ping()


async def test_an_endpoint_of_credentials_that_hangs_is_named_in_time(front, monkeypatch, tmp_path):
    aws_variables(monkeypatch, tmp_path, front)
    front.hold.clear()
    backend = OpenSearchBackend(store_settings(front.url, timeout_seconds=0.2))
    with pytest.raises(StoreUnavailable, match=r"no AWS credentials within 0\.2 s"):
        await backend.ping()
    front.hold.set()
    await backend.close()


async def test_no_credentials_at_all_say_what_to_give(backend, front, monkeypatch, tmp_path):
    aws_variables(monkeypatch, tmp_path)
    with pytest.raises(StoreDenied, match="give the pod or task a role"):
        await backend.ping()
    assert front.seen == []


async def test_a_profile_that_does_not_exist_is_named(backend, monkeypatch, tmp_path):
    aws_variables(monkeypatch, tmp_path, AWS_PROFILE="nobody")
    with pytest.raises(StoreDenied, match=r"nobody.*check AWS_PROFILE"):
        await backend.ping()


REFUSALS = [
    (
        "The security token included in the request is expired",
        "credentials are expired or unknown: renew them",
    ),
    (
        "The security token included in the request is invalid.",
        "credentials are expired or unknown: renew them",
    ),
    ("Signature expired: 20261126T080000Z is now earlier than 20261126T081000Z", "clock"),
    ("The request signature we calculated does not match the signature you provided.", "secret key"),
    ("Credential should be scoped to a valid region.", "set AWS_REGION"),
    ("User: arn:aws:iam::1:role/x is not authorized to perform: es:ESHttpPost", "es:ESHttp"),
    (
        "no permissions for [indices:data/write/bulk] and User [name=arn:aws:iam::1:role/x]",
        "map the role's ARN",
    ),
    ("Forbidden", "its own policy"),
]


@pytest.mark.parametrize(("said", "remedy"), REFUSALS)
async def test_a_refusal_is_one_line_with_what_was_said_and_what_to_do(
    front, backend, monkeypatch, tmp_path, said, remedy
):
    front.knows("AKIAFIXED")
    front.refusals = [said]
    aws_variables(monkeypatch, tmp_path, **KEYS)
    with pytest.raises(StoreDenied) as denied:
        await backend.ping()
    [line] = str(denied.value).splitlines()
    assert line.startswith(f"OpenSearch at {front.url} answered 403: {said}; ")
    assert remedy in line.removeprefix(f"OpenSearch at {front.url} answered 403: {said}; ")


async def test_keys_replaced_after_a_refusal_are_found_without_a_restart(
    front, backend, monkeypatch, tmp_path
):
    front.knows("AKIANEW")
    aws_variables(monkeypatch, tmp_path, **KEYS)
    with pytest.raises(StoreDenied):
        await backend.ping()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANEW")
    await backend.ping()
    assert [seen.fault for seen in front.seen] == ["its key is unknown", None]


async def test_other_modes_name_their_own_settings(front):
    front.refusals = ["no", "no"]
    for over, remedy in (
        ({"auth": "basic", "user": "u", "password": "p"}, "give the user of DWH_OPENSEARCH_USER"),
        ({"auth": "none"}, "set DWH_OPENSEARCH_AUTH"),
    ):
        backend = OpenSearchBackend(store_settings(front.url, **over))
        with pytest.raises(StoreDenied, match=remedy):
            await backend.ping()
        await backend.close()


def test_signing_needs_a_region():
    with pytest.raises(StoreError, match="AWS_REGION"):
        OpenSearchBackend(store_settings("http://127.0.0.1:9", region=None))
