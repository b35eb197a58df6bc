output "opensearch_endpoint" {
  description = "Host name of the store inside the VPC."
  value       = module.infrastructure.store_endpoint
}

output "code_bucket_id" {
  description = "Bucket for DAGs, jobs, workflow config and alert routes."
  value       = module.infrastructure.buckets["code"].id
}

output "mwaa_triggers_queue_url" {
  description = "Queue between the orchestrator and Airflow."
  value       = module.infrastructure.trigger_queue.url
}

output "mwaa_triggers_queue_arn" {
  description = "Queue between the orchestrator and Airflow."
  value       = module.infrastructure.trigger_queue.arn
}

output "airflow_url" {
  description = "Airflow's pages."
  value       = module.infrastructure.mwaa.webserver_url
}

output "console_dns_name" {
  description = "Name that the console's host name must point to; null without load balancer."
  value       = module.pipeline.console_dns_name
}

output "ecs" {
  description = "Cluster and bootstrap task on ECS; null when the chart runs the services."
  value       = module.pipeline.ecs
}

output "helm" {
  description = "What the chart must know; scripts/helm_values.py makes its values of it."
  value = {
    environment         = local.environment
    region              = var.region
    account_id          = var.account_id
    opensearch_url      = "https://${module.infrastructure.store_endpoint}"
    opensearch_replicas = local.store.zones - 1
    topic_arns          = module.pipeline.topic_arns
    queue_urls          = module.pipeline.queue_urls
    trigger_queue_url   = module.infrastructure.trigger_queue.url
    role_arns           = module.pipeline.role_arns
    workflow_config_uri = module.pipeline.workflow_config_uri
    alert_routes_uri    = module.pipeline.alert_routes_uri
    audit_uri           = module.pipeline.audit_uri
    console_url         = var.console.url
    oidc                = merge(var.console.oidc, { token_header = module.pipeline.token_header })
    identity_mode       = var.eks.cluster_arn != null ? "podIdentity" : var.eks.irsa != null ? "irsa" : "none"
  }
}
