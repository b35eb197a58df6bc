output "buckets" {
  description = "Id and ARN of each bucket, by short name."
  value       = { for name, bucket in aws_s3_bucket.this : name => { id = bucket.id, arn = bucket.arn } }
}
