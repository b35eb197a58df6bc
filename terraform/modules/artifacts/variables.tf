variable "environment" {
  description = "Environment: part of every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.environment))
    error_message = "environment must match [a-z][a-z0-9-]{1,15}, for example dev."
  }
}

variable "buckets" {
  description = "Short names of the buckets."
  type        = set(string)
}

variable "key_arn" {
  description = "KMS key of the objects."
  type        = string
}

variable "rejected_days" {
  description = "Days after which objects tagged dwh-retention=rejected are deleted."
  type        = number
  default     = 14

  validation {
    condition     = var.rejected_days >= 1
    error_message = "rejected_days must be at least 1."
  }
}

variable "noncurrent_days" {
  description = "Days that overwritten and deleted versions are kept."
  type        = number
  default     = 90
}
