output "cluster_arn" {
  description = "The cluster."
  value       = aws_ecs_cluster.this.arn
}

output "bootstrap_task_definition_arn" {
  description = "Task to run once before a service update."
  value       = aws_ecs_task_definition.bootstrap.arn
}

output "consumers" {
  description = "What runs, as planned: names, commands and time-outs, for the test against consumers.json."
  value       = local.environment
}
