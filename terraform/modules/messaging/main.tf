# Topics, queues with dead letters, and raw subscriptions filtered by message attributes.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  name    = "dwh-${var.environment}"
  account = data.aws_caller_identity.current.account_id
  day     = 86400

  # "<queue>/<topic>" => both names and the filter; an empty filter means everything.
  subscriptions = merge([
    for queue, topics in var.subscriptions : {
      for topic, filter in topics : "${queue}/${topic}" => { queue = queue, topic = topic, filter = filter }
    }
  ]...)
  senders = {
    for queue in keys(var.queues) : queue => sort([
      for subscription in local.subscriptions : subscription.topic if subscription.queue == queue
    ])
  }
}

resource "aws_sns_topic" "this" {
  for_each = var.topics

  name              = "${local.name}-${each.key}"
  kms_master_key_id = var.key_arn

  sqs_failure_feedback_role_arn    = aws_iam_role.feedback[0].arn
  sqs_success_feedback_sample_rate = 0
}

data "aws_iam_policy_document" "topic" {
  for_each = var.topics

  statement {
    sid       = "RefusePlainText"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.this[each.key].arn]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  # Without a statement that allows it, a topic policy shuts out the account that owns the topic.
  statement {
    sid       = "PublishWhereAnIamPolicyAllowsIt"
    actions   = ["sns:Publish", "sns:Subscribe", "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic"]
    resources = [aws_sns_topic.this[each.key].arn]

    principals {
      type        = "AWS"
      identifiers = [local.account]
    }
  }

  dynamic "statement" {
    for_each = contains(var.alarm_topics, each.key) ? [1] : []

    content {
      sid       = "PublishAlarms"
      actions   = ["sns:Publish"]
      resources = [aws_sns_topic.this[each.key].arn]

      principals {
        type        = "Service"
        identifiers = ["cloudwatch.amazonaws.com"]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.account]
      }
    }
  }
}

resource "aws_sns_topic_policy" "this" {
  for_each = var.topics

  arn    = aws_sns_topic.this[each.key].arn
  policy = data.aws_iam_policy_document.topic[each.key].json
}

# Deliveries that fail are logged, which is what the alarm on them sends people to.
data "aws_iam_policy_document" "feedback_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["sns.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

data "aws_iam_policy_document" "feedback" {
  statement {
    sid       = "WriteDeliveryLogs"
    actions   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["arn:${data.aws_partition.current.partition}:logs:*:${local.account}:log-group:sns/*"]
  }
}

resource "aws_iam_role" "feedback" {
  count = length(var.topics) > 0 ? 1 : 0

  name               = "${local.name}-sns-feedback"
  assume_role_policy = data.aws_iam_policy_document.feedback_trust.json
}

resource "aws_iam_role_policy" "feedback" {
  count = length(var.topics) > 0 ? 1 : 0

  name   = "write-logs"
  role   = aws_iam_role.feedback[0].id
  policy = data.aws_iam_policy_document.feedback.json
}

resource "aws_sqs_queue" "main" {
  for_each = var.queues

  name                       = "${local.name}-${each.key}"
  visibility_timeout_seconds = each.value.visibility_seconds
  message_retention_seconds  = each.value.retention_days * local.day
  receive_wait_time_seconds  = 20
  max_message_size           = var.max_message_bytes
  kms_master_key_id          = var.key_arn

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead[each.key].arn
    maxReceiveCount     = each.value.max_receive_count
  })
}

resource "aws_sqs_queue" "dead" {
  for_each = var.queues

  name                      = "${local.name}-${each.key}-dlq"
  message_retention_seconds = var.dead_letter_retention_days * local.day
  max_message_size          = var.max_message_bytes
  kms_master_key_id         = var.key_arn
}

# Messages that SNS could not deliver are another matter than messages that a service could not handle.
resource "aws_sqs_queue" "undelivered" {
  count = length(local.subscriptions) > 0 ? 1 : 0

  name                      = "${local.name}-undelivered"
  message_retention_seconds = var.dead_letter_retention_days * local.day
  max_message_size          = var.max_message_bytes
  kms_master_key_id         = var.key_arn
}

resource "aws_sqs_queue_redrive_allow_policy" "dead" {
  for_each = var.queues

  queue_url = aws_sqs_queue.dead[each.key].url

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.main[each.key].arn]
  })
}

locals {
  # Topics that may send into a queue by its own policy; roles of this account send by theirs.
  guarded = merge(
    local.senders,
    { for name in keys(var.queues) : "${name}-dlq" => [] },
    length(local.subscriptions) > 0 ? { undelivered = distinct(flatten(values(local.senders))) } : {},
  )
  guarded_queues = merge(
    aws_sqs_queue.main,
    { for name, queue in aws_sqs_queue.dead : "${name}-dlq" => queue },
    { for queue in aws_sqs_queue.undelivered : "undelivered" => queue },
  )
}

data "aws_iam_policy_document" "queue" {
  for_each = local.guarded

  statement {
    sid       = "RefusePlainText"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [local.guarded_queues[each.key].arn]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  dynamic "statement" {
    for_each = length(each.value) > 0 ? [each.value] : []

    content {
      sid       = "ReceiveFromTopics"
      actions   = ["sqs:SendMessage"]
      resources = [local.guarded_queues[each.key].arn]

      principals {
        type        = "Service"
        identifiers = ["sns.amazonaws.com"]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = [for topic in statement.value : aws_sns_topic.this[topic].arn]
      }
    }
  }
}

resource "aws_sqs_queue_policy" "this" {
  for_each = local.guarded

  queue_url = local.guarded_queues[each.key].url
  policy    = data.aws_iam_policy_document.queue[each.key].json
}

resource "aws_sns_topic_subscription" "this" {
  for_each = local.subscriptions

  topic_arn            = aws_sns_topic.this[each.value.topic].arn
  protocol             = "sqs"
  endpoint             = aws_sqs_queue.main[each.value.queue].arn
  raw_message_delivery = true

  # SNS refuses an empty policy; no policy delivers everything.
  filter_policy       = each.value.filter == "{}" ? null : each.value.filter
  filter_policy_scope = each.value.filter == "{}" ? null : "MessageAttributes"

  redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.undelivered[0].arn })

  depends_on = [aws_sqs_queue_policy.this]
}
