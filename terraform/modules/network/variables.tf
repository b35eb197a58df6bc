variable "environment" {
  description = "Environment: part of every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.environment))
    error_message = "environment must match [a-z][a-z0-9-]{1,15}, for example dev."
  }
}

variable "cidr" {
  description = "Address range of the VPC, a /16."
  type        = string

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && endswith(var.cidr, "/16")
    error_message = "cidr must be an IPv4 /16, for example 10.40.0.0/16."
  }
}

variable "availability_zones" {
  description = "Zones with one private and one public subnet each."
  type        = list(string)

  validation {
    condition     = contains([2, 3], length(distinct(var.availability_zones)))
    error_message = "availability_zones must name two or three different zones."
  }
}

variable "nat" {
  description = "Ways out of the private subnets: none, single (one zone's failure cuts all), per_zone."
  type        = string
  default     = "per_zone"

  validation {
    condition     = contains(["none", "single", "per_zone"], var.nat)
    error_message = "nat must be none, single or per_zone."
  }
}

variable "interface_endpoints" {
  description = "AWS services reached without leaving the VPC."
  type        = set(string)
  default = [
    "sqs", "sns", "logs", "monitoring", "kms", "secretsmanager", "sts", "ecr.api", "ecr.dkr", "glue",
  ]
}

variable "logs_key_arn" {
  description = "KMS key of log groups."
  type        = string
}

variable "log_retention_days" {
  description = "Days that flow logs are kept."
  type        = number
  default     = 30
}
