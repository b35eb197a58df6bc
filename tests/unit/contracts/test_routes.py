import json

import pytest
from dwh_contracts.routes import load_alert_routes
from dwh_contracts.workflow import ConfigRefused

HOOK = {"type": "webhook", "url": "https://hooks.example.com/x", "signing_key": "secret:k"}
WINDOW = {"id": "w", "cron": "0 2 * * SUN", "timezone": "UTC", "duration": "2h"}


def load(raw=None, secrets=None, hosts=None, **parts):
    raw = raw or json.dumps({"version": "1.0", "sinks": {"hook": HOOK}, **parts}).encode()
    return load_alert_routes(raw, secrets=secrets, hosts=hosts)


def refused(**arguments):
    with pytest.raises(ConfigRefused) as refusal:
        load(**arguments)
    return refusal.value.problems


def route(route_id="r", **over):
    return {"id": route_id, "sinks": ["hook"], **over}


@pytest.mark.parametrize(
    ("arguments", "path", "reason"),
    [
        ({"raw": b"{"}, "", "not-json"),
        ({"colour": 1}, "colour", "Extra"),
        ({"routes": [route(match={"tag": "y"}), route(match={"tag": "x"})]}, "routes", "stands twice"),
        ({"routes": [route("sns-warning")]}, "routes", "stands twice"),
        ({"maintenance": [WINDOW, WINDOW]}, "maintenance", "stands twice"),
        ({"routes": [route(sinks=["fax"])]}, "routes.0.sinks.0", "no such sink"),
        ({"routes": [route(fallback="fax")]}, "routes.0.fallback", "no such sink"),
        ({"secrets": set()}, "sinks.hook.signing_key", "no such secret"),
        ({"hosts": ["*.other.com"]}, "sinks.hook.url", "not allowed"),
        ({"sinks": {"s": {"type": "slack", "url": "http://a.example"}}}, "sinks.s.url", "https"),
        ({"sinks": {"s": {"type": "slack", "url": "https://u@a.example"}}}, "sinks.s.url", "https"),
        ({"sinks": {"s": {"type": "slack", "url": "https://a.example:8443"}}}, "sinks.s.url", "443"),
        ({"sinks": {"s": {"type": "slack", "url": "https:///x"}}}, "sinks.s.url", "https"),
        ({"sinks": {"s": {"type": "slack", "url": "https://a:x"}}}, "sinks.s.url", "no address"),
        ({"maintenance": [{**WINDOW, "timezone": "Mars/Base"}]}, "maintenance.0.timezone", "time zone"),
        (
            {"routes": [route("a", match={"tag": "x"}), route(match={"tag": "x", "rule": "y"})]},
            "routes.1",
            "a takes",
        ),
        (
            {"jobs": {"j": {"owner": "me"}}, "routes": [route(match={"job_name": "j", "owner": "you"})]},
            "routes.0.match",
            "another owner",
        ),
        ({"routes": [route(match={"job_name": "j", "tag": "x"})]}, "routes.0.match", "or tags"),
    ],
)
def test_a_mistake_is_refused_with_its_path(arguments, path, reason):
    [(found, why)] = refused(**arguments)
    assert found == path
    assert reason in why


@pytest.mark.parametrize(
    "cron",
    ["* * * *", "60 * * * *", "* * * * 8", "*/0 * * * *", "5-1 * * * *", "x * * * *", "@daily", "* * 0 * *"],
)
def test_what_no_cron_understands_is_refused(cron):
    assert refused(maintenance=[{**WINDOW, "cron": cron}])[0][0] == "maintenance.0.cron"


@pytest.mark.parametrize("cron", ["*/15 * * * *", "0,30 1-5 1 JAN-MAR mon", "5/10 * * * 7"])
def test_five_fields_with_lists_ranges_and_steps_are_cron(cron):
    assert load(maintenance=[{**WINDOW, "cron": cron}]).maintenance[0].cron == cron


def test_a_route_behind_one_that_goes_on_or_takes_others_is_kept():
    routes = [
        route("a", **{"continue": True}),
        route("b", match={"tag": "x"}),
        route("c", match={"job_name": "j", "owner": "me", "tag": "y"}),
    ]
    jobs = {"j": {"owner": "me", "tags": ["y"]}}
    assert len(load(routes=routes, jobs=jobs, secrets={"k"}, hosts=["hooks.example.com"]).routes) == 3
