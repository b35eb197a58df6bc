output "endpoint" {
  description = "Host name of the domain inside the VPC."
  value       = aws_opensearch_domain.this.endpoint
}

output "domain_arn" {
  description = "ARN of the domain; known before it exists."
  value       = local.domain_arn
}

output "domain_name" {
  description = "Name of the domain."
  value       = local.name
}

output "volume_gb" {
  description = "Storage of each data node in GB."
  value       = var.volume_gb
}
