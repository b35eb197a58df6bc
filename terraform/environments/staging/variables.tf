variable "region" {
  description = "AWS region of the environment."
  type        = string
}

variable "account_id" {
  description = "The account that may be changed: a mistaken profile stops before anything happens."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be 12 digits."
  }
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
  description = "The services on ECS instead: image by digest, its repository, secrets by service and variable."
  type = object({
    image                = string
    image_repository_arn = string
    secret_arns          = optional(map(map(string)), {})
  })
  default = null
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
}

variable "otlp_endpoint" {
  description = "Collector of traces for services on ECS (OTLP over HTTPS, port 443); empty for none."
  type        = string
  default     = ""
}

variable "oidc_client_secret" {
  description = "Client secret of the load balancer: TF_VAR_oidc_client_secret, never a file."
  type        = string
  default     = ""
  sensitive   = true
}
