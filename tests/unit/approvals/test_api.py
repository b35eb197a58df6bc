"""What a program at the HTTP API meets."""


async def test_a_red_run_waits_is_listed_approved_and_published(line):
    run = await line.run()
    listed = (await line.get("/api/v1/approvals?status=pending")).json()
    assert [item["job_run_id"] for item in listed["items"]] == ["run-1"]

    answer = await line.decide("ann", channel="cli")
    assert answer.status_code == 201, answer.text
    assert answer.json()["decided_by"] == "ann"

    [message] = line.published
    assert message == answer.json()
    shown = (await line.get("/api/v1/approvals/transform_images/run-1")).json()
    assert (shown["approval_status"], shown["approved_by"]) == ("APPROVED", "ann")
    assert shown["id"] == run.event_id
    assert [fact.event_type for fact in await line.facts()] == [
        "approval_requested",
        "approval_accepted",
        "approval_decision",
    ]
