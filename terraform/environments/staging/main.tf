# The environment staging: infrastructure and pipeline, and the sizes that make it staging.

locals {
  environment = "staging"
  zones       = [for letter in ["a", "b", "c"] : "${var.region}${letter}"]
  clients     = { for id in var.eks.security_group_id[*] : "eks" => id }

  network = { cidr = "10.41.0.0/16", availability_zones = local.zones, nat = "single" }
  store = {
    instance_type         = "m7g.large.search"
    instance_count        = 3
    dedicated_master_type = "m7g.medium.search"
    volume_gb             = 50
    zones                 = 3
  }
  airflow = { environment_class = "mw1.small", workers = { minimum = 1, maximum = 4 } }
  jobs    = { transform_images = { workers = 4 }, filter_images = { workers = 4 } }
  journal = { lock_mode = "GOVERNANCE", lock_days = 30 }

  ecs_sizes = { for name in ["indexer", "alerts", "orchestrator", "approvals"] : name => { maximum = 4 } }
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
