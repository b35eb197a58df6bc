output "target_group_arn" {
  description = "Target group: of the ECS service, or of a TargetGroupBinding on EKS."
  value       = aws_lb_target_group.this.arn
}

output "token_header" {
  description = "Header in which the service finds the token of a person who signed in here."
  value       = "x-amzn-oidc-accesstoken"
}

output "dns_name" {
  description = "Name that the console's host name must point to."
  value       = aws_lb.this.dns_name
}
