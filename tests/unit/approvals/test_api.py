"""What a program at the HTTP API meets."""

import pytest
from dwh_eventstore import StoreUnavailable
from dwh_runtime.aws import AwsUnavailable

PATH = "/api/v1/approvals/transform_images/run-1"
RUN = "/api/v1/runs/transform_images/run-1"


def slug(answer):
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    return body["type"].removeprefix("/problems/")


async def test_a_red_run_waits_is_listed_approved_and_published(line):
    run = await line.run()
    listed = (await line.get("/api/v1/approvals?status=pending")).json()
    assert [item["job_run_id"] for item in listed["items"]] == ["run-1"]

    answer = await line.decide("ann", channel="cli")
    assert answer.status_code == 201, answer.text
    assert (answer.json()["decided_by"], answer.json()["channel"]) == ("ann", "cli")

    [message] = line.published
    assert message == answer.json()
    [sent] = line.aws.topics.published
    assert sent.attributes["decision"] == "APPROVED"
    shown = (await line.get(PATH)).json()
    assert (shown["approval_status"], shown["approved_by"]) == ("APPROVED", "ann")
    assert shown["id"] == run.event_id
    assert sorted(fact.event_type for fact in await line.facts()) == [
        "approval_accepted",
        "approval_decision",
        "approval_requested",
    ]
    claim = (await line.store.decisions.get("decision|local|transform_images|run-1|1")).body
    assert (claim["kind"], claim["state"], claim["event"]) == ("decision", "done", message)
    assert claim["artifacts_manifest_sha256"] == run.body["artifacts_manifest"]["sha256"]


async def test_the_same_decision_again_answers_200_and_leaves_nothing(line):
    await line.run()
    first = await line.decide("ann")
    line.clock.advance(60)
    again = await line.decide("ann", reason="another wording of the same thing")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert len(line.published) == 1
    assert len(await line.facts("approval_decision")) == 1


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        ("APPROVED", "APPROVED", "superfluous"),
        ("APPROVED", "REJECTED", "conflict"),
        ("REJECTED", "APPROVED", "conflict"),
        ("REJECTED", "REJECTED", "superfluous"),
    ],
)
async def test_who_comes_second_is_told_who_won(line, first, second, outcome):
    await line.run()
    won = (await line.decide("ann", first)).json()
    for _ in range(2):
        lost = await line.decide("bob", second)
        assert (lost.status_code, slug(lost)) == (409, "already-decided")
        assert lost.json()["winner"] == {
            "decision": first,
            "decided_by": "ann",
            "timestamp": won["timestamp"],
            "event_id": won["event_id"],
        }
    assert await line.outcomes() == sorted([("ann", first, "accepted"), ("bob", second, outcome)])
    shown = await line.document()
    assert shown["approval_status"] == first
    assert shown["approval_conflict"] is (outcome == "conflict")
    assert len(line.published) == 1


async def test_nobody_decides_without_a_name(line):
    await line.run()
    for headers in ({}, {"X-Local-User": "a b"}, {"X-Local-User": "system:expiry"}):
        async with line.client(**headers) as client:
            answer = await client.post(f"{PATH}/decisions", json={})
            assert (answer.status_code, slug(answer)) == (401, "unauthenticated")
            assert (await client.get("/api/v1/runs/nothing/there")).status_code == 401


async def test_a_viewer_may_look_and_not_decide(line):
    await line.run()
    assert (await line.get(PATH, user="viewer-1")).status_code == 200
    answer = await line.decide("viewer-1")
    assert (answer.status_code, slug(answer)) == (403, "not-an-approver")
    assert (await line.get("/api/v1/me", user="viewer-1")).json()["roles"] == ["reader"]
    assert (await line.get("/api/v1/me")).json()["groups"] == ["dwh-approvers", "dwh-operators"]
    assert await line.outcomes() == [("viewer-1", "APPROVED", "refused")]


async def test_the_requester_may_not_decide(line):
    await line.run()
    answer = await line.decide("Airflow")
    assert (answer.status_code, slug(answer)) == (403, "requester-may-not-decide")
    assert (await line.document())["approval_status"] == "PENDING"


