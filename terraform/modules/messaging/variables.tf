variable "environment" {
  description = "Environment: part of every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.environment))
    error_message = "environment must match [a-z][a-z0-9-]{1,15}, for example dev."
  }
}

variable "topics" {
  description = "Short names of the topics."
  type        = set(string)
  default     = []
}

variable "alarm_topics" {
  description = "Topics that CloudWatch alarms publish to."
  type        = set(string)
  default     = []
}

variable "queues" {
  description = "Queues by short name; each gets <name>-dlq."
  type = map(object({
    visibility_seconds = number
    max_receive_count  = number
    retention_days     = number
  }))

  validation {
    condition = alltrue([
      for queue in values(var.queues) :
      queue.visibility_seconds >= 1 && queue.visibility_seconds <= 43200
      && queue.max_receive_count >= 1 && queue.max_receive_count <= 1000
      && queue.retention_days >= 1 && queue.retention_days <= 14
    ])
    error_message = "queues: visibility_seconds 1 to 43200, max_receive_count 1 to 1000, retention_days 1 to 14."
  }
}

variable "subscriptions" {
  description = "Queue => topic => filter policy as JSON text; \"{}\" for everything."
  type        = map(map(string))
  default     = {}

  validation {
    condition = alltrue(flatten([
      for topics in values(var.subscriptions) : [for filter in values(topics) : can(jsondecode(filter))]
    ]))
    error_message = "subscriptions: every filter policy must be JSON."
  }

  validation {
    condition = alltrue([
      for queue, topics in var.subscriptions :
      contains(keys(var.queues), queue) && length(setsubtract(keys(topics), var.topics)) == 0
    ])
    error_message = "subscriptions may name only queues and topics that are listed."
  }
}

variable "dead_letter_retention_days" {
  description = "Days that dead letters are kept; longer than any queue's retention."
  type        = number
  default     = 14

  validation {
    condition     = var.dead_letter_retention_days >= 1 && var.dead_letter_retention_days <= 14
    error_message = "dead_letter_retention_days must be from 1 to 14."
  }
}

variable "max_message_bytes" {
  description = "Largest message of a queue; larger events travel as claim checks."
  type        = number
  default     = 1048576
}

variable "key_arn" {
  description = "KMS key of topics and queues; its policy lets SNS and CloudWatch use it."
  type        = string
}
