output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "cidr" {
  description = "Address range of the VPC."
  value       = aws_vpc.this.cidr_block
}

output "private_subnet_ids" {
  description = "One private subnet per zone, in the order of the zones."
  value       = [for zone in var.availability_zones : aws_subnet.private[zone].id]
}

output "public_subnet_ids" {
  description = "One public subnet per zone, in the order of the zones."
  value       = [for zone in var.availability_zones : aws_subnet.public[zone].id]
}

output "consumers_security_group_id" {
  description = "Security group of the services on ECS; on EKS that of the cluster takes its place."
  value       = aws_security_group.consumers.id
}
