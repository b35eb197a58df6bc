# Every message of a topic, as it was published, in a bucket that nobody can change: SNS, Firehose, S3.

data "aws_caller_identity" "current" {}

locals {
  name    = "dwh-${var.environment}-journal"
  account = data.aws_caller_identity.current.account_id
}

resource "aws_s3_bucket" "this" {
  bucket              = local.name
  object_lock_enabled = true
  force_destroy       = false
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_object_lock_configuration" "this" {
  bucket     = aws_s3_bucket.this.id
  depends_on = [aws_s3_bucket_versioning.this]

  rule {
    default_retention {
      mode = var.lock_mode
      days = var.lock_days
    }
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.key_arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

data "aws_iam_policy_document" "bucket" {
  statement {
    sid       = "RefusePlainText"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]

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
}

resource "aws_s3_bucket_policy" "this" {
  bucket     = aws_s3_bucket.this.id
  policy     = data.aws_iam_policy_document.bucket.json
  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/dwh/${var.environment}/journal"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.logs_key_arn
}

data "aws_iam_policy_document" "trust" {
  for_each = { delivery = "firehose.amazonaws.com", subscription = "sns.amazonaws.com" }

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [each.value]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

data "aws_iam_policy_document" "delivery" {
  statement {
    sid       = "WriteTheJournal"
    actions   = ["s3:AbortMultipartUpload", "s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:PutObject"]
    resources = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]
  }

  statement {
    sid       = "EncryptTheJournal"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.key_arn]
  }

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }
}

data "aws_iam_policy_document" "subscription" {
  statement {
    sid       = "PutRecords"
    actions   = ["firehose:DescribeDeliveryStream", "firehose:ListDeliveryStreams", "firehose:PutRecord", "firehose:PutRecordBatch"]
    resources = [aws_kinesis_firehose_delivery_stream.this.arn]
  }
}

resource "aws_iam_role" "this" {
  for_each = toset(["delivery", "subscription"])

  name               = "${local.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.trust[each.key].json
}

resource "aws_iam_role_policy" "delivery" {
  name   = "deliver"
  role   = aws_iam_role.this["delivery"].id
  policy = data.aws_iam_policy_document.delivery.json
}

resource "aws_iam_role_policy" "subscription" {
  name   = "put-records"
  role   = aws_iam_role.this["subscription"].id
  policy = data.aws_iam_policy_document.subscription.json
}

resource "aws_kinesis_firehose_delivery_stream" "this" {
  name        = local.name
  destination = "extended_s3"

  server_side_encryption {
    enabled  = true
    key_type = "AWS_OWNED_CMK"
  }

  extended_s3_configuration {
    role_arn            = aws_iam_role.this["delivery"].arn
    bucket_arn          = aws_s3_bucket.this.arn
    kms_key_arn         = var.key_arn
    prefix              = "events/!{timestamp:yyyy/MM/dd/HH}/"
    error_output_prefix = "failed/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/"
    compression_format  = "GZIP"
    file_extension      = ".jsonl.gz"
    buffering_interval  = 300
    buffering_size      = 64

    # SNS sends messages without an end of line.
    processing_configuration {
      enabled = true

      processors {
        type = "AppendDelimiterToRecord"
      }
    }

    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = aws_cloudwatch_log_group.this.name
      log_stream_name = "delivery"
    }
  }
}

# Not raw: the envelope keeps the attributes and the time at which SNS took the message.
resource "aws_sns_topic_subscription" "this" {
  for_each = var.topic_arns

  topic_arn             = each.value
  protocol              = "firehose"
  endpoint              = aws_kinesis_firehose_delivery_stream.this.arn
  subscription_role_arn = aws_iam_role.this["subscription"].arn
  raw_message_delivery  = false
}
