output "job_arns" {
  description = "ARN of each job."
  value       = { for name, job in aws_glue_job.this : name => job.arn }
}

output "config_uri" {
  description = "Folder with one JSON per job: the Airflow Variable dwh_job_config_uri."
  value       = local.config_uri
}
