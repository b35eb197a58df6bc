"""What is planned bears the names of the public interfaces, and comes from the one list."""

import json

from dwh_local.consumers import load_consumers

DAY = 86_400
QUEUES = ("indexer", "alerts", "orchestrator", "approvals", "mwaa-triggers")


def test_topics_are_named_as_everybody_knows_them(plan):
    environment, made = plan
    assert made.names("aws_sns_topic") == {
        f"dwh-{environment}-{topic}"
        for topic in ("job-events", "job-approvals", "quality-alerts-warning", "quality-alerts-critical")
    }


def test_queues_and_their_dead_letters_are_named_as_everybody_knows_them(plan):
    environment, made = plan
    known = {f"dwh-{environment}-{queue}{suffix}" for queue in QUEUES for suffix in ("", "-dlq")}
    assert made.names("aws_sqs_queue") == known | {f"dwh-{environment}-undelivered"}


def test_buckets_are_named_as_everybody_knows_them(plan):
    environment, made = plan
    expected = {f"dwh-{environment}-{bucket}" for bucket in ("code", "data", "journal")}
    assert made.names("aws_s3_bucket", "bucket") == expected


def test_glue_jobs_are_named_as_the_dag_starts_them(plan):
    environment, made = plan
    jobs = {f"dwh-{environment}-{job}" for job in ("transform_images", "filter_images")}
    assert made.names("aws_glue_job") == jobs


def test_every_queue_redrives_to_its_own_dead_letters_which_are_kept_14_days(plan):
    environment, made = plan
    queues = {values["name"]: values for values in made.of("aws_sqs_queue").values()}
    for short in QUEUES:
        redrive = json.loads(queues[f"dwh-{environment}-{short}"]["redrive_policy"])
        assert redrive["deadLetterTargetArn"].endswith(f":dwh-{environment}-{short}-dlq")
        assert redrive["maxReceiveCount"] == (5 if short == "mwaa-triggers" else 10)
        assert queues[f"dwh-{environment}-{short}-dlq"]["message_retention_seconds"] == 14 * DAY


def test_dead_letters_are_taken_from_their_own_queue_only(plan):
    environment, made = plan
    allowed = {
        values["queue_url"].rpartition("/")[2]: json.loads(values["redrive_allow_policy"])
        for values in made.of("aws_sqs_queue_redrive_allow_policy").values()
    }
    assert set(allowed) == {f"dwh-{environment}-{queue}-dlq" for queue in QUEUES}
    for name, policy in allowed.items():
        (source,) = policy["sourceQueueArns"]
        assert policy["redrivePermission"] == "byQueue"
        assert source.endswith(f":{name.removesuffix('-dlq')}")


def test_time_outs_and_receives_are_those_of_the_list(plan):
    environment, made = plan
    queues = {values["name"]: values for values in made.of("aws_sqs_queue").values()}
    for short, spec in load_consumers().all_queues().items():
        found = queues[f"dwh-{environment}-{short}"]
        assert found["visibility_timeout_seconds"] == spec.visibility_seconds
        assert found["message_retention_seconds"] == spec.retention_days * DAY
        assert json.loads(found["redrive_policy"])["maxReceiveCount"] == spec.max_receive_count


def test_the_root_tells_what_the_original_system_told(plan):
    environment, made = plan
    outputs = made.outputs()
    assert outputs["opensearch_endpoint"].startswith(f"vpc-dwh-{environment}.")
    assert outputs["code_bucket_id"] == f"dwh-{environment}-code"
    assert outputs["mwaa_triggers_queue_url"].endswith(f"/dwh-{environment}-mwaa-triggers")
    assert outputs["mwaa_triggers_queue_arn"].endswith(f":dwh-{environment}-mwaa-triggers")
