# The Spark jobs on Glue, their configuration, and one role that reads code, writes data and publishes events.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  name    = "dwh-${var.environment}"
  account = data.aws_caller_identity.current.account_id
  logs = join(":", [
    "arn", data.aws_partition.current.partition, "logs", data.aws_region.current.region, local.account,
    "log-group:/aws-glue/jobs*",
  ])
  config_uri = "s3://${var.code_bucket.id}/jobs/config"
  publisher  = { kind = "SNS", topic_arn = var.job_events_topic_arn }
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["glue.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

data "aws_iam_policy_document" "permissions" {
  statement {
    sid       = "ReadCode"
    actions   = ["s3:GetObject"]
    resources = ["${var.code_bucket.arn}/jobs/*"]
  }

  statement {
    sid       = "ListBuckets"
    actions   = ["s3:ListBucket", "s3:GetBucketLocation"]
    resources = [var.code_bucket.arn, var.data_bucket.arn]
  }

  statement {
    sid = "ReadAndWriteData"
    actions = [
      "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload",
    ]
    resources = ["${var.data_bucket.arn}/*"]
  }

  statement {
    sid       = "PublishJobEvents"
    actions   = ["sns:Publish"]
    resources = [var.job_events_topic_arn]
  }

  statement {
    sid       = "UseKeys"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.data_key_arn, var.message_key_arn]
  }

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:AssociateKmsKey"]
    resources = [local.logs, "${local.logs}:*"]
  }

  statement {
    sid       = "WriteMetrics"
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"] # this call takes no resource

    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = ["Glue"]
    }
  }
}

resource "aws_iam_role" "this" {
  name               = "${local.name}-glue"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "this" {
  name   = "permissions"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.permissions.json
}

resource "aws_glue_security_configuration" "this" {
  name = local.name

  encryption_configuration {
    cloudwatch_encryption {
      cloudwatch_encryption_mode = "SSE-KMS"
      kms_key_arn                = var.logs_key_arn
    }

    job_bookmarks_encryption {
      job_bookmarks_encryption_mode = "DISABLED" # the jobs keep none
    }

    s3_encryption {
      s3_encryption_mode = "SSE-KMS"
      kms_key_arn        = var.data_key_arn
    }
  }
}

# `$${DWH_DATA_URI}` stands for the folder of all data; Glue gives jobs no environment of their own.
resource "aws_s3_object" "config" {
  for_each = var.jobs

  bucket       = var.code_bucket.id
  key          = "jobs/config/${each.key}.json"
  content_type = "application/json"

  content = jsonencode(merge(
    jsondecode(replace(each.value.config, "$${DWH_DATA_URI}", "s3://${var.data_bucket.id}")),
    { publisher = local.publisher },
  ))
}

resource "aws_glue_job" "this" {
  for_each = var.jobs

  name                   = "${local.name}-${each.key}"
  description            = "Spark job ${each.key}"
  role_arn               = aws_iam_role.this.arn
  glue_version           = var.glue_version
  worker_type            = each.value.worker_type
  number_of_workers      = each.value.workers
  timeout                = each.value.timeout_minutes
  max_retries            = 0 # a retry is the DAG's: the same run, attempt N + 1
  security_configuration = aws_glue_security_configuration.this.name

  command {
    name            = "glueetl"
    python_version  = "3"
    script_location = "s3://${var.code_bucket.id}/jobs/generic_entry.py"
  }

  execution_property {
    max_concurrent_runs = each.value.concurrent_runs
  }

  default_arguments = {
    "--job_name"                         = each.key
    "--environment"                      = var.environment
    "--created_by"                       = "glue"
    "--config"                           = "${local.config_uri}/${each.key}.json"
    "--extra-py-files"                   = "s3://${var.code_bucket.id}/${var.package_key}"
    "--additional-python-modules"        = var.python_modules
    "--job-language"                     = "python"
    "--enable-metrics"                   = "true"
    "--enable-continuous-cloudwatch-log" = "true"
    "--job-bookmark-option"              = "job-bookmark-disable"
  }

  depends_on = [aws_iam_role_policy.this]
}
