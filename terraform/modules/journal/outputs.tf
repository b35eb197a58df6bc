output "bucket_id" {
  description = "The locked bucket."
  value       = aws_s3_bucket.this.id
}

output "bucket_arn" {
  description = "ARN of the locked bucket."
  value       = aws_s3_bucket.this.arn
}

output "stream_name" {
  description = "The delivery stream, for its alarm."
  value       = aws_kinesis_firehose_delivery_stream.this.name
}
