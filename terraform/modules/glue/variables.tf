variable "environment" {
  description = "Environment: part of every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.environment))
    error_message = "environment must match [a-z][a-z0-9-]{1,15}, for example dev."
  }
}

variable "jobs" {
  description = "Jobs by name: text of the configuration file, workers, time limit, runs at a time."
  type = map(object({
    config          = string
    worker_type     = optional(string, "G.1X")
    workers         = optional(number, 2)
    timeout_minutes = optional(number, 120)
    concurrent_runs = optional(number, 4)
  }))

  validation {
    condition     = alltrue([for job in values(var.jobs) : can(jsondecode(job.config)) && job.workers >= 2])
    error_message = "jobs: config must be JSON, workers at least 2."
  }
}

variable "glue_version" {
  description = "Glue version; 5.1 runs Python 3.11 and Spark 3.5."
  type        = string
  default     = "5.1"

  validation {
    condition     = contains(["5.1", "6.0"], var.glue_version)
    error_message = "glue_version must be 5.1 or 6.0: the jobs need Python 3.11 or newer."
  }
}

variable "code_bucket" {
  description = "Bucket of scripts, packages and configuration."
  type        = object({ id = string, arn = string })
}

variable "data_bucket" {
  description = "Bucket of the data."
  type        = object({ id = string, arn = string })
}

variable "package_key" {
  description = "Object with the packages dwh_jobs and dwh_contracts, in the code bucket."
  type        = string
  default     = "jobs/dwh_jobs.zip"
}

variable "python_modules" {
  description = "Distributions that Glue installs beside its own, comma-separated."
  type        = string
  default     = "pydantic>=2.11,jmespath"
}

variable "job_events_topic_arn" {
  description = "Topic of job events."
  type        = string
}

variable "data_key_arn" {
  description = "KMS key of the buckets."
  type        = string
}

variable "message_key_arn" {
  description = "KMS key of the topics."
  type        = string
}

variable "logs_key_arn" {
  description = "KMS key of log groups."
  type        = string
}
