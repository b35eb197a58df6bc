mock_provider "aws" {
  source = "../../testing"
}

variables {
  environment  = "dev"
  topic_arns   = { "job-events" = "arn:aws:sns:eu-central-1:123456789012:dwh-dev-job-events" }
  key_arn      = "arn:aws:kms:eu-central-1:123456789012:key/journal"
  logs_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/logs"
}

run "what_is_journalled_cannot_be_changed" {
  command = plan

  assert {
    condition = (
      aws_s3_bucket.this.object_lock_enabled
      && aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
      && aws_s3_bucket_object_lock_configuration.this.rule[0].default_retention[0].days == 400
    )
    error_message = "Object Lock with a default retention, on versions."
  }

  assert {
    condition     = !contains(flatten([for statement in data.aws_iam_policy_document.delivery.statement : statement.actions]), "s3:DeleteObject")
    error_message = "Firehose must not be able to delete."
  }
}

run "messages_keep_their_envelope_and_stand_on_lines_of_their_own" {
  command = plan

  assert {
    condition = alltrue([
      for subscription in aws_sns_topic_subscription.this :
      subscription.protocol == "firehose" && !subscription.raw_message_delivery && subscription.filter_policy == null
    ])
    error_message = "All messages of the topic, with attributes and time."
  }

  assert {
    condition = anytrue([
      for processor in aws_kinesis_firehose_delivery_stream.this.extended_s3_configuration[0].processing_configuration[0].processors :
      processor.type == "AppendDelimiterToRecord"
    ])
    error_message = "Without delimiter, messages of a file run into each other."
  }
}

run "a_lock_that_does_not_exist_is_refused" {
  command = plan

  variables {
    lock_mode = "NONE"
    lock_days = 0
  }

  expect_failures = [var.lock_mode, var.lock_days]
}
