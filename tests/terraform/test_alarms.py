"""Nothing goes wrong unheard: each queue has its alarms, each alarm an action and a page that helps."""

import re

RUNBOOK = re.compile(r"Runbook: (docs/runbooks/\w+\.md)$")


def dimension(values, name):
    return (values["dimensions"] or {}).get(name)


def test_every_queue_has_an_alarm(plan):
    _, made = plan
    watched = {}
    for values in made.of("aws_cloudwatch_metric_alarm").values():
        watched.setdefault(dimension(values, "QueueName"), set()).add(values["metric_name"])
    for name in made.names("aws_sqs_queue"):
        waiting_is_wrong = name.endswith(("-dlq", "-undelivered"))
        wanted = "ApproximateNumberOfMessagesVisible" if waiting_is_wrong else "ApproximateAgeOfOldestMessage"
        assert watched[name] == {wanted}, name


def test_one_dead_letter_is_enough(plan):
    _, made = plan
    for values in made.of("aws_cloudwatch_metric_alarm").values():
        if values["metric_name"] == "ApproximateNumberOfMessagesVisible":
            assert (values["comparison_operator"], values["threshold"]) == ("GreaterThanThreshold", 0)
            assert values["evaluation_periods"] == 1


def test_every_topic_is_watched_for_failed_deliveries(plan):
    _, made = plan
    watched = {
        dimension(values, "TopicName")
        for values in made.of("aws_cloudwatch_metric_alarm").values()
        if values["metric_name"] == "NumberOfNotificationsFailed"
    }
    assert watched == made.names("aws_sns_topic")


def test_every_alarm_names_a_runbook_that_exists(plan, root):
    _, made = plan
    for values in made.of("aws_cloudwatch_metric_alarm").values():
        named = RUNBOOK.search(values["alarm_description"])
        assert named is not None, values["alarm_name"]
        assert (root / named[1]).is_file(), named[1]


def test_every_alarm_tells_one_of_the_two_alert_topics(plan):
    environment, made = plan
    for values in made.of("aws_cloudwatch_metric_alarm").values():
        (topic,) = values["alarm_actions"]
        assert topic.rpartition(":")[2] in {
            f"dwh-{environment}-quality-alerts-warning",
            f"dwh-{environment}-quality-alerts-critical",
        }


def test_every_page_about_an_alarm_belongs_to_one(plan, root):
    _, made = plan
    named = {
        RUNBOOK.search(values["alarm_description"])[1].rpartition("/")[2]
        for values in made.of("aws_cloudwatch_metric_alarm").values()
    }
    pages = {path for path in (root / "docs" / "runbooks").glob("*.md") if "CloudWatch: " in path.read_text()}
    assert {path.name for path in pages} <= named
