mock_provider "aws" {
  source = "../../testing"
}

variables {
  environment      = "dev"
  eks_cluster_arn  = "arn:aws:eks:eu-central-1:123456789012:cluster/main"
  store_domain_arn = "arn:aws:es:eu-central-1:123456789012:domain/dwh-dev"
  code_bucket_arn  = "arn:aws:s3:::dwh-dev-code"
  data_bucket_arn  = "arn:aws:s3:::dwh-dev-data"
  journal          = { bucket_arn = "arn:aws:s3:::dwh-dev-journal", key_arn = "arn:aws:kms:eu-central-1:123456789012:key/journal" }
  message_key_arn  = "arn:aws:kms:eu-central-1:123456789012:key/messages"
  data_key_arn     = "arn:aws:kms:eu-central-1:123456789012:key/data"
  trigger_queue    = { arn = "arn:aws:sqs:eu-central-1:123456789012:t", dlq_arn = "arn:aws:sqs:eu-central-1:123456789012:t-dlq" }

  queues = {
    for name in ["indexer", "alerts", "orchestrator", "approvals"] : name => {
      arn     = "arn:aws:sqs:eu-central-1:123456789012:dwh-dev-${name}"
      dlq_arn = "arn:aws:sqs:eu-central-1:123456789012:dwh-dev-${name}-dlq"
    }
  }
  topic_arns = {
    for name in ["job-events", "job-approvals", "quality-alerts-warning", "quality-alerts-critical"] :
    name => "arn:aws:sns:eu-central-1:123456789012:dwh-dev-${name}"
  }
}

run "each_service_has_a_role_bound_to_its_service_account" {
  command = plan

  assert {
    condition = (
      length(setsubtract(keys(aws_iam_role.this), keys(aws_eks_pod_identity_association.this))) == 0
      && aws_eks_pod_identity_association.this["alerts"].service_account == "dwh-alerts"
      && aws_eks_pod_identity_association.this["alerts"].cluster_name == "main"
    )
    error_message = "An association for every role."
  }

  assert {
    condition = (
      aws_eks_pod_identity_association.this["bootstrap-hook"].service_account == "dwh-bootstrap-hook"
      && aws_eks_pod_identity_association.this["selftest"].service_account == "dwh-selftest"
    )
    error_message = "The hook of a release is bootstrap, too; the test of a release has a role of its own."
  }

  assert {
    condition = alltrue([
      for document in data.aws_iam_policy_document.trust : [for statement in document.statement : statement.sid] == ["PodIdentity"]
    ])
    error_message = "Pods of this cluster only, unless asked for more."
  }

  assert {
    condition = alltrue([
      for document in data.aws_iam_policy_document.trust : contains(
        flatten([for limit in document.statement[0].condition : [for value in limit.values : "${limit.variable}=${value}"]]),
        "aws:SourceArn=arn:aws:eks:eu-central-1:123456789012:cluster/main",
      )
    ])
    error_message = "Pods of another cluster of the account could take the role."
  }
}

run "nothing_is_granted_on_everything" {
  command = plan

  assert {
    condition = alltrue(flatten([
      for document in data.aws_iam_policy_document.permissions : [
        for statement in document.statement : [
          for action in statement.actions : !strcontains(action, "*") && !contains(statement.resources, "*")
        ]
      ]
    ]))
    error_message = "A service may do anything, or to anything."
  }
}

run "the_orchestrator_starts_only_what_is_named" {
  command = plan

  assert {
    condition     = !contains([for statement in data.aws_iam_policy_document.permissions["orchestrator"].statement : statement.sid], "StartGlueJobs")
    error_message = "Nothing named, nothing granted."
  }
}

run "a_named_job_may_be_started" {
  command = plan

  variables {
    triggered = { glue_job_arns = ["arn:aws:glue:eu-central-1:123456789012:job/dwh-dev-x"] }
  }

  assert {
    condition = anytrue([
      for statement in data.aws_iam_policy_document.permissions["orchestrator"].statement :
      statement.sid == "StartGlueJobs" && statement.resources == toset(["arn:aws:glue:eu-central-1:123456789012:job/dwh-dev-x"])
    ])
    error_message = "This job, and no other."
  }
}

run "irsa_and_ecs_are_trusted_when_asked_for" {
  command = plan

  variables {
    eks_cluster_arn = null
    ecs             = true
    irsa = {
      provider_arn = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.example.com/id/1"
      issuer       = "oidc.eks.example.com/id/1"
    }
  }

  assert {
    condition = (
      [for statement in data.aws_iam_policy_document.trust["indexer"].statement : statement.sid] == ["ServiceAccount", "Task"]
      && length(aws_eks_pod_identity_association.this) == 0
    )
    error_message = "A service account, and tasks of this account."
  }

  assert {
    condition = toset(flatten([
      for statement in data.aws_iam_policy_document.trust["indexer"].statement : [
        for limit in statement.condition : [for value in limit.values : "${limit.variable}=${value}"]
      ]
      ])) == toset([
      "oidc.eks.example.com/id/1:sub=system:serviceaccount:dwh:dwh-indexer",
      "oidc.eks.example.com/id/1:aud=sts.amazonaws.com",
      "aws:SourceAccount=123456789012",
    ])
    error_message = "This service account by its name, and tasks of this account only."
  }

  assert {
    condition = contains(flatten([
      for statement in data.aws_iam_policy_document.trust["bootstrap"].statement : [
        for limit in statement.condition : [for value in limit.values : value]
      ]
    ]), "system:serviceaccount:dwh:dwh-bootstrap-hook")
    error_message = "The hook of a release could not reach the store."
  }
}

run "a_role_for_nobody_is_refused" {
  command = plan

  variables {
    eks_cluster_arn = null
  }

  expect_failures = [aws_iam_role.this]
}

run "wildcards_are_refused" {
  command = plan

  variables {
    triggered = { glue_job_arns = ["arn:aws:glue:eu-central-1:123456789012:job/*"] }
  }

  expect_failures = [var.triggered]
}
