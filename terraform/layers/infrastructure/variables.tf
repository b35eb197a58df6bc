variable "environment" {
  description = "Environment: part of every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.environment))
    error_message = "environment must match [a-z][a-z0-9-]{1,15}, for example dev."
  }
}

variable "network" {
  description = "Address range, zones, and the ways out (none, single, per_zone)."
  type = object({
    cidr               = string
    availability_zones = list(string)
    nat                = optional(string, "per_zone")
  })
}

variable "store" {
  description = "Size of the OpenSearch domain, and who else may reach it (security group id by name)."
  type = object({
    engine_version            = optional(string, "OpenSearch_3.1")
    instance_type             = string
    instance_count            = number
    dedicated_master_type     = optional(string)
    volume_gb                 = number
    zones                     = number
    client_security_group_ids = optional(map(string), {})
  })

  validation {
    condition     = var.environment == "dev" || (var.store.zones == 3 && var.store.dedicated_master_type != null)
    error_message = "store: outside dev, three zones and dedicated masters."
  }
}

variable "airflow" {
  description = "Version and size of Airflow."
  type = object({
    version           = optional(string, "3.2.1")
    environment_class = optional(string, "mw1.small")
    schedulers        = optional(number, 2)
    workers           = optional(object({ minimum = number, maximum = number }), { minimum = 1, maximum = 5 })
    public_web_server = optional(bool, false)
  })
  default = {}
}

variable "jobs" {
  description = "Spark jobs and their sizes; the configuration of each is jobs/config/<name>.json."
  type = map(object({
    worker_type     = optional(string, "G.1X")
    workers         = optional(number, 2)
    timeout_minutes = optional(number, 120)
    concurrent_runs = optional(number, 4)
  }))
  default = { transform_images = {}, filter_images = {} }
}

variable "bootstrap_role_arn" {
  description = "Role of bootstrap, from the pipeline: master of the store."
  type        = string
}

variable "job_events_topic_arn" {
  description = "Topic of job events, from the pipeline."
  type        = string
}
