mock_provider "aws" {
  source = "../../testing"
}

variables {
  environment               = "dev"
  vpc_id                    = "vpc-1"
  subnet_ids                = ["subnet-a", "subnet-b"]
  client_cidrs              = ["10.0.0.0/8"]
  service_security_group_id = "sg-1"
  certificate_arn           = "arn:aws:acm:eu-central-1:123456789012:certificate/1"
  oidc_client_secret        = "not-a-secret"

  oidc = {
    issuer                 = "https://login.example.com"
    authorization_endpoint = "https://login.example.com/authorize"
    token_endpoint         = "https://login.example.com/token"
    user_info_endpoint     = "https://login.example.com/userinfo"
    jwks_endpoint          = "https://login.example.com/keys"
    client_id              = "dwh"
  }
}

run "nobody_passes_without_the_identity_provider" {
  command = plan

  assert {
    condition     = [for action in aws_lb_listener.https.default_action : action.type] == ["authenticate-oidc", "forward"]
    error_message = "Pages: sign in first."
  }

  assert {
    condition     = [for action in aws_lb_listener_rule.api.action : action.type] == ["jwt-validation", "forward"]
    error_message = "API: a token, checked."
  }

  assert {
    condition     = aws_lb_listener.https.default_action[0].authenticate_oidc[0].on_unauthenticated_request == "authenticate"
    error_message = "Nobody is let through unknown."
  }
}

run "a_session_does_not_outlive_an_hour_s_token_unless_told_so" {
  command = plan

  assert {
    condition = (
      aws_lb_listener.https.default_action[0].authenticate_oidc[0].session_timeout == 3600
      && output.token_header == "x-amzn-oidc-accesstoken"
    )
    error_message = "An expired token in a living session shuts people out."
  }
}

run "the_provider_can_be_asked_for_a_token_of_our_audience" {
  command = plan

  variables {
    oidc = {
      issuer                 = "https://login.example.com"
      authorization_endpoint = "https://login.example.com/authorize"
      token_endpoint         = "https://login.example.com/token"
      user_info_endpoint     = "https://login.example.com/userinfo"
      jwks_endpoint          = "https://login.example.com/keys"
      client_id              = "dwh"
      scope                  = "openid email offline_access"
      request_parameters     = { audience = "dwh-prod" }
      session_seconds        = 28800
    }
  }

  assert {
    condition = (
      aws_lb_listener.https.default_action[0].authenticate_oidc[0].scope == "openid email offline_access"
      && aws_lb_listener.https.default_action[0].authenticate_oidc[0].session_timeout == 28800
      && aws_lb_listener.https.default_action[0].authenticate_oidc[0].authentication_request_extra_params["audience"] == "dwh-prod"
    )
    error_message = "What is asked of the provider is the environment's."
  }
}

run "metrics_and_health_stay_inside" {
  command = plan

  assert {
    condition = (
      aws_lb_listener_rule.inside.priority < aws_lb_listener_rule.api.priority
      && [for action in aws_lb_listener_rule.inside.action : action.type] == ["fixed-response"]
    )
    error_message = "Not for the outside."
  }
}

run "only_https_from_where_people_are" {
  command = plan

  assert {
    condition = (
      keys(aws_vpc_security_group_ingress_rule.https) == ["10.0.0.0/8"]
      && alltrue([for rule in aws_vpc_security_group_ingress_rule.https : rule.from_port == 443 && rule.to_port == 443])
      && startswith(aws_lb_listener.https.ssl_policy, "ELBSecurityPolicy-TLS13-1-2")
      && aws_lb.this.internal
    )
    error_message = "Port 443, TLS 1.2 or newer, from the ranges given, internal by default."
  }
}

run "plain_text_and_one_zone_are_refused" {
  command = plan

  variables {
    subnet_ids = ["subnet-a"]
    oidc = {
      issuer                 = "http://login.example.com"
      authorization_endpoint = "https://login.example.com/authorize"
      token_endpoint         = "https://login.example.com/token"
      user_info_endpoint     = "https://login.example.com/userinfo"
      jwks_endpoint          = "https://login.example.com/keys"
      client_id              = "dwh"
    }
  }

  expect_failures = [var.subnet_ids, var.oidc]
}
