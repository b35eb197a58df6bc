mock_provider "aws" {
  source = "../../testing"
}

variables {
  environment          = "dev"
  code_bucket          = { id = "dwh-dev-code", arn = "arn:aws:s3:::dwh-dev-code" }
  trigger_queue        = { arn = "arn:aws:sqs:eu-central-1:123456789012:dwh-dev-mwaa-triggers", url = "https://sqs/dwh-dev-mwaa-triggers" }
  job_events_topic_arn = "arn:aws:sns:eu-central-1:123456789012:dwh-dev-job-events"
  glue_job_arns        = { filter_images = "arn:aws:glue:eu-central-1:123456789012:job/dwh-dev-filter_images" }
  job_config_uri       = "s3://dwh-dev-code/jobs/config"
  vpc_id               = "vpc-1"
  subnet_ids           = ["subnet-a", "subnet-b", "subnet-c"]
  data_key_arn         = "arn:aws:kms:eu-central-1:123456789012:key/data"
  message_key_arn      = "arn:aws:kms:eu-central-1:123456789012:key/messages"
}

run "airflow_knows_what_the_dags_read" {
  command = plan

  assert {
    condition = alltrue([
      for line in [
        "export AIRFLOW_VAR_MWAA_TRIGGER_QUEUE_URL='https://sqs/dwh-dev-mwaa-triggers'",
        "export AIRFLOW_VAR_DWH_ENVIRONMENT='dev'",
        "export AIRFLOW_VAR_DWH_JOB_EVENTS_TOPIC_ARN='arn:aws:sns:eu-central-1:123456789012:dwh-dev-job-events'",
        "export AIRFLOW_VAR_DWH_TARGET_RUNNER='glue'",
        "export AIRFLOW_VAR_DWH_JOB_CONFIG_URI='s3://dwh-dev-code/jobs/config'",
        "export AIRFLOW_VAR_DWH_ALLOWED_DAG_IDS='[\"filter_image_glue_pyspark\"]'",
      ] : contains(split("\n", output.startup_script), line)
    ])
    error_message = "A Variable of the DAGs is missing in the start-up script."
  }
}

run "airflow_is_private_and_lies_in_two_zones" {
  command = plan

  assert {
    condition     = aws_mwaa_environment.this.webserver_access_mode == "PRIVATE_ONLY" && length(aws_mwaa_environment.this.network_configuration[0].subnet_ids) == 2
    error_message = "No public web server unless asked for; exactly two subnets."
  }
}

run "prod_has_no_public_web_server" {
  command = plan

  variables {
    environment       = "prod"
    public_web_server = true
  }

  expect_failures = [var.public_web_server]
}

run "old_airflows_and_odd_sizes_are_refused" {
  command = plan

  variables {
    airflow_version   = "2.9.2"
    environment_class = "mw1.micro"
    workers           = { minimum = 0, maximum = 1 }
    allowed_dag_ids   = ["a'b"]
  }

  expect_failures = [var.airflow_version, var.schedulers, var.workers, var.allowed_dag_ids]
}
