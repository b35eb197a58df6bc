# Airflow: reads triggers, starts Glue jobs, says what it did. Nothing else.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  name    = "dwh-${var.environment}"
  account = data.aws_caller_identity.current.account_id
  prefix  = "arn:${data.aws_partition.current.partition}"
  region  = data.aws_region.current.region
  here    = "${local.region}:${local.account}"

  # Airflow Variables, put into the environment of every Airflow process by the start-up script.
  variables = {
    mwaa_trigger_queue_url   = var.trigger_queue.url
    dwh_environment          = var.environment
    dwh_job_events_topic_arn = var.job_events_topic_arn
    dwh_target_runner        = "glue"
    dwh_job_config_uri       = var.job_config_uri
    dwh_deferrable           = "true"
    dwh_allowed_dag_ids      = jsonencode(var.allowed_dag_ids)
  }
  startup = join("\n", concat(
    ["#!/bin/sh"],
    [for name, value in local.variables : "export AIRFLOW_VAR_${upper(name)}='${value}'"],
    [""],
  ))
}

resource "aws_security_group" "this" {
  name_prefix = "${local.name}-mwaa-"
  description = "Airflow"
  vpc_id      = var.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "itself" {
  security_group_id            = aws_security_group.this.id
  description                  = "Airflow's own parts"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "-1"
}

resource "aws_vpc_security_group_egress_rule" "itself" {
  security_group_id            = aws_security_group.this.id
  description                  = "Airflow's own parts"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "-1"
}

resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.this.id
  description       = "AWS endpoints"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["airflow.amazonaws.com", "airflow-env.amazonaws.com"]
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
    sid       = "ReportHealth"
    actions   = ["airflow:PublishMetrics"]
    resources = ["${local.prefix}:airflow:${local.here}:environment/${local.name}"]
  }

  statement {
    sid       = "ListCode"
    actions   = ["s3:ListBucket", "s3:GetBucketLocation", "s3:GetBucketPublicAccessBlock", "s3:GetBucketVersioning"]
    resources = [var.code_bucket.arn]
  }

  statement {
    sid       = "ReadCode"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = ["${var.code_bucket.arn}/airflow/*"]
  }

  statement {
    sid       = "CheckAccount"
    actions   = ["s3:GetAccountPublicAccessBlock"]
    resources = ["*"] # this call takes no resource
  }

  statement {
    sid = "WriteLogs"
    actions = [
      "logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:GetLogEvents", "logs:GetLogRecord",
      "logs:GetLogGroupFields", "logs:GetQueryResults", "logs:DescribeLogGroups",
    ]
    resources = ["${local.prefix}:logs:${local.here}:log-group:airflow-${local.name}-*"]
  }

  statement {
    sid       = "WriteMetrics"
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"] # this call takes no resource

    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = ["AmazonMWAA"]
    }
  }

  # Queues between Airflow's own parts; AWS owns them, in an account of its own.
  statement {
    sid = "UseCeleryQueues"
    actions = [
      "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl",
      "sqs:ReceiveMessage", "sqs:SendMessage",
    ]
    resources = ["${local.prefix}:sqs:${local.region}:*:airflow-celery-*"]
  }

  statement {
    sid = "TakeTriggers"
    actions = [
      "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl",
      "sqs:ReceiveMessage",
    ]
    resources = [var.trigger_queue.arn]
  }

  statement {
    sid       = "PublishFacts"
    actions   = ["sns:Publish"]
    resources = [var.job_events_topic_arn]
  }

  statement {
    sid       = "RunGlueJobs"
    actions   = ["glue:GetJob", "glue:StartJobRun", "glue:GetJobRun", "glue:BatchStopJobRun"]
    resources = values(var.glue_job_arns)
  }

  statement {
    sid       = "UseKeys"
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*"]
    resources = [var.data_key_arn, var.message_key_arn]
  }
}

resource "aws_iam_role" "this" {
  name               = "${local.name}-mwaa"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "this" {
  name   = "permissions"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.permissions.json
}

resource "aws_s3_object" "startup" {
  bucket       = var.code_bucket.id
  key          = "airflow/startup.sh"
  content      = local.startup
  content_type = "text/x-shellscript"
}

resource "aws_mwaa_environment" "this" {
  name                             = local.name
  airflow_version                  = var.airflow_version
  environment_class                = var.environment_class
  execution_role_arn               = aws_iam_role.this.arn
  kms_key                          = var.data_key_arn
  source_bucket_arn                = var.code_bucket.arn
  dag_s3_path                      = "airflow/dags"
  requirements_s3_path             = var.requirements_path
  startup_script_s3_path           = aws_s3_object.startup.key
  startup_script_s3_object_version = aws_s3_object.startup.version_id
  schedulers                       = var.schedulers
  min_workers                      = var.workers.minimum
  max_workers                      = var.workers.maximum
  webserver_access_mode            = var.public_web_server ? "PUBLIC_ONLY" : "PRIVATE_ONLY"
  weekly_maintenance_window_start  = var.maintenance_window

  airflow_configuration_options = {
    "core.lazy_load_plugins"              = "False"
    "scheduler.scheduler_idle_sleep_time" = "0.5"
  }

  network_configuration {
    subnet_ids         = slice(var.subnet_ids, 0, 2) # MWAA takes exactly two
    security_group_ids = [aws_security_group.this.id]
  }

  logging_configuration {
    dag_processing_logs {
      enabled   = true
      log_level = "WARNING"
    }

    scheduler_logs {
      enabled   = true
      log_level = "WARNING"
    }

    task_logs {
      enabled   = true
      log_level = "INFO"
    }

    webserver_logs {
      enabled   = true
      log_level = "WARNING"
    }

    worker_logs {
      enabled   = true
      log_level = "WARNING"
    }
  }

  depends_on = [aws_iam_role_policy.this]
}
