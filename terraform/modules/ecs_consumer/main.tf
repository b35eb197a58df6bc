# The services on ECS instead of EKS, from the same map: cluster, one service per consumer, bootstrap.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  name    = "dwh-${var.environment}"
  account = data.aws_caller_identity.current.account_id
  region  = data.aws_region.current.region
  port    = 8080

  # Longer than Fargate allows would be cut to this anyway; grace is the limit of the whole stop.
  stop_seconds = { for name, consumer in var.consumers : name => min(consumer.timeouts.grace_seconds, 120) }

  environment = {
    for name, consumer in var.consumers : name => merge(var.settings, {
      DWH_ENVIRONMENT        = var.environment
      DWH_HTTP_PORT          = tostring(local.port)
      DWH_LOG_FORMAT         = "json"
      DWH_QUEUE_URL          = var.queue_urls[name]
      DWH_HANDLER_SECONDS    = tostring(consumer.timeouts.handler_seconds)
      DWH_DRAIN_SECONDS      = tostring(consumer.timeouts.drain_seconds)
      DWH_VISIBILITY_SECONDS = tostring(consumer.queue.visibility_seconds)
      AWS_REGION             = local.region
    })
  }

  # What every container of ours shares: no root, no capability, no write but to /tmp.
  hardening = {
    image                  = var.image
    essential              = true
    user                   = "10001:10001"
    readonlyRootFilesystem = true
    privileged             = false
    linuxParameters = {
      initProcessEnabled = false # the image starts tini
      capabilities       = { drop = ["ALL"] }
      tmpfs              = [{ containerPath = "/tmp", size = 64, mountOptions = ["rw", "noexec", "nosuid", "nodev"] }]
    }
  }

  logging = {
    for name in concat(keys(var.consumers), ["bootstrap"]) : name => {
      logDriver = "awslogs"
      options = {
        awslogs-group         = "/dwh/${var.environment}/${name}"
        awslogs-region        = local.region
        awslogs-stream-prefix = name
      }
    }
  }
}

resource "aws_ecs_cluster" "this" {
  name = local.name

  setting {
    name  = "containerInsights" # RunningTaskCount, the divisor of the backlog per task
    value = "enabled"
  }
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = toset(concat(keys(var.consumers), ["bootstrap"]))

  name              = "/dwh/${var.environment}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.logs_key_arn
}

# Starts a task: pulls, logs, reads secrets. What the task may call is its task role, another one.
data "aws_iam_policy_document" "execution_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

data "aws_iam_policy_document" "execution" {
  statement {
    sid       = "LogIn"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"] # this call takes no resource
  }

  statement {
    sid       = "Pull"
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = [var.image_repository_arn]
  }

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = [for group in aws_cloudwatch_log_group.this : "${group.arn}:*"]
  }

  dynamic "statement" {
    for_each = length(var.secret_arns) > 0 ? [1] : []

    content {
      sid       = "ReadSecrets"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = distinct(flatten([for secrets in values(var.secret_arns) : values(secrets)]))
    }
  }
}

resource "aws_iam_role" "execution" {
  name               = "${local.name}-ecs-execution"
  assume_role_policy = data.aws_iam_policy_document.execution_trust.json
}

resource "aws_iam_role_policy" "execution" {
  name   = "start-tasks"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution.json
}

resource "aws_ecs_task_definition" "consumer" {
  for_each = var.consumers

  family                   = "${local.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.sizes[each.key].cpu
  memory                   = var.sizes[each.key].memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = var.task_role_arns[each.key]

  container_definitions = jsonencode([merge(local.hardening, {
    name             = each.key
    command          = [each.key]
    stopTimeout      = local.stop_seconds[each.key]
    environment      = [for key, value in local.environment[each.key] : { name = key, value = value }]
    secrets          = [for key, arn in lookup(var.secret_arns, each.key, {}) : { name = key, valueFrom = arn }]
    portMappings     = [{ containerPort = local.port, protocol = "tcp" }]
    logConfiguration = local.logging[each.key]
    healthCheck = {
      command = [
        "CMD", "python", "-c",
        "import urllib.request as r; r.urlopen('http://127.0.0.1:${local.port}/livez', timeout=3)",
      ]
      interval    = 15
      timeout     = 5
      retries     = 3
      startPeriod = 30
    }
  })])
}

