variable "environment" {
  description = "Environment: part of every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.environment))
    error_message = "environment must match [a-z][a-z0-9-]{1,15}, for example dev."
  }
}

variable "keys" {
  description = "KMS keys of the infrastructure."
  type        = object({ messages = string, data = string, journal = string, logs = string })
}

variable "network" {
  description = "Network of the infrastructure."
  type = object({
    vpc_id                      = string
    private_subnet_ids          = list(string)
    public_subnet_ids           = list(string)
    consumers_security_group_id = string
  })
}

variable "buckets" {
  description = "Buckets of the infrastructure: code and data."
  type        = map(object({ id = string, arn = string }))
}

variable "trigger_queue" {
  description = "The queue mwaa-triggers of the infrastructure."
  type        = object({ name = string, url = string, arn = string, dlq_name = string, dlq_arn = string })
}

variable "store" {
  description = "The OpenSearch domain of the infrastructure."
  type        = object({ domain_arn = string, domain_name = string, volume_gb = number })
}

variable "store_endpoint" {
  description = "Host name of the domain."
  type        = string
}

variable "store_replicas" {
  description = "Replicas of every index: one less than the zones that hold data."
  type        = number
}

variable "mwaa_name" {
  description = "Airflow environment of the infrastructure."
  type        = string
}

variable "journal" {
  description = "Object Lock of the journal."
  type = object({
    lock_mode = optional(string, "GOVERNANCE")
    lock_days = optional(number, 400)
  })
  default = {}
}

variable "eks" {
  description = "Cluster that runs the chart: its ARN for Pod Identity, or an OIDC provider for IRSA; its security group."
  type = object({
    cluster_arn       = optional(string)
    irsa              = optional(object({ provider_arn = string, issuer = string }))
    security_group_id = optional(string)
    namespace         = optional(string, "dwh")
  })
  default = {}
}

variable "ecs" {
  description = "The services on ECS: image by digest, its repository, secrets; null when the chart runs them."
  type = object({
    image                = string
    image_repository_arn = string
    secret_arns          = optional(map(map(string)), {})
  })
  default = null
}

variable "ecs_sizes" {
  description = "Sizes of the services on ECS, as the module ecs_consumer describes them."
  type = map(object({
    cpu              = optional(number, 256)
    memory           = optional(number, 512)
    minimum          = optional(number, 1)
    maximum          = optional(number, 4)
    backlog_per_task = optional(number, 300)
  }))
  default = {}
}

variable "console" {
  description = "Address of the console, its identity provider, and a load balancer in front of it (null for none)."
  type = object({
    url = string
    oidc = object({
      issuer       = string
      audience     = string
      groups_claim = optional(string, "groups")
    })
    load_balancer = optional(object({
      certificate_arn = string
      client_cidrs    = set(string)
      internal        = optional(bool, true)
      oidc = object({
        authorization_endpoint = string
        token_endpoint         = string
        user_info_endpoint     = string
        jwks_endpoint          = string
        client_id              = string
        scope                  = optional(string, "openid email profile")
        request_parameters     = optional(map(string), {})
        session_seconds        = optional(number, 3600)
      })
    }))
  })

  validation {
    condition     = startswith(var.console.url, "https://") && startswith(var.console.oidc.issuer, "https://")
    error_message = "console.url and console.oidc.issuer must begin with https://."
  }
}

variable "otlp_endpoint" {
  description = "Collector of traces for services on ECS (OTLP over HTTPS, port 443); empty for none."
  type        = string
  default     = ""

  validation {
    condition     = var.otlp_endpoint == "" || can(regex("^https://[^/:@\\s]+(:443)?/?$", var.otlp_endpoint))
    error_message = "otlp_endpoint must be empty or https:// and a host: services on ECS reach nothing but port 443."
  }
}

variable "oidc_client_secret" {
  description = "Client secret of the load balancer; only with console.load_balancer."
  type        = string
  default     = ""
  sensitive   = true
}

variable "triggered" {
  description = "What the orchestrator may start beside DAGs."
  type = object({
    glue_job_arns      = optional(list(string), [])
    state_machine_arns = optional(list(string), [])
    event_bus_arns     = optional(list(string), [])
  })
  default = {}
}
