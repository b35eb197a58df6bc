variable "environment" {
  description = "Environment: part of every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.environment))
    error_message = "environment must match [a-z][a-z0-9-]{1,15}, for example dev."
  }
}

variable "consumers" {
  description = "The services as deploy/consumers.json lists them: queue and time-outs of each."
  type = map(object({
    queue    = object({ visibility_seconds = number })
    timeouts = object({ handler_seconds = number, drain_seconds = number, grace_seconds = number })
  }))

  validation {
    condition = alltrue([
      for consumer in values(var.consumers) :
      consumer.timeouts.grace_seconds >= consumer.timeouts.drain_seconds + 10
      && consumer.timeouts.grace_seconds <= 120
      && consumer.queue.visibility_seconds >= consumer.timeouts.handler_seconds
    ])
    error_message = "consumers: grace from drain + 10 to 120 seconds (Fargate's limit), visibility at least handler."
  }
}

variable "sizes" {
  description = "Per consumer: CPU units, MiB, number of tasks, waiting messages per task that are no backlog yet."
  type = map(object({
    cpu              = optional(number, 256)
    memory           = optional(number, 512)
    minimum          = optional(number, 1)
    maximum          = optional(number, 4)
    backlog_per_task = optional(number, 300)
  }))

  validation {
    condition     = length(setsubtract(keys(var.consumers), keys(var.sizes))) == 0
    error_message = "sizes must name every consumer."
  }

  validation {
    condition     = alltrue([for size in values(var.sizes) : size.minimum >= 1 && size.maximum >= size.minimum])
    error_message = "sizes: minimum at least 1, maximum at least minimum."
  }
}

variable "image" {
  description = "Image by digest: <repository>@sha256:<digest>."
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image must be named by its digest (…@sha256:…): a tag may change under a running service."
  }
}

variable "image_repository_arn" {
  description = "ARN of the ECR repository of the image."
  type        = string
}

variable "queue_urls" {
  description = "URL of each consumer's queue."
  type        = map(string)
}

variable "task_role_arns" {
  description = "Role of each consumer and of bootstrap."
  type        = map(string)
}

variable "settings" {
  description = "DWH_ variables that all services share."
  type        = map(string)

  validation {
    condition     = alltrue([for name in keys(var.settings) : startswith(name, "DWH_") && !endswith(name, "_FILE")])
    error_message = "settings holds DWH_ variables; secrets go into secret_arns."
  }
}

variable "secret_arns" {
  description = "Consumer => DWH_ variable => ARN of its secret."
  type        = map(map(string))
  default     = {}
}

variable "console_target_group_arns" {
  description = "Target groups that approvals serves; none without console."
  type        = list(string)
  default     = []
}

variable "subnet_ids" {
  description = "Private subnets of the tasks."
  type        = list(string)
}

variable "security_group_id" {
  description = "Security group of the tasks."
  type        = string
}

variable "logs_key_arn" {
  description = "KMS key of log groups."
  type        = string
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 30
}
