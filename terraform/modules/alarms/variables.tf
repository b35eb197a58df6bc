variable "environment" {
  description = "Environment: part of every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.environment))
    error_message = "environment must match [a-z][a-z0-9-]{1,15}, for example dev."
  }
}

variable "queues" {
  description = "Full names of each queue and of its dead letters, by short name."
  type        = map(object({ name = string, dlq_name = string }))
}

variable "undelivered_queue_name" {
  description = "Queue of messages that SNS could not deliver; null for none."
  type        = string
  default     = null
}

variable "topics" {
  description = "Short names of the topics."
  type        = set(string)
}

variable "store" {
  description = "The OpenSearch domain: its name, and the storage of each data node in GB."
  type        = object({ domain_name = string, volume_gb = number })
}

variable "mwaa_name" {
  description = "Airflow environment; null for none."
  type        = string
  default     = null
}

variable "journal_stream_name" {
  description = "Delivery stream of the journal; null for none."
  type        = string
  default     = null
}

variable "oldest_message_seconds" {
  description = "Age of a waiting message that is worth an alarm."
  type        = number
  default     = 900

  validation {
    condition     = var.oldest_message_seconds >= 60
    error_message = "oldest_message_seconds must be at least 60: one visibility time-out is no incident."
  }
}

variable "action_topic_arns" {
  description = "Where alarms go: topic by severity."
  type        = object({ warning = string, critical = string })
}
