# KMS keys, one per kind of data, so that a role which reads messages cannot read images.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  root    = "arn:${data.aws_partition.current.partition}:iam::${local.account}:root"
  logs    = "logs.${data.aws_region.current.region}.amazonaws.com"

  # Services that use a key themselves; everybody else needs a statement in a policy of their own.
  keys = {
    messages = { services = ["sns.amazonaws.com", "cloudwatch.amazonaws.com"], logs = false }
    data     = { services = [], logs = true } # MWAA encrypts its logs with the key of the environment
    store    = { services = ["es.amazonaws.com"], logs = false }
    journal  = { services = [], logs = false }
    logs     = { services = [], logs = true }
  }
}

data "aws_iam_policy_document" "key" {
  for_each = local.keys

  statement {
    sid = "Administer"
    actions = [
      "kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias", "kms:Describe*", "kms:Get*", "kms:List*",
      "kms:EnableKey", "kms:DisableKey", "kms:EnableKeyRotation", "kms:DisableKeyRotation", "kms:PutKeyPolicy",
      "kms:UpdateKeyDescription", "kms:TagResource", "kms:UntagResource", "kms:RevokeGrant",
      "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion",
    ]
    resources = ["*"] # in a key policy: this key

    principals {
      type        = "AWS"
      identifiers = [local.root]
    }
  }

  statement {
    sid = "UseWhereAnIamPolicyAllowsIt"
    actions = [
      "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*", "kms:DescribeKey", "kms:CreateGrant",
    ]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = [local.root]
    }
  }

  dynamic "statement" {
    for_each = length(each.value.services) > 0 ? [each.value.services] : []

    content {
      sid       = "UseByServices"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey*", "kms:DescribeKey", "kms:CreateGrant"]
      resources = ["*"]

      principals {
        type        = "Service"
        identifiers = statement.value
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.account]
      }
    }
  }

  dynamic "statement" {
    for_each = each.value.logs ? [local.logs] : []

    content {
      sid       = "UseByLogs"
      actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
      resources = ["*"]

      principals {
        type        = "Service"
        identifiers = [statement.value]
      }

      condition {
        test     = "ArnLike"
        variable = "kms:EncryptionContext:aws:logs:arn"
        values = [
          "arn:${data.aws_partition.current.partition}:logs:${data.aws_region.current.region}:${local.account}:log-group:*",
        ]
      }
    }
  }
}

resource "aws_kms_key" "this" {
  for_each = local.keys

  description             = "dwh-${var.environment}-${each.key}"
  enable_key_rotation     = true
  deletion_window_in_days = var.deletion_window_days
  policy                  = data.aws_iam_policy_document.key[each.key].json
}

resource "aws_kms_alias" "this" {
  for_each = local.keys

  name          = "alias/dwh-${var.environment}-${each.key}"
  target_key_id = aws_kms_key.this[each.key].key_id
}
