mock_provider "aws" {
  source = "../../testing"
}

variables {
  environment = "dev"
  buckets     = ["code", "data"]
  key_arn     = "arn:aws:kms:eu-central-1:123456789012:key/data"
}

run "buckets_are_versioned_encrypted_and_closed" {
  command = plan

  assert {
    condition     = toset([for bucket in aws_s3_bucket.this : bucket.bucket]) == toset(["dwh-dev-code", "dwh-dev-data"])
    error_message = "Buckets are named dwh-<env>-code and dwh-<env>-data."
  }

  assert {
    condition     = alltrue([for bucket in aws_s3_bucket_versioning.this : bucket.versioning_configuration[0].status == "Enabled"])
    error_message = "A bucket keeps no versions."
  }

  assert {
    condition = alltrue([
      for bucket in aws_s3_bucket_public_access_block.this :
      bucket.block_public_acls && bucket.block_public_policy && bucket.ignore_public_acls && bucket.restrict_public_buckets
    ])
    error_message = "A bucket could become public."
  }

  assert {
    condition = alltrue(flatten([
      for bucket in aws_s3_bucket_server_side_encryption_configuration.this : [
        for rule in bucket.rule : [
          for by in rule.apply_server_side_encryption_by_default : by.kms_master_key_id == var.key_arn
        ]
      ]
    ]))
    error_message = "A bucket is not encrypted with the key of the data."
  }

  assert {
    condition = alltrue([
      for document in data.aws_iam_policy_document.bucket :
      document.statement[0].effect == "Deny"
      && [for limit in document.statement[0].condition : limit.variable] == ["aws:SecureTransport"]
    ])
    error_message = "A bucket takes plain text."
  }
}

run "rejected_data_goes_after_14_days" {
  command = plan

  assert {
    condition = alltrue([
      for bucket in aws_s3_bucket_lifecycle_configuration.this : anytrue([
        for rule in bucket.rule :
        rule.status == "Enabled" && try(rule.expiration[0].days, 0) == 14
        && try("${rule.filter[0].tag[0].key}=${rule.filter[0].tag[0].value}", "") == "dwh-retention=rejected"
        && try(rule.noncurrent_version_expiration[0].noncurrent_days, 0) == 1
      ])
    ])
    error_message = "Objects tagged dwh-retention=rejected, and their versions, must go after 14 days."
  }

  assert {
    condition = alltrue(flatten([
      for bucket in aws_s3_bucket_lifecycle_configuration.this : [
        for rule in bucket.rule : length(rule.expiration) == 0 || rule.id == "rejected-data"
      ]
    ]))
    error_message = "Nothing but rejected data may expire."
  }
}

run "at_once_is_refused" {
  command = plan

  variables {
    rejected_days = 0
  }

  expect_failures = [var.rejected_days]
}
