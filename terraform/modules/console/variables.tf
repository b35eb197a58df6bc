variable "environment" {
  description = "Environment: part of every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.environment))
    error_message = "environment must match [a-z][a-z0-9-]{1,15}, for example dev."
  }
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets of the load balancer, in at least two zones: public ones, or private ones when internal."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids must be at least two, in different zones."
  }
}

variable "internal" {
  description = "Whether the load balancer is reached from inside the VPC and its peers only."
  type        = bool
  default     = true
}

variable "client_cidrs" {
  description = "Addresses of people that may connect."
  type        = set(string)

  validation {
    condition     = alltrue([for cidr in var.client_cidrs : can(cidrhost(cidr, 0))])
    error_message = "client_cidrs must be address ranges, for example 10.0.0.0/8."
  }
}

variable "service_security_group_id" {
  description = "Security group of the service approvals."
  type        = string
}

variable "port" {
  description = "Port of the service approvals."
  type        = number
  default     = 8080
}

variable "certificate_arn" {
  description = "ACM certificate of the console's host name."
  type        = string
}

variable "oidc" {
  description = "The identity provider; its endpoints as its discovery document names them; what is asked of it."
  type = object({
    issuer                 = string
    authorization_endpoint = string
    token_endpoint         = string
    user_info_endpoint     = string
    jwks_endpoint          = string
    client_id              = string
    scope                  = optional(string, "openid email profile")
    request_parameters     = optional(map(string), {})
    session_seconds        = optional(number, 3600)
  })

  validation {
    condition = alltrue([
      for url in [
        var.oidc.issuer, var.oidc.authorization_endpoint, var.oidc.token_endpoint, var.oidc.user_info_endpoint,
        var.oidc.jwks_endpoint,
      ] : startswith(url, "https://")
    ])
    error_message = "oidc: issuer and endpoints must begin with https://."
  }

  validation {
    condition     = var.oidc.session_seconds >= 60 && var.oidc.session_seconds <= 604800
    error_message = "oidc.session_seconds must be from 60 to 604800."
  }
}

variable "oidc_client_secret" {
  description = "Client secret of the load balancer; give it as TF_VAR_oidc_client_secret, never in a file."
  type        = string
  sensitive   = true
}

variable "deletion_protection" {
  description = "Whether the load balancer refuses to be deleted."
  type        = bool
  default     = true
}
