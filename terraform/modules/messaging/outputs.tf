output "topic_arns" {
  description = "ARN by short name of the topic."
  value       = { for name, topic in aws_sns_topic.this : name => topic.arn }
}

output "queues" {
  description = "Name, URL and ARN of each queue and of its dead letters, by short name."
  value = {
    for name, queue in aws_sqs_queue.main : name => {
      name     = queue.name
      url      = queue.url
      arn      = queue.arn
      dlq_name = aws_sqs_queue.dead[name].name
      dlq_url  = aws_sqs_queue.dead[name].url
      dlq_arn  = aws_sqs_queue.dead[name].arn
    }
  }
}

output "undelivered_queue_name" {
  description = "Queue of messages that SNS could not deliver; null without subscriptions."
  value       = one(aws_sqs_queue.undelivered[*].name)
}
