variable "environment" {
  description = "Environment: part of every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.environment))
    error_message = "environment must match [a-z][a-z0-9-]{1,15}, for example dev."
  }
}

variable "engine_version" {
  description = "OpenSearch version: 2.19 or 3.x."
  type        = string
  default     = "OpenSearch_3.1"

  validation {
    condition     = can(regex("^OpenSearch_(2\\.19|3\\.[0-9]+)$", var.engine_version))
    error_message = "engine_version must be OpenSearch_2.19 or OpenSearch_3.x: the store needs no older one."
  }
}

variable "instance_type" {
  description = "Data nodes."
  type        = string
}

variable "instance_count" {
  description = "Number of data nodes, a multiple of the zones."
  type        = number

  validation {
    condition     = var.instance_count > 0 && var.instance_count % length(var.subnet_ids) == 0
    error_message = "instance_count must be a multiple of the number of subnet_ids (one per zone)."
  }
}

variable "dedicated_master_type" {
  description = "Instance type of three dedicated masters; null for none."
  type        = string
  default     = null
}

variable "volume_gb" {
  description = "Storage of each data node in GB."
  type        = number

  validation {
    condition     = var.volume_gb >= 10
    error_message = "volume_gb must be at least 10."
  }
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "One private subnet per zone that holds data."
  type        = list(string)

  validation {
    condition     = contains([1, 2, 3], length(var.subnet_ids))
    error_message = "subnet_ids must be one, two or three."
  }
}

variable "client_security_group_ids" {
  description = "Who may reach the domain: security group id by name."
  type        = map(string)
}

variable "master_role_arn" {
  description = "Role with all rights in the domain: that of bootstrap, which makes templates and indices."
  type        = string
}

variable "key_arn" {
  description = "KMS key of the domain."
  type        = string
}

variable "logs_key_arn" {
  description = "KMS key of log groups."
  type        = string
}

variable "log_retention_days" {
  description = "Days that the domain's logs are kept."
  type        = number
  default     = 90
}