async def test_a_refused_decision_does_not_take_the_id_of_a_later_good_one(line):
    await line.run()
    stale = await line.decide("ann", artifacts_manifest_sha256="b" * 64)
    assert (stale.status_code, slug(stale)) == (409, "stale-view")
    assert (await line.decide("ann")).status_code == 201
    assert await line.outcomes() == [("ann", "APPROVED", "accepted"), ("ann", "APPROVED", "refused")]


async def test_a_decision_is_bound_to_what_the_person_saw(line):
    run = await line.run()
    manifest = run.body["artifacts_manifest"]["sha256"]
    seen = {"source_event_id": run.event_id, "artifacts_manifest_sha256": manifest}
    assert slug(await line.decide("ann", **(seen | {"source_event_id": "older"}))) == "stale-view"
    answer = await line.decide("ann", **seen)
    assert answer.status_code == 201
    bare = {name: answer.json()[name] for name in seen}
    assert bare == seen


async def test_a_bare_decision_is_bound_by_the_service(line):
    run = await line.run()
    body = (await line.decide("ann")).json()
    assert body["source_event_id"] == run.event_id
    assert body["artifacts_manifest_sha256"] == run.body["artifacts_manifest"]["sha256"]


async def test_an_unknown_run_is_404_and_one_that_asks_nobody_409(line):
    assert slug(await line.decide("ann")) == "not-found"
    assert slug(await line.get(PATH)) == "not-found"
    await line.run(quality_status="GREEN")
    answer = await line.decide("ann")
    assert (answer.status_code, slug(answer)) == (409, "not-pending")
    assert slug(await line.get(PATH)) == "not-found"
    assert (await line.get(RUN)).json()["status"] == "SUCCESS"


async def test_a_run_whose_message_is_still_on_its_way_is_opened_by_who_decides(line):
    await line.indexed(quality_status="RED")
    assert (await line.decide("ann")).status_code == 201
    assert len(await line.facts("approval_requested")) == 1


async def test_a_run_whose_message_is_still_on_its_way_is_opened_by_who_looks(line):
    await line.indexed(quality_status="RED")
    assert (await line.get(PATH)).json()["approval_status"] == "PENDING"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"reason": "too short"}, "invalid-reason"),
        ({"reason": "x" * 2001}, "invalid-reason"),
        ({"reason": " \x00" * 50}, "invalid-reason"),
        ({"decision": "MAYBE"}, "invalid-body"),
        ({"decided_by": "bob"}, "invalid-body"),
        ({"principal": "local:bob"}, "invalid-body"),
        ({"channel": "email_link"}, "invalid-body"),
        ({"artifacts_manifest_sha256": "x"}, "invalid-body"),
        ({"reason": 7}, "invalid-body"),
    ],
)
async def test_a_body_that_is_not_as_described_is_422(line, body, kind):
    await line.run()
    answer = await line.decide("ann", **body)
    assert (answer.status_code, slug(answer)) == (422, kind)
    assert await line.outcomes() == []


async def test_a_change_since_the_reading_is_412(line):
    await line.run()
    tag = (await line.get(PATH)).headers["etag"]
    same = await line.get(PATH, **{"If-None-Match": tag})
    assert (same.status_code, same.content) == (304, b"")
    late = await line.decide("ann", headers={"If-Match": '"older"'})
    assert (late.status_code, slug(late)) == (412, "precondition-failed")
    assert (await line.decide("ann", headers={"If-Match": tag})).status_code == 201
    assert (await line.get(PATH, **{"If-None-Match": tag})).status_code == 200


async def test_many_are_decided_one_by_one_in_order(line):
    for run in ("run-1", "run-2"):
        await line.run(job_run_id=run)
    items = [{"job_name": "transform_images", "job_run_id": run} for run in ("run-2", "none", "run-1")]
    body = {"decision": "REJECTED", "reason": "the vendor re-keyed the whole day", "items": items}
    async with line.client("ann") as client:
        answer = await client.post("/api/v1/approvals/bulk", json=body)
        too_many = await client.post("/api/v1/approvals/bulk", json=body | {"items": items * 34})
    assert answer.status_code == 207
    assert [item["status"] for item in answer.json()["items"]] == [201, 404, 201]
    assert slug(too_many) == "invalid-body"
    assert len(line.published) == 2


