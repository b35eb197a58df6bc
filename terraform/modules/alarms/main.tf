# What must wake or tell somebody even when every service of ours is down. Each alarm names its runbook.

data "aws_caller_identity" "current" {}

locals {
  name    = "dwh-${var.environment}"
  domain  = { DomainName = var.store.domain_name, ClientId = data.aws_caller_identity.current.account_id }
  minute  = 60
  quarter = 900

  # One entry per alarm; everything that is the same for all stands in the resource below.
  queue_alarms = merge([
    for short, queue in var.queues : {
      "${short}-dead-letters" = {
        severity   = "critical", runbook = "DwhDeadLetters", treat_missing = "notBreaching"
        says       = "There are dead letters of ${short}: messages that no attempt could handle."
        namespace  = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", statistic = "Maximum"
        dimensions = { QueueName = queue.dlq_name }
        comparison = "GreaterThanThreshold", threshold = 0, period = 300, periods = 1
      }
      "${short}-oldest-message" = {
        severity   = "warning", runbook = "QueueOldestMessage", treat_missing = "notBreaching"
        says       = "The oldest message of ${short} has waited longer than ${var.oldest_message_seconds} s."
        namespace  = "AWS/SQS", metric = "ApproximateAgeOfOldestMessage", statistic = "Maximum"
        dimensions = { QueueName = queue.name }
        comparison = "GreaterThanThreshold", threshold = var.oldest_message_seconds, period = 60, periods = 5
      }
    }
  ]...)

  undelivered_alarms = var.undelivered_queue_name == null ? {} : {
    "undelivered" = {
      severity   = "critical", runbook = "SnsDeliveryFailures", treat_missing = "notBreaching"
      says       = "SNS could not deliver messages to a queue and put them aside."
      namespace  = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", statistic = "Maximum"
      dimensions = { QueueName = var.undelivered_queue_name }
      comparison = "GreaterThanThreshold", threshold = 0, period = 300, periods = 1
    }
  }

  topic_alarms = {
    for topic in var.topics : "${topic}-failed-deliveries" => {
      severity   = "critical", runbook = "SnsDeliveryFailures", treat_missing = "notBreaching"
      says       = "Deliveries of the topic ${topic} fail."
      namespace  = "AWS/SNS", metric = "NumberOfNotificationsFailed", statistic = "Sum"
      dimensions = { TopicName = "${local.name}-${topic}" }
      comparison = "GreaterThanThreshold", threshold = 0, period = 300, periods = 1
    }
  }

  store_alarms = {
    "opensearch-red" = {
      severity   = "critical", runbook = "OpenSearchStatus", treat_missing = "breaching"
      says       = "The store is red: a primary shard is missing, services wait."
      namespace  = "AWS/ES", metric = "ClusterStatus.red", statistic = "Maximum", dimensions = local.domain
      comparison = "GreaterThanOrEqualToThreshold", threshold = 1, period = local.minute, periods = 2
    }
    "opensearch-yellow" = {
      severity   = "warning", runbook = "OpenSearchStatus", treat_missing = "notBreaching"
      says       = "The store has been yellow for 30 minutes: a replica is missing."
      namespace  = "AWS/ES", metric = "ClusterStatus.yellow", statistic = "Maximum", dimensions = local.domain
      comparison = "GreaterThanOrEqualToThreshold", threshold = 1, period = local.quarter, periods = 2
    }
    "opensearch-storage" = {
      severity  = "warning", runbook = "OpenSearchStorage", treat_missing = "notBreaching"
      says      = "A node of the store has less than a quarter of its storage free."
      namespace = "AWS/ES", metric = "FreeStorageSpace", statistic = "Minimum", dimensions = local.domain
      # The metric counts in MB.
      comparison = "LessThanThreshold", threshold = var.store.volume_gb * 1024 / 4, period = 300, periods = 2
    }
    "opensearch-writes-blocked" = {
      severity   = "critical", runbook = "OpenSearchStorage", treat_missing = "notBreaching"
      says       = "The store refuses writes."
      namespace  = "AWS/ES", metric = "ClusterIndexWritesBlocked", statistic = "Maximum", dimensions = local.domain
      comparison = "GreaterThanOrEqualToThreshold", threshold = 1, period = local.minute, periods = 5
    }
    "opensearch-write-rejections" = {
      severity   = "warning", runbook = "OpenSearchWriteRejections", treat_missing = "notBreaching"
      says       = "The store rejects writes because its queue is full."
      namespace  = "AWS/ES", metric = "ThreadpoolWriteRejected", statistic = "Sum", dimensions = local.domain
      comparison = "GreaterThanThreshold", threshold = 100, period = 300, periods = 2
    }
  }

  airflow_alarms = var.mwaa_name == null ? {} : {
    "mwaa-scheduler" = {
      severity   = "critical", runbook = "MwaaSchedulerHeartbeat", treat_missing = "breaching"
      says       = "Airflow's scheduler gave no sign of life for 10 minutes: no trigger starts a DAG."
      namespace  = "AmazonMWAA", metric = "SchedulerHeartbeat", statistic = "Sum"
      dimensions = { Function = "Scheduler", Environment = var.mwaa_name }
      comparison = "LessThanThreshold", threshold = 1, period = 300, periods = 2
    }
  }

  journal_alarms = var.journal_stream_name == null ? {} : {
    "journal-freshness" = {
      severity   = "warning", runbook = "JournalFreshness", treat_missing = "notBreaching"
      says       = "Events have waited longer than 30 minutes on their way into the journal."
      namespace  = "AWS/Firehose", metric = "DeliveryToS3.DataFreshness", statistic = "Maximum"
      dimensions = { DeliveryStreamName = var.journal_stream_name }
      comparison = "GreaterThanThreshold", threshold = 1800, period = 300, periods = 2
    }
  }

  alarms = merge(
    local.queue_alarms, local.undelivered_alarms, local.topic_alarms, local.store_alarms, local.airflow_alarms,
    local.journal_alarms,
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = "${each.value.says} Runbook: docs/runbooks/${each.value.runbook}.md"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = each.value.period
  evaluation_periods  = each.value.periods
  treat_missing_data  = each.value.treat_missing
  alarm_actions       = [var.action_topic_arns[each.value.severity]]
  ok_actions          = [var.action_topic_arns[each.value.severity]]
}
