mock_provider "aws" {
  source = "../../testing"
}

variables {
  environment          = "dev"
  image                = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/dwh@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  image_repository_arn = "arn:aws:ecr:eu-central-1:123456789012:repository/dwh"
  subnet_ids           = ["subnet-a", "subnet-b"]
  security_group_id    = "sg-1"
  logs_key_arn         = "arn:aws:kms:eu-central-1:123456789012:key/logs"
  settings             = { DWH_OPENSEARCH_URL = "https://store" }
  secret_arns          = { approvals = { DWH_CSRF_KEYS = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:csrf" } }
  sizes                = { approvals = {}, indexer = { maximum = 8 } }
  queue_urls           = { approvals = "https://sqs/approvals", indexer = "https://sqs/indexer" }
  task_role_arns = {
    approvals = "arn:aws:iam::123456789012:role/dwh-dev-approvals"
    bootstrap = "arn:aws:iam::123456789012:role/dwh-dev-bootstrap"
    indexer   = "arn:aws:iam::123456789012:role/dwh-dev-indexer"
  }
  consumers = {
    for name in ["approvals", "indexer"] : name => {
      queue    = { visibility_seconds = 60 }
      timeouts = { handler_seconds = 30, drain_seconds = 25, grace_seconds = 45 }
    }
  }
}

run "containers_are_hardened" {
  command = plan

  assert {
    condition = alltrue([
      for task in concat(values(aws_ecs_task_definition.consumer), [aws_ecs_task_definition.bootstrap]) : alltrue([
        for container in jsondecode(task.container_definitions) :
        container.readonlyRootFilesystem && !container.privileged && container.user == "10001:10001"
        && container.linuxParameters.capabilities.drop == ["ALL"] && strcontains(container.image, "@sha256:")
      ])
    ])
    error_message = "Read-only root, no root user, no capability, image by digest."
  }
}

run "a_task_has_the_time_it_needs_to_stop" {
  command = plan

  assert {
    condition = alltrue([
      for task in aws_ecs_task_definition.consumer :
      jsondecode(task.container_definitions)[0].stopTimeout == 45
    ])
    error_message = "stopTimeout is the grace of the map."
  }
}

run "roles_are_apart" {
  command = plan

  assert {
    condition = alltrue([
      for name, task in aws_ecs_task_definition.consumer : task.task_role_arn == var.task_role_arns[name]
    ])
    error_message = "A task takes its own role."
  }

  assert {
    condition     = !contains(flatten([for statement in data.aws_iam_policy_document.execution.statement : statement.actions]), "sqs:ReceiveMessage")
    error_message = "What starts a task may not do its work."
  }
}

run "a_failing_deployment_rolls_back" {
  command = plan

  assert {
    condition = alltrue([
      for service in aws_ecs_service.consumer :
      service.deployment_circuit_breaker[0].enable && service.deployment_circuit_breaker[0].rollback
      && service.deployment_minimum_healthy_percent == 100 && !service.network_configuration[0].assign_public_ip
    ])
    error_message = "Circuit breaker with rollback, never fewer tasks than wanted, no public address."
  }
}

run "tasks_follow_the_backlog_of_each" {
  command = plan

  assert {
    condition = alltrue([
      for policy in aws_appautoscaling_policy.backlog : length([
        for metric in policy.target_tracking_scaling_policy_configuration[0].customized_metric_specification[0].metrics :
        metric if metric.return_data && strcontains(coalesce(metric.expression, "-"), "visible /")
      ]) == 1
    ])
    error_message = "Waiting messages per running task, by metric math."
  }

  assert {
    condition     = aws_appautoscaling_target.consumer["indexer"].min_capacity == 1 && aws_appautoscaling_target.consumer["indexer"].max_capacity == 8
    error_message = "From one task to the maximum of its size."
  }
}

run "settings_and_secrets_reach_the_container_apart" {
  command = plan

  assert {
    condition = contains(jsondecode(aws_ecs_task_definition.consumer["approvals"].container_definitions)[0].environment, {
      name = "DWH_QUEUE_URL", value = "https://sqs/approvals"
    })
    error_message = "A service reads its own queue."
  }

  assert {
    condition = (
      [for secret in jsondecode(aws_ecs_task_definition.consumer["approvals"].container_definitions)[0].secrets : secret.name] == ["DWH_CSRF_KEYS"]
      && length(jsondecode(aws_ecs_task_definition.consumer["indexer"].container_definitions)[0].secrets) == 0
    )
    error_message = "A secret reaches the service that needs it, and no other."
  }
}

run "bootstrap_runs_daily" {
  command = plan

  assert {
    condition     = aws_scheduler_schedule.bootstrap.schedule_expression == "cron(17 3 * * ? *)"
    error_message = "Once a day."
  }
}

run "tags_and_idle_services_are_refused" {
  command = plan

  variables {
    image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/dwh:latest"
    sizes = { approvals = { minimum = 0 }, indexer = {} }
  }

  expect_failures = [var.image, var.sizes]
}

run "a_grace_that_fargate_does_not_give_is_refused" {
  command = plan

  variables {
    consumers = {
      for name in ["approvals", "indexer"] : name => {
        queue    = { visibility_seconds = 60 }
        timeouts = { handler_seconds = 30, drain_seconds = 25, grace_seconds = 121 }
      }
    }
  }

  expect_failures = [var.consumers]
}
