output "role_arns" {
  description = "ARN of each role: the four services, bootstrap, selftest."
  value       = { for name, role in aws_iam_role.this : name => role.arn }
}
