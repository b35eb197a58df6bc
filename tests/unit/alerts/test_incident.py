"""What is kept of an incident."""

import hashlib

from dwh_alerts.incident import Delivery, Head, Transition, dedup_key, notification_key
from dwh_alerts.routes import Routes, Severity


def test_a_short_dedup_key_is_key_and_episode() -> None:
    assert dedup_key("dev/transform_images/quality", 3) == "dev/transform_images/quality/3"


def test_a_dedup_key_never_exceeds_255_bytes_and_stays_unique() -> None:
    long = "dev/" + "j" * 200 + "/quality/" + "r" * 100
    key = dedup_key(long, 1)
    assert len(key.encode()) == 255
    assert key == f"{long[:222]}-{hashlib.sha256(f'{long}/1'.encode()).hexdigest()[:32]}"
    assert key != dedup_key(long, 2)


def test_a_delivery_has_one_effect_key() -> None:
    delivery = Delivery(rev=4, sink="sns-critical", transition=Transition.OPENED)
    assert notification_key("fc11", delivery) == "notify|fc11|4|sns-critical"


def test_a_head_survives_the_way_through_its_document() -> None:
    head = Head(incident_key="dev/transform_images/quality", ring=("a", "b"), told=("sns-warning",))
    assert Head.model_validate(head.model_dump(mode="json")) == head


def test_warnings_and_criticals_have_a_topic_each_and_info_has_none() -> None:
    routes = Routes()
    assert [routes.sinks(severity) for severity in Severity] == [(), ("sns-warning",), ("sns-critical",)]


def test_links_are_made_of_percent_encoded_values() -> None:
    routes = Routes(
        console_url="https://console.example.com/",
        runbook="https://runbooks.example.com/dwh/{rule}?job={job_name}",
    )
    links = routes.links(environment="dev", job_name="a b", job_run_id="<x>&{rule}", rule="job_failed")
    assert links == {
        "run": "https://console.example.com/runs/a%20b/%3Cx%3E%26%7Brule%7D",
        "runbook": "https://runbooks.example.com/dwh/job_failed?job=a%20b",
    }


def test_without_console_and_template_there_are_no_links() -> None:
    links = Routes().links(environment="dev", job_name="j", job_run_id="r", rule="job_failed")
    assert links == {"run": None, "runbook": None}
