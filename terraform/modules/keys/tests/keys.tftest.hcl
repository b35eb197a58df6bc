mock_provider "aws" {
  source = "../../testing"
}

variables {
  environment = "dev"
}

run "keys_are_rotated_and_named" {
  command = plan

  assert {
    condition     = alltrue([for key in aws_kms_key.this : key.enable_key_rotation])
    error_message = "A key is not rotated."
  }

  assert {
    condition     = keys(aws_kms_alias.this) == ["data", "journal", "logs", "messages", "store"]
    error_message = "One key per kind of data."
  }
}

run "sns_and_alarms_may_use_the_key_of_messages_of_this_account_only" {
  command = plan

  assert {
    condition = anytrue([
      for statement in data.aws_iam_policy_document.key["messages"].statement :
      anytrue([for who in statement.principals : who.identifiers == toset(["sns.amazonaws.com", "cloudwatch.amazonaws.com"])])
      && anytrue([for limit in statement.condition : limit.variable == "aws:SourceAccount"])
    ])
    error_message = "SNS could not deliver to encrypted queues, or for strangers, too."
  }

  assert {
    condition = alltrue(flatten([
      for document in data.aws_iam_policy_document.key : [
        for statement in document.statement : !contains(statement.actions, "kms:*") && !contains(statement.actions, "*")
      ]
    ]))
    error_message = "A key policy grants everything."
  }
}

run "a_bad_name_is_refused" {
  command = plan

  variables {
    environment = "Dev_1"
  }

  expect_failures = [var.environment]
}
