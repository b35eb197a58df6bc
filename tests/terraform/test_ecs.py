"""ECS runs the same consumers as the chart, the local system and the list say."""

import json
from typing import get_args

import pytest
from dwh_approvals.settings import Settings
from dwh_local.consumers import load_consumers
from dwh_runtime.settings_names import unknown_names

LISTED = load_consumers().consumers
MOST_SECONDS_FARGATE_WAITS = 120


@pytest.fixture(scope="module")
def containers(ecs_plan):
    """Container by name; each task has one."""
    tasks = ecs_plan.of("aws_ecs_task_definition").values()
    return {found["name"]: found for task in tasks for found in json.loads(task["container_definitions"])}


def environment_of(container):
    return {entry["name"]: entry["value"] for entry in container["environment"]}


def test_one_service_per_listed_consumer_and_bootstrap_beside_them(ecs_plan, containers):
    assert ecs_plan.names("aws_ecs_service") == set(LISTED)
    assert set(containers) == {*LISTED, "bootstrap"}


@pytest.mark.parametrize("name", LISTED)
def test_a_service_has_the_queue_and_the_time_outs_of_the_list(containers, name):
    spec, given = LISTED[name], environment_of(containers[name])
    assert containers[name]["command"] == [name]
    assert given["DWH_QUEUE_URL"].endswith(f"/dwh-prod-{name}")
    assert given["DWH_HANDLER_SECONDS"] == str(spec.timeouts.handler_seconds)
    assert given["DWH_DRAIN_SECONDS"] == str(spec.timeouts.drain_seconds)
    assert given["DWH_VISIBILITY_SECONDS"] == str(spec.queue.visibility_seconds)
    assert containers[name]["stopTimeout"] == spec.timeouts.grace_seconds <= MOST_SECONDS_FARGATE_WAITS


@pytest.mark.parametrize("name", [*LISTED, "bootstrap"])
def test_a_service_knows_every_setting_it_is_given(containers, name):
    given = [
        *environment_of(containers[name]),
        *(secret["name"] for secret in containers[name].get("secrets", [])),
    ]
    assert unknown_names(given) == []


@pytest.mark.parametrize("name", LISTED)
def test_a_service_traces_to_the_collector_that_is_named(containers, name):
    assert environment_of(containers[name])["DWH_OTLP_ENDPOINT"] == "https://traces.example.com"


def test_a_service_takes_its_own_role_and_is_started_by_another(ecs_plan):
    for task in ecs_plan.of("aws_ecs_task_definition").values():
        assert task["task_role_arn"].rpartition("/")[2] == task["family"]
        assert task["execution_role_arn"].endswith("/dwh-prod-ecs-execution")


def test_approvals_reads_the_token_where_its_load_balancer_puts_it(ecs_plan, containers):
    header = environment_of(containers["approvals"])["DWH_OIDC_TOKEN_HEADER"]
    assert header in get_args(Settings.model_fields["oidc_token_header"].annotation)
    [listener] = ecs_plan.of("aws_lb_listener").values()
    assert [action["type"] for action in listener["default_action"]] == ["authenticate-oidc", "forward"]
    assert header == "x-amzn-oidc-accesstoken"


def test_approvals_alone_is_reached_through_the_load_balancer(ecs_plan):
    behind = {values["name"] for values in ecs_plan.of("aws_ecs_service").values() if values["load_balancer"]}
    assert behind == {"approvals"}
