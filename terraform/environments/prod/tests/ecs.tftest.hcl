mock_provider "aws" {
  source = "../../testing"
}

variables {
  eks = {}

  ecs = {
    image                = "333333333333.dkr.ecr.eu-central-1.amazonaws.com/dwh@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    image_repository_arn = "arn:aws:ecr:eu-central-1:333333333333:repository/dwh"
    secret_arns = {
      approvals = { DWH_CSRF_KEYS = "arn:aws:secretsmanager:eu-central-1:333333333333:secret:dwh-csrf" }
    }
  }

  console = {
    url  = "https://dwh.example.com"
    oidc = { issuer = "https://login.example.com", audience = "dwh" }

    load_balancer = {
      certificate_arn = "arn:aws:acm:eu-central-1:333333333333:certificate/1"
      client_cidrs    = ["10.0.0.0/8"]

      oidc = {
        authorization_endpoint = "https://login.example.com/authorize"
        token_endpoint         = "https://login.example.com/token"
        user_info_endpoint     = "https://login.example.com/userinfo"
        jwks_endpoint          = "https://login.example.com/keys"
        client_id              = "dwh"
      }
    }
  }
  oidc_client_secret = "not-a-secret"
}

run "the_services_run_on_ecs_behind_the_load_balancer" {
  command = plan

  assert {
    condition     = output.helm.identity_mode == "none" && keys(output.ecs.environment) == ["alerts", "approvals", "indexer", "orchestrator"]
    error_message = "Tasks instead of pods, one service per consumer."
  }
}
