# One IAM role per service, with exactly the calls that it makes (permissions.tf), bound to its pod or task.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  name    = "dwh-${var.environment}"
  account = data.aws_caller_identity.current.account_id
  roles   = toset(["indexer", "alerts", "orchestrator", "approvals", "bootstrap", "selftest"])

  # Service account, without the prefix => role. The hook of a release has an account of its own, since it runs
  # before those of the release exist.
  accounts = merge({ for name in local.roles : name => name }, { bootstrap-hook = "bootstrap" })

  issuer = var.irsa == null ? "" : var.irsa.issuer
}

data "aws_iam_policy_document" "trust" {
  for_each = local.roles

  dynamic "statement" {
    for_each = var.eks_cluster_arn == null ? [] : [var.eks_cluster_arn]

    content {
      sid     = "PodIdentity"
      actions = ["sts:AssumeRole", "sts:TagSession"]

      principals {
        type        = "Service"
        identifiers = ["pods.eks.amazonaws.com"]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.account]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = [statement.value]
      }
    }
  }

  dynamic "statement" {
    for_each = var.irsa == null ? [] : [var.irsa.provider_arn]

    content {
      sid     = "ServiceAccount"
      actions = ["sts:AssumeRoleWithWebIdentity"]

      principals {
        type        = "Federated"
        identifiers = [statement.value]
      }

      condition {
        test     = "StringEquals"
        variable = "${local.issuer}:sub"
        values = [
          for account, role in local.accounts :
          "system:serviceaccount:${var.namespace}:${var.service_account_prefix}-${account}" if role == each.key
        ]
      }

      condition {
        test     = "StringEquals"
        variable = "${local.issuer}:aud"
        values   = ["sts.amazonaws.com"]
      }
    }
  }

  dynamic "statement" {
    for_each = var.ecs ? [1] : []

    content {
      sid     = "Task"
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
}

resource "aws_iam_role" "this" {
  for_each = local.roles

  name                 = "${local.name}-${each.key}"
  description          = "${each.key} of the warehouse ${var.environment}"
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  permissions_boundary = var.permissions_boundary_arn

  lifecycle {
    precondition {
      condition     = var.eks_cluster_arn != null || var.irsa != null || var.ecs
      error_message = "Nobody could take the roles: set eks_cluster_arn, irsa or ecs."
    }
  }
}

data "aws_iam_policy_document" "permissions" {
  for_each = local.roles

  dynamic "statement" {
    for_each = { for sid, granted in local.permissions[each.key] : sid => granted if length(granted.resources) > 0 }

    content {
      sid       = statement.key
      actions   = statement.value.actions
      resources = statement.value.resources
    }
  }
}

resource "aws_iam_role_policy" "this" {
  for_each = local.roles

  name   = "permissions"
  role   = aws_iam_role.this[each.key].id
  policy = data.aws_iam_policy_document.permissions[each.key].json
}

resource "aws_eks_pod_identity_association" "this" {
  for_each = var.eks_cluster_arn == null ? {} : local.accounts

  cluster_name    = element(split("/", var.eks_cluster_arn), 1)
  namespace       = var.namespace
  service_account = "${var.service_account_prefix}-${each.key}"
  role_arn        = aws_iam_role.this[each.value].arn
}
