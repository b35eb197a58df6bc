mock_provider "aws" {
  source = "../../testing"
}

variables {
  environment               = "dev"
  instance_type             = "r7g.large.search"
  instance_count            = 3
  dedicated_master_type     = "m7g.large.search"
  volume_gb                 = 100
  vpc_id                    = "vpc-1"
  subnet_ids                = ["subnet-a", "subnet-b", "subnet-c"]
  client_security_group_ids = { eks = "sg-1" }
  master_role_arn           = "arn:aws:iam::123456789012:role/dwh-dev-bootstrap"
  key_arn                   = "arn:aws:kms:eu-central-1:123456789012:key/store"
  logs_key_arn              = "arn:aws:kms:eu-central-1:123456789012:key/logs"
}

run "the_domain_is_encrypted_private_and_fine_grained" {
  command = plan

  assert {
    condition = (
      aws_opensearch_domain.this.encrypt_at_rest[0].enabled
      && aws_opensearch_domain.this.encrypt_at_rest[0].kms_key_id == var.key_arn
      && aws_opensearch_domain.this.node_to_node_encryption[0].enabled
    )
    error_message = "The store is not encrypted at rest and between nodes."
  }

  assert {
    condition = (
      aws_opensearch_domain.this.domain_endpoint_options[0].enforce_https
      && startswith(aws_opensearch_domain.this.domain_endpoint_options[0].tls_security_policy, "Policy-Min-TLS-1-2")
    )
    error_message = "HTTPS with TLS 1.2 or newer only."
  }

  assert {
    condition = (
      aws_opensearch_domain.this.advanced_security_options[0].enabled
      && !aws_opensearch_domain.this.advanced_security_options[0].internal_user_database_enabled
      && aws_opensearch_domain.this.advanced_security_options[0].master_user_options[0].master_user_arn == var.master_role_arn
    )
    error_message = "Fine-grained access with a role as master, and no user with a password."
  }

  assert {
    condition     = length(aws_opensearch_domain.this.vpc_options[0].subnet_ids) == 3
    error_message = "The domain lies in the VPC, in every zone given."
  }

  assert {
    condition     = toset([for log in aws_opensearch_domain.this.log_publishing_options : log.log_type]) == toset(["INDEX_SLOW_LOGS", "SEARCH_SLOW_LOGS", "ES_APPLICATION_LOGS", "AUDIT_LOGS"])
    error_message = "Slow, error and audit logs are published."
  }

  assert {
    condition     = aws_opensearch_domain.this.cluster_config[0].dedicated_master_count == 3
    error_message = "Three dedicated masters."
  }
}

run "nobody_may_delete_over_http" {
  command = plan

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.access.statement :
      !contains(statement.actions, "es:ESHttpDelete") && !contains(statement.actions, "es:*") && !contains(statement.actions, "es:ESHttp*")
    ])
    error_message = "Nothing in the store is ever deleted by a call."
  }
}

run "one_small_node_is_enough_for_dev" {
  command = plan

  variables {
    subnet_ids            = ["subnet-a"]
    instance_count        = 1
    dedicated_master_type = null
  }

  assert {
    condition = (
      !aws_opensearch_domain.this.cluster_config[0].zone_awareness_enabled
      && length(aws_opensearch_domain.this.cluster_config[0].zone_awareness_config) == 0
    )
    error_message = "One zone needs no zone awareness."
  }
}

run "uneven_nodes_and_old_versions_are_refused" {
  command = plan

  variables {
    instance_count = 2
    engine_version = "OpenSearch_1.3"
    volume_gb      = 5
  }

  expect_failures = [var.instance_count, var.engine_version, var.volume_gb]
}
