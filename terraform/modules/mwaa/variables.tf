variable "environment" {
  description = "Environment: part of every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.environment))
    error_message = "environment must match [a-z][a-z0-9-]{1,15}, for example dev."
  }
}

variable "airflow_version" {
  description = "Airflow version that MWAA offers, from 2.10.3."
  type        = string
  default     = "3.2.1"

  validation {
    condition     = can(regex("^(2\\.10\\.3|2\\.11\\.[0-9]+|3\\.[0-9]+\\.[0-9]+)$", var.airflow_version))
    error_message = "airflow_version must be 2.10.3, 2.11.x or 3.x.y: the DAGs run on no older one."
  }
}

variable "environment_class" {
  description = "Size of the environment."
  type        = string
  default     = "mw1.small"

  validation {
    condition     = contains(["mw1.micro", "mw1.small", "mw1.medium", "mw1.large", "mw1.xlarge", "mw1.2xlarge"], var.environment_class)
    error_message = "environment_class must be mw1.micro, small, medium, large, xlarge or 2xlarge."
  }
}

variable "schedulers" {
  description = "Number of schedulers; mw1.micro takes 1, all others 2 to 5."
  type        = number
  default     = 2

  validation {
    condition     = var.environment_class == "mw1.micro" ? var.schedulers == 1 : var.schedulers >= 2 && var.schedulers <= 5
    error_message = "schedulers must be 1 on mw1.micro and 2 to 5 on every other class."
  }
}

variable "workers" {
  description = "Least and greatest number of workers."
  type        = object({ minimum = number, maximum = number })
  default     = { minimum = 1, maximum = 5 }

  validation {
    condition     = var.workers.minimum >= 1 && var.workers.maximum >= var.workers.minimum
    error_message = "workers: minimum at least 1, maximum at least minimum."
  }
}

variable "public_web_server" {
  description = "Whether Airflow's pages are reached from the Internet (behind IAM)."
  type        = bool
  default     = false

  validation {
    condition     = !(var.public_web_server && var.environment == "prod")
    error_message = "No public web server in prod."
  }
}

variable "maintenance_window" {
  description = "Day and time (UTC) at which AWS may maintain the environment."
  type        = string
  default     = "SUN:03:30"
}

variable "requirements_path" {
  description = "Object with Airflow's requirements, in the code bucket; null for none."
  type        = string
  default     = null
}

variable "allowed_dag_ids" {
  description = "DAGs that a trigger may start: ids or globs."
  type        = list(string)
  default     = ["filter_image_glue_pyspark"]

  validation {
    condition     = length(var.allowed_dag_ids) > 0 && alltrue([for id in var.allowed_dag_ids : can(regex("^[A-Za-z0-9_.*?-]+$", id))])
    error_message = "allowed_dag_ids must name at least one DAG, in letters, digits and _ . - * ?."
  }
}

variable "code_bucket" {
  description = "Versioned bucket with DAGs below airflow/dags."
  type        = object({ id = string, arn = string })
}

variable "trigger_queue" {
  description = "The queue mwaa-triggers."
  type        = object({ arn = string, url = string })
}

variable "job_events_topic_arn" {
  description = "Topic of job events, which takes the facts of Airflow, too."
  type        = string
}

variable "glue_job_arns" {
  description = "Jobs that DAGs start, by name."
  type        = map(string)
}

variable "job_config_uri" {
  description = "Folder with one JSON per job."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets in different zones; the first two are used."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids must be at least two, in different zones."
  }
}

variable "data_key_arn" {
  description = "KMS key of the buckets and of Airflow's own data."
  type        = string
}

variable "message_key_arn" {
  description = "KMS key of topics and queues."
  type        = string
}
