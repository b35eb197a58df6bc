mock_provider "aws" {
  source = "../../testing"
}

variables {
  environment          = "dev"
  code_bucket          = { id = "dwh-dev-code", arn = "arn:aws:s3:::dwh-dev-code" }
  data_bucket          = { id = "dwh-dev-data", arn = "arn:aws:s3:::dwh-dev-data" }
  job_events_topic_arn = "arn:aws:sns:eu-central-1:123456789012:dwh-dev-job-events"
  data_key_arn         = "arn:aws:kms:eu-central-1:123456789012:key/data"
  message_key_arn      = "arn:aws:kms:eu-central-1:123456789012:key/messages"
  logs_key_arn         = "arn:aws:kms:eu-central-1:123456789012:key/logs"

  jobs = {
    filter_images = { config = "{\"loader_config\":{\"path\":\"$${DWH_DATA_URI}/filtered\"},\"publisher\":{\"kind\":\"SNS\"}}" }
  }
}

run "jobs_bear_the_names_that_dags_start" {
  command = plan

  assert {
    condition     = [for job in aws_glue_job.this : job.name] == ["dwh-dev-filter_images"]
    error_message = "The DAG starts dwh-<env>-<job>."
  }

  assert {
    condition     = aws_glue_job.this["filter_images"].glue_version == "5.1" && aws_glue_job.this["filter_images"].max_retries == 0
    error_message = "Glue 5.1; a retry is the DAG's."
  }
}

run "the_configuration_names_bucket_and_topic" {
  command = plan

  assert {
    condition = jsondecode(aws_s3_object.config["filter_images"].content) == {
      loader_config = { path = "s3://dwh-dev-data/filtered" }
      publisher     = { kind = "SNS", topic_arn = "arn:aws:sns:eu-central-1:123456789012:dwh-dev-job-events" }
    }
    error_message = "Glue gives a job no environment: both must stand in its file."
  }
}

run "an_older_glue_is_refused" {
  command = plan

  variables {
    glue_version = "4.0"
    jobs         = { filter_images = { config = "{", workers = 1 } }
  }

  expect_failures = [var.glue_version, var.jobs]
}
