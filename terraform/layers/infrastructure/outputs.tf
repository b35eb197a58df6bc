output "keys" {
  description = "KMS keys by purpose."
  value       = module.keys.arns
}

output "network" {
  description = "VPC, subnets and the services' security group."
  value = {
    vpc_id                      = module.network.vpc_id
    private_subnet_ids          = module.network.private_subnet_ids
    public_subnet_ids           = module.network.public_subnet_ids
    consumers_security_group_id = module.network.consumers_security_group_id
  }
}

output "buckets" {
  description = "Id and ARN of each bucket."
  value       = module.artifacts.buckets
}

output "trigger_queue" {
  description = "The queue mwaa-triggers and its dead letters."
  value       = module.trigger_queue.queues["mwaa-triggers"]
}

output "store_endpoint" {
  description = "Host name of the domain."
  value       = module.event_store.endpoint
}

output "store" {
  description = "The domain: ARN, name, storage."
  value = {
    domain_arn  = module.event_store.domain_arn
    domain_name = module.event_store.domain_name
    volume_gb   = module.event_store.volume_gb
  }
}

output "mwaa" {
  description = "Airflow: name and address of its pages."
  value       = { name = module.mwaa.name, webserver_url = module.mwaa.webserver_url }
}

output "glue_job_arns" {
  description = "Spark jobs on Glue."
  value       = module.glue.job_arns
}