async def test_lists_are_paged_by_a_cursor_bound_to_its_filter(line):
    for number in range(5):
        line.clock.advance(60)
        await line.run(job_run_id=f"run-{number}")
    path, seen = "/api/v1/approvals?limit=2", []
    answer = await line.get(path)
    while True:
        page = answer.json()
        seen += [item["job_run_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        following = answer.links["next"]["url"]
        answer = await line.get(following)
    assert sorted(seen) == [f"run-{number}" for number in range(5)]
    cursor = (await line.get(path)).json()["next_cursor"]
    for bad in (f"status=approved&cursor={cursor}", f"cursor={cursor}x"):
        assert slug(await line.get(f"/api/v1/approvals?{bad}")) == "invalid-body"
    line.clock.advance(25 * 3600)
    assert slug(await line.get(f"{path}&cursor={cursor}")) == "invalid-body"


async def test_runs_are_listed_and_traced(line):
    await line.run()
    await line.run(job_run_id="run-2", quality_status="GREEN")
    found = (await line.get("/api/v1/runs?status=SUCCESS")).json()["items"]
    assert [run["job_run_id"] for run in found] == ["run-2"]
    tree = (await line.get(f"{RUN}/trace")).json()
    assert (tree["kind"], "approval" in {child["kind"] for child in tree["children"]}) == ("run", True)
    assert slug(await line.get("/api/v1/runs/transform_images/none/trace")) == "not-found"


async def test_a_store_that_is_away_is_503_with_a_time_to_come_back(line, monkeypatch):
    await line.run()

    async def away(*_):
        raise StoreUnavailable("http://127.0.0.1:9201 does not answer")

    monkeypatch.setattr(line.store.decisions, "get", away)
    answer = await line.decide("ann")
    assert (answer.status_code, slug(answer), answer.headers["retry-after"]) == (
        503,
        "store-unavailable",
        "2",
    )


async def test_a_topic_that_is_away_delays_the_message_and_not_the_decision(line):
    await line.run()
    line.aws.topics.failures = [AwsUnavailable("no answer")]
    assert (await line.decide("ann")).status_code == 201
    assert line.published == []
    await line.ledger.finish_open()
    assert line.published == []  # its own process may still be at it
    line.clock.advance(4)
    await line.ledger.finish_open()
    await line.ledger.finish_open()
    assert [message["decided_by"] for message in line.published] == ["ann"]


async def test_a_mistake_of_ours_is_500_without_its_text(line, monkeypatch):
    async def broken(*_):
        raise RuntimeError("secret")

    monkeypatch.setattr(line.store.read_models, "get", broken)
    answer = await line.get(RUN)
    assert (answer.status_code, slug(answer)) == (500, "internal")
    assert "secret" not in answer.text


async def test_the_description_is_openapi_3_1_and_every_route_needs_a_person(line):
    description = (await line.get("/openapi.json")).json()
    assert description["openapi"].startswith("3.1")
    assert len(description["paths"]) >= 8
    decide = description["paths"]["/api/v1/approvals/{job_name}/{job_run_id}/decisions"]["post"]
    assert decide["responses"]["409"]["description"] == "`already-decided`, `not-pending`, `stale-view`"
    assert {"401", "403", "404", "409", "412", "422", "503"} <= set(decide["responses"])
    schemes = description["components"]["securitySchemes"]
    assert {name: (scheme["in"], scheme["name"]) for name, scheme in schemes.items()} == {
        "local user": ("header", "X-Local-User"),
        "console": ("cookie", "dwh_local_user"),
    }
    for calls in description["paths"].values():
        assert [call["security"] for call in calls.values()] == [[{name: []} for name in schemes]] * len(
            calls
        )
    async with line.client() as client:
        for path, calls in description["paths"].items():
            for method in calls:
                answer = await client.request(method, path.replace("{", "").replace("}", ""), json={})
                assert answer.status_code == 401, path
