output "name" {
  description = "Name of the environment."
  value       = aws_mwaa_environment.this.name
}

output "webserver_url" {
  description = "Address of Airflow's pages."
  value       = aws_mwaa_environment.this.webserver_url
}

output "startup_script" {
  description = "The start-up script as uploaded."
  value       = local.startup
}
