mock_provider "aws" {
  source = "../../testing"
}

variables {
  environment            = "dev"
  queues                 = { indexer = { name = "dwh-dev-indexer", dlq_name = "dwh-dev-indexer-dlq" } }
  undelivered_queue_name = "dwh-dev-undelivered"
  topics                 = ["job-events"]
  store                  = { domain_name = "dwh-dev", volume_gb = 100 }
  mwaa_name              = "dwh-dev"
  journal_stream_name    = "dwh-dev-journal"

  action_topic_arns = {
    warning  = "arn:aws:sns:eu-central-1:123456789012:dwh-dev-quality-alerts-warning"
    critical = "arn:aws:sns:eu-central-1:123456789012:dwh-dev-quality-alerts-critical"
  }
}

run "each_queue_has_its_two_alarms" {
  command = plan

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["indexer-dead-letters"].dimensions == tomap({ QueueName = "dwh-dev-indexer-dlq" })
      && aws_cloudwatch_metric_alarm.this["indexer-dead-letters"].threshold == 0
      && aws_cloudwatch_metric_alarm.this["indexer-dead-letters"].comparison_operator == "GreaterThanThreshold"
    )
    error_message = "One dead letter is an alarm."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["indexer-oldest-message"].dimensions == tomap({ QueueName = "dwh-dev-indexer" })
      && aws_cloudwatch_metric_alarm.this["indexer-oldest-message"].metric_name == "ApproximateAgeOfOldestMessage"
    )
    error_message = "Alarm on age, not on depth."
  }
}

run "the_store_says_when_it_is_unwell" {
  command = plan

  assert {
    condition = length(setsubtract(
      ["opensearch-red", "opensearch-yellow", "opensearch-storage", "opensearch-writes-blocked", "opensearch-write-rejections"],
      keys(aws_cloudwatch_metric_alarm.this),
    )) == 0
    error_message = "Status, storage, writes."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["opensearch-storage"].threshold == 25600
    error_message = "A quarter of 100 GB, in MB."
  }
}

run "silence_is_an_alarm_where_life_is_expected" {
  command = plan

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["mwaa-scheduler"].treat_missing_data == "breaching"
      && aws_cloudwatch_metric_alarm.this["opensearch-red"].treat_missing_data == "breaching"
    )
    error_message = "Nothing heard from the scheduler or the store means that it is dead."
  }
}

run "every_alarm_tells_somebody_and_names_a_runbook" {
  command = plan

  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.this :
      length(alarm.alarm_actions) == 1 && can(regex("Runbook: docs/runbooks/[A-Za-z]+\\.md$", alarm.alarm_description))
    ])
    error_message = "An alarm that nobody hears, or nobody knows what to do about."
  }
}

run "parts_that_are_not_there_are_not_watched" {
  command = plan

  variables {
    mwaa_name              = null
    journal_stream_name    = null
    undelivered_queue_name = null
  }

  assert {
    condition     = length(setintersection(keys(aws_cloudwatch_metric_alarm.this), ["mwaa-scheduler", "journal-freshness", "undelivered"])) == 0
    error_message = "An alarm on nothing is red for ever."
  }
}

run "a_bound_below_one_visibility_time_out_is_refused" {
  command = plan

  variables {
    oldest_message_seconds = 5
  }

  expect_failures = [var.oldest_message_seconds]
}
