# The environment dev: infrastructure and pipeline, and the sizes that make it dev.

locals {
  environment = "dev"
  zones       = [for letter in ["a", "b"] : "${var.region}${letter}"]
  clients     = { for id in var.eks.security_group_id[*] : "eks" => id }

  network = { cidr = "10.40.0.0/16", availability_zones = local.zones, nat = "single" }
  store   = { instance_type = "t3.medium.search", instance_count = 1, volume_gb = 20, zones = 1 }
  airflow = { environment_class = "mw1.small", workers = { minimum = 1, maximum = 2 } }
  jobs    = { transform_images = {}, filter_images = {} }
  journal = { lock_mode = "GOVERNANCE", lock_days = 7 }

  ecs_sizes = { for name in ["indexer", "alerts", "orchestrator", "approvals"] : name => { maximum = 2 } }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = { Application = "dwh", Environment = local.environment, ManagedBy = "terraform" }
  }
}

module "infrastructure" {
  source = "../../layers/infrastructure"

  environment          = local.environment
  network              = local.network
  store                = merge(local.store, { client_security_group_ids = local.clients })
  airflow              = local.airflow
  jobs                 = local.jobs
  bootstrap_role_arn   = module.pipeline.bootstrap_role_arn
  job_events_topic_arn = module.pipeline.topic_arns["job-events"]
}

module "pipeline" {
  source = "../../layers/pipeline"

  environment        = local.environment
  keys               = module.infrastructure.keys
  network            = module.infrastructure.network
  buckets            = module.infrastructure.buckets
  trigger_queue      = module.infrastructure.trigger_queue
  store              = module.infrastructure.store
  store_endpoint     = module.infrastructure.store_endpoint
  store_replicas     = local.store.zones - 1
  mwaa_name          = module.infrastructure.mwaa.name
  journal            = local.journal
  eks                = var.eks
  ecs                = var.ecs
  ecs_sizes          = local.ecs_sizes
  console            = var.console
  oidc_client_secret = var.oidc_client_secret
  otlp_endpoint      = var.otlp_endpoint
}
