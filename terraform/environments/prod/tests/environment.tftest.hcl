mock_provider "aws" {
  source = "../../testing"
}

run "the_chart_is_told_about_this_environment" {
  command = plan

  assert {
    condition     = output.helm.environment == "prod" && output.helm.identity_mode == "podIdentity"
    error_message = "The chart would be given another environment."
  }

  assert {
    condition     = output.helm.opensearch_replicas == 2
    error_message = "One replica less than zones that hold data."
  }

  assert {
    condition     = output.ecs == null && output.console_dns_name == null
    error_message = "ECS and the load balancer are choices."
  }
}

run "another_account_is_refused" {
  command = plan

  variables {
    account_id = "prod"
  }

  expect_failures = [var.account_id]
}
