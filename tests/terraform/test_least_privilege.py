"""Who may do what, as a table that is data: what is planned grants exactly that."""

import json
from pathlib import Path

import pytest

TABLE = json.loads((Path(__file__).parent / "least_privilege.json").read_text())
HERE = "eu-central-1:123456789012"  # region and account of the planning provider
# Calls that AWS takes for no single resource; each stands under a condition or has no other form.
RESOURCELESS = {
    "cloudwatch:PutMetricData",
    "ecr:GetAuthorizationToken",
    "s3:GetAccountPublicAccessBlock",
}
SERVICES = ("indexer", "alerts", "orchestrator", "approvals")


def listed(role, environment):
    return {
        (action, resource.replace("<env>", environment).replace("<here>", HERE))
        for row in TABLE[role]
        for action in row["actions"]
        for resource in row["resources"]
    }


@pytest.mark.parametrize("role", TABLE)
def test_a_role_may_do_exactly_what_the_table_says(plan, role):
    environment, made = plan
    assert made.granted()[f"dwh-{environment}-{role}"] == listed(role, environment)


def test_the_table_has_every_role_that_works_on_messages_or_data(plan):
    environment, made = plan
    plumbing = {
        f"dwh-{environment}-{name}" for name in ("vpc-flow", "journal-delivery", "journal-subscription")
    }
    assert made.names("aws_iam_role") - plumbing == {f"dwh-{environment}-{role}" for role in TABLE}


def test_no_policy_grants_every_action_or_every_resource(plan, ecs_plan):
    for made in (plan[1], ecs_plan):
        for address, statements in made.documents().items():
            for statement in statements:
                if statement["effect"] == "Deny" or ".key[" in address or "trust" in address:
                    continue
                for action in statement["actions"]:
                    service, _, call = action.partition(":")
                    assert service != "*", address
                    assert call != "*", f"{address}: {action}"
                    assert "*" not in statement["resources"] or action in RESOURCELESS, f"{address}: {action}"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_receives_from_its_own_queue_only(service):
    received = {resource for action, resource in listed(service, "x") if action == "sqs:ReceiveMessage"}
    assert {resource.rpartition(":")[2] for resource in received} == {f"dwh-x-{service}"}


def test_nobody_deletes_from_the_store_and_only_jobs_delete_data():
    for role in TABLE:
        actions = {action for action, _ in listed(role, "x")}
        assert "es:ESHttpDelete" not in actions, role
        assert ("s3:DeleteObject" in actions) == (role == "glue"), role


def test_only_the_orchestrator_sends_triggers_and_only_airflow_takes_them():
    by_call = {
        call: {
            role for role in TABLE if (call, f"arn:aws:sqs:{HERE}:dwh-x-mwaa-triggers") in listed(role, "x")
        }
        for call in ("sqs:SendMessage", "sqs:ReceiveMessage")
    }
    assert by_call == {"sqs:SendMessage": {"orchestrator"}, "sqs:ReceiveMessage": {"mwaa"}}


def test_queues_take_from_their_topics_and_over_tls_only(plan):
    environment, made = plan
    queues = {
        address: found
        for address, found in made.documents().items()
        if "messaging" in address or "trigger_queue" in address
    }
    seen = 0
    for address, statements in queues.items():
        if "aws_iam_policy_document.queue[" not in address:
            continue
        seen += 1
        refuse, *allow = statements
        (condition,) = refuse["condition"]
        assert (refuse["effect"], condition["variable"], condition["values"]) == (
            "Deny",
            "aws:SecureTransport",
            ["false"],
        )
        for statement in allow:
            (who,), (limit,) = statement["principals"], statement["condition"]
            assert who["identifiers"] == ["sns.amazonaws.com"]
            assert limit["variable"] == "aws:SourceArn"
            assert all(
                topic.startswith(f"arn:aws:sns:{HERE}:dwh-{environment}-job-") for topic in limit["values"]
            )
    assert seen == len(made.names("aws_sqs_queue"))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_measure_every_queue_whose_depth_it_shows(service):
    fed = ["mwaa-triggers"] if service == "orchestrator" else []
    shown = {f"arn:aws:sqs:{HERE}:dwh-x-{queue}{end}" for queue in (service, *fed) for end in ("", "-dlq")}
    assert shown <= {
        resource for action, resource in listed(service, "x") if action == "sqs:GetQueueAttributes"
    }


def test_the_test_of_a_release_publishes_job_events_and_changes_nothing_in_the_store():
    granted = listed("selftest", "x")
    assert {pair for pair in granted if pair[0].startswith("sns:")} == {
        ("sns:Publish", f"arn:aws:sns:{HERE}:dwh-x-job-events")
    }
    assert not {action for action, _ in granted} & {"es:ESHttpPut", "es:ESHttpPatch", "es:ESHttpDelete"}


def test_every_service_account_that_the_chart_makes_has_its_role(plan):
    environment, made = plan
    roles = {
        values["service_account"]: values["role_arn"].rpartition("/")[2]
        for values in made.of("aws_eks_pod_identity_association").values()
    }
    own = {f"dwh-{name}": f"dwh-{environment}-{name}" for name in (*SERVICES, "bootstrap", "selftest")}
    assert roles == own | {"dwh-bootstrap-hook": f"dwh-{environment}-bootstrap"}
