variable "environment" {
  description = "Environment: part of every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.environment))
    error_message = "environment must match [a-z][a-z0-9-]{1,15}, for example dev."
  }
}

variable "topic_arns" {
  description = "Topics that are journalled: ARN by short name."
  type        = map(string)
}

variable "lock_mode" {
  description = "Object Lock: GOVERNANCE can be lifted by a privileged role, COMPLIANCE by nobody."
  type        = string
  default     = "GOVERNANCE"

  validation {
    condition     = contains(["GOVERNANCE", "COMPLIANCE"], var.lock_mode)
    error_message = "lock_mode must be GOVERNANCE or COMPLIANCE."
  }
}

variable "lock_days" {
  description = "Days that an object cannot be changed or deleted."
  type        = number
  default     = 400

  validation {
    condition     = var.lock_days >= 1
    error_message = "lock_days must be at least 1."
  }
}

variable "key_arn" {
  description = "KMS key of the journal."
  type        = string
}

variable "logs_key_arn" {
  description = "KMS key of log groups."
  type        = string
}

variable "log_retention_days" {
  description = "Days that delivery errors are kept."
  type        = number
  default     = 30
}