resource "aws_ecs_service" "consumer" {
  for_each = var.consumers

  name                               = each.key
  cluster                            = aws_ecs_cluster.this.arn
  task_definition                    = aws_ecs_task_definition.consumer[each.key].arn
  launch_type                        = "FARGATE"
  desired_count                      = var.sizes[each.key].minimum
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  enable_execute_command             = false
  propagate_tags                     = "SERVICE"

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [var.security_group_id]
    assign_public_ip = false
  }

  dynamic "load_balancer" {
    for_each = each.key == "approvals" ? var.console_target_group_arns : []

    content {
      target_group_arn = load_balancer.value
      container_name   = each.key
      container_port   = local.port
    }
  }

  lifecycle {
    ignore_changes = [desired_count] # its owner is the scaling policy
  }
}

resource "aws_appautoscaling_target" "consumer" {
  for_each = var.consumers

  service_namespace  = "ecs"
  resource_id        = "service/${aws_ecs_cluster.this.name}/${aws_ecs_service.consumer[each.key].name}"
  scalable_dimension = "ecs:service:DesiredCount"
  min_capacity       = var.sizes[each.key].minimum
  max_capacity       = var.sizes[each.key].maximum
}

# Waiting messages per running task; depth alone would start the same number of tasks for any number of them.
resource "aws_appautoscaling_policy" "backlog" {
  for_each = var.consumers

  name               = "backlog-per-task"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = "ecs"
  resource_id        = aws_appautoscaling_target.consumer[each.key].resource_id
  scalable_dimension = aws_appautoscaling_target.consumer[each.key].scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value       = var.sizes[each.key].backlog_per_task
    scale_in_cooldown  = 300
    scale_out_cooldown = 60

    customized_metric_specification {
      metrics {
        id          = "visible"
        return_data = false

        metric_stat {
          stat = "Average"

          metric {
            namespace   = "AWS/SQS"
            metric_name = "ApproximateNumberOfMessagesVisible"

            dimensions {
              name  = "QueueName"
              value = "${local.name}-${each.key}"
            }
          }
        }
      }

      metrics {
        id          = "running"
        return_data = false

        metric_stat {
          stat = "Average"

          metric {
            namespace   = "ECS/ContainerInsights"
            metric_name = "RunningTaskCount"

            dimensions {
              name  = "ClusterName"
              value = local.name
            }

            dimensions {
              name  = "ServiceName"
              value = each.key
            }
          }
        }
      }

      metrics {
        id          = "backlog"
        expression  = "visible / IF(running < 1, 1, running)"
        label       = "Messages per task"
        return_data = true
      }
    }
  }
}

# Bootstrap: run once before a service update (README), and daily to make the coming months.
resource "aws_ecs_task_definition" "bootstrap" {
  family                   = "${local.name}-bootstrap"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = var.task_role_arns.bootstrap

  container_definitions = jsonencode([merge(local.hardening, {
    name             = "bootstrap"
    command          = ["bootstrap"]
    logConfiguration = local.logging.bootstrap
    environment = [
      for key, value in merge(var.settings, { DWH_ENVIRONMENT = var.environment, AWS_REGION = local.region }) :
      { name = key, value = value }
    ]
  })])
}

data "aws_iam_policy_document" "schedule_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

data "aws_iam_policy_document" "schedule" {
  statement {
    sid       = "RunBootstrap"
    actions   = ["ecs:RunTask"]
    resources = ["${aws_ecs_task_definition.bootstrap.arn_without_revision}:*"]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [aws_ecs_cluster.this.arn]
    }
  }

  statement {
    sid       = "PassItsRoles"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.execution.arn, var.task_role_arns.bootstrap]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "schedule" {
  name               = "${local.name}-bootstrap-schedule"
  assume_role_policy = data.aws_iam_policy_document.schedule_trust.json
}

resource "aws_iam_role_policy" "schedule" {
  name   = "run-bootstrap"
  role   = aws_iam_role.schedule.id
  policy = data.aws_iam_policy_document.schedule.json
}

resource "aws_scheduler_schedule" "bootstrap" {
  name                = "${local.name}-bootstrap"
  description         = "Makes the indices of the coming months and closes old ones"
  schedule_expression = "cron(17 3 * * ? *)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_ecs_cluster.this.arn
    role_arn = aws_iam_role.schedule.arn

    ecs_parameters {
      task_definition_arn = aws_ecs_task_definition.bootstrap.arn_without_revision
      launch_type         = "FARGATE"

      network_configuration {
        subnets          = var.subnet_ids
        security_groups  = [var.security_group_id]
        assign_public_ip = false
      }
    }

    retry_policy {
      maximum_retry_attempts       = 5
      maximum_event_age_in_seconds = 3600
    }
  }
}
