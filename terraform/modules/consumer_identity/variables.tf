variable "environment" {
  description = "Environment: part of every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.environment))
    error_message = "environment must match [a-z][a-z0-9-]{1,15}, for example dev."
  }
}

variable "queues" {
  description = "ARNs of each service's queue and of its dead letters, by service."
  type        = map(object({ arn = string, dlq_arn = string }))

  validation {
    condition     = length(setsubtract(["indexer", "alerts", "orchestrator", "approvals"], keys(var.queues))) == 0
    error_message = "queues must hold indexer, alerts, orchestrator and approvals."
  }
}

variable "trigger_queue" {
  description = "ARNs of mwaa-triggers and of its dead letters."
  type        = object({ arn = string, dlq_arn = string })
}

variable "topic_arns" {
  description = "ARN of each topic, by short name."
  type        = map(string)
}

variable "triggered" {
  description = "What the orchestrator may start beside DAGs: nothing, unless named here."
  type = object({
    glue_job_arns      = optional(list(string), [])
    state_machine_arns = optional(list(string), [])
    event_bus_arns     = optional(list(string), [])
  })
  default = {}

  validation {
    condition = alltrue([
      for arn in concat(var.triggered.glue_job_arns, var.triggered.state_machine_arns, var.triggered.event_bus_arns) :
      startswith(arn, "arn:") && !strcontains(arn, "*")
    ])
    error_message = "triggered must name whole ARNs, without *."
  }
}

variable "store_domain_arn" {
  description = "ARN of the OpenSearch domain."
  type        = string
}

variable "code_bucket_arn" {
  description = "ARN of the bucket with workflow config and alert routes."
  type        = string
}

variable "data_bucket_arn" {
  description = "ARN of the bucket with claim checks."
  type        = string
}

variable "journal" {
  description = "ARNs of the locked bucket, where the indexer puts copies of its digests, and of its KMS key."
  type        = object({ bucket_arn = string, key_arn = string })
}

variable "message_key_arn" {
  description = "KMS key of topics and queues."
  type        = string
}

variable "data_key_arn" {
  description = "KMS key of the buckets."
  type        = string
}

variable "eks_cluster_arn" {
  description = "Cluster whose pods get the roles by Pod Identity; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.eks_cluster_arn == null || can(regex("^arn:[^:]+:eks:[^:]+:[0-9]+:cluster/[^/]+$", var.eks_cluster_arn))
    error_message = "eks_cluster_arn must be arn:<partition>:eks:<region>:<account>:cluster/<name>."
  }
}

variable "irsa" {
  description = "OIDC provider of a cluster without the Pod Identity agent: ARN and issuer without https://."
  type        = object({ provider_arn = string, issuer = string })
  default     = null

  validation {
    condition     = var.irsa == null || !startswith(try(var.irsa.issuer, ""), "https://")
    error_message = "irsa.issuer must be given without https://."
  }
}

variable "ecs" {
  description = "Whether tasks on ECS may take the roles."
  type        = bool
  default     = false
}

variable "namespace" {
  description = "Namespace of the release."
  type        = string
  default     = "dwh"
}

variable "service_account_prefix" {
  description = "Release name: service accounts are <prefix>-<service>."
  type        = string
  default     = "dwh"
}

variable "permissions_boundary_arn" {
  description = "Boundary that the account demands of every role; null for none."
  type        = string
  default     = null
}
