mock_provider "aws" {
  source = "../../testing"
}

variables {
  environment  = "dev"
  topics       = ["job-events", "quality-alerts-critical"]
  alarm_topics = ["quality-alerts-critical"]
  key_arn      = "arn:aws:kms:eu-central-1:123456789012:key/messages"

  queues = {
    indexer = { visibility_seconds = 60, max_receive_count = 10, retention_days = 4 }
    alerts  = { visibility_seconds = 60, max_receive_count = 10, retention_days = 4 }
  }
  subscriptions = {
    indexer = { "job-events" = "{}" }
    alerts  = { "job-events" = "{\"status\":[\"FAILED\"]}" }
  }
}

run "queues_have_dead_letters_that_outlive_them" {
  command = plan

  assert {
    condition     = keys(aws_sqs_queue.main) == keys(aws_sqs_queue.dead)
    error_message = "A queue without dead letters."
  }

  assert {
    condition = alltrue([
      for name, queue in aws_sqs_queue.dead :
      queue.name == "dwh-dev-${name}-dlq" && queue.message_retention_seconds == 14 * 86400
    ])
    error_message = "Dead letters must be kept 14 days, under <queue>-dlq."
  }

  assert {
    condition     = alltrue([for queue in values(aws_sqs_queue.main) : queue.message_retention_seconds == 4 * 86400])
    error_message = "Queues keep messages 4 days."
  }
}

run "everything_is_encrypted" {
  command = plan

  assert {
    condition = alltrue([
      for thing in concat(values(aws_sqs_queue.main), values(aws_sqs_queue.dead), aws_sqs_queue.undelivered, values(aws_sns_topic.this)) :
      try(thing.kms_master_key_id, null) == var.key_arn
    ])
    error_message = "A queue or topic is not encrypted with the key of messages."
  }
}

run "an_empty_filter_is_none_and_another_works_on_attributes" {
  command = plan

  assert {
    condition     = aws_sns_topic_subscription.this["indexer/job-events"].filter_policy == null
    error_message = "SNS refuses an empty filter policy."
  }

  assert {
    condition = (
      jsondecode(aws_sns_topic_subscription.this["alerts/job-events"].filter_policy) == { status = ["FAILED"] }
      && aws_sns_topic_subscription.this["alerts/job-events"].filter_policy_scope == "MessageAttributes"
    )
    error_message = "The filter must reach SNS as given, on attributes."
  }

  assert {
    condition     = alltrue([for subscription in aws_sns_topic_subscription.this : subscription.raw_message_delivery])
    error_message = "Delivery must be raw."
  }
}

run "plain_text_is_refused_everywhere" {
  command = plan

  assert {
    condition = alltrue([
      for document in concat(values(data.aws_iam_policy_document.queue), values(data.aws_iam_policy_document.topic)) :
      document.statement[0].effect == "Deny"
      && [for limit in document.statement[0].condition : limit.variable] == ["aws:SecureTransport"]
    ])
    error_message = "A policy lets plain text pass."
  }
}

run "only_alarm_topics_take_alarms" {
  command = plan

  assert {
    condition = (
      length(data.aws_iam_policy_document.topic["job-events"].statement) == 2
      && length(data.aws_iam_policy_document.topic["quality-alerts-critical"].statement) == 3
    )
    error_message = "CloudWatch may publish to alarm topics, and to no other."
  }
}

run "a_queue_without_topics_takes_nothing_from_sns" {
  command = plan

  variables {
    topics        = []
    alarm_topics  = []
    subscriptions = {}
  }

  assert {
    condition     = alltrue([for document in data.aws_iam_policy_document.queue : length(document.statement) == 1])
    error_message = "Nobody needs to send into this queue by its own policy."
  }

  assert {
    condition     = length(aws_sqs_queue.undelivered) == 0
    error_message = "Without subscriptions nothing can stay undelivered."
  }
}

run "a_subscription_to_nowhere_is_refused" {
  command = plan

  variables {
    subscriptions = { indexer = { "job-evnts" = "{}" } }
  }

  expect_failures = [var.subscriptions]
}

run "a_broken_filter_is_refused" {
  command = plan

  variables {
    subscriptions = { indexer = { "job-events" = "{" } }
  }

  expect_failures = [var.subscriptions]
}
