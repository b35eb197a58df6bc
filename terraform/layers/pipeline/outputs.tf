output "bootstrap_role_arn" {
  description = "Role of bootstrap: master of the store."
  value       = module.consumer_identity.role_arns["bootstrap"]
}

output "topic_arns" {
  description = "ARN of each topic."
  value       = module.messaging.topic_arns
}

output "queue_urls" {
  description = "URL of each service's queue."
  value       = { for name, queue in module.messaging.queues : name => queue.url }
}

output "role_arns" {
  description = "Role of each service, of bootstrap and of the test of the release."
  value       = module.consumer_identity.role_arns
}

output "workflow_config_uri" {
  description = "Where the workflow config lies."
  value       = local.workflow_config_uri
}

output "alert_routes_uri" {
  description = "Where the alert routes lie."
  value       = local.alert_routes_uri
}

output "audit_uri" {
  description = "Where the indexer puts copies of its digests, in the locked bucket."
  value       = local.audit_uri
}

output "token_header" {
  description = "Header in which approvals finds a person's token."
  value       = local.token_header
}

output "console_dns_name" {
  description = "Name that the console's host name must point to; null without load balancer."
  value       = one(module.console[*].dns_name)
}

output "ecs" {
  description = "Cluster, bootstrap task and where it runs on ECS; null when the chart runs the services."
  value = var.ecs == null ? null : {
    cluster_arn                   = module.ecs_consumer[0].cluster_arn
    bootstrap_task_definition_arn = module.ecs_consumer[0].bootstrap_task_definition_arn
    environment                   = module.ecs_consumer[0].consumers
    subnet_ids                    = var.network.private_subnet_ids
    security_group_id             = var.network.consumers_security_group_id
  }
}
