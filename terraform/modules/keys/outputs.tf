output "arns" {
  description = "ARN of each key: messages, data, store, journal, logs."
  value       = { for name, key in aws_kms_key.this : name => key.arn }
}
