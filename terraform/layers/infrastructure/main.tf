# What lasts: network, keys, buckets, store, Airflow, Spark jobs, and the queue between pipeline and Airflow.

locals {
  listed = jsondecode(file("${path.module}/../../../deploy/consumers.json"))
  jobs   = "${path.module}/../../../jobs/config"
}

module "keys" {
  source = "../../modules/keys"

  environment = var.environment
}

module "network" {
  source = "../../modules/network"

  environment        = var.environment
  cidr               = var.network.cidr
  availability_zones = var.network.availability_zones
  nat                = var.network.nat
  logs_key_arn       = module.keys.arns.logs
}

module "artifacts" {
  source = "../../modules/artifacts"

  environment = var.environment
  buckets     = local.listed.buckets
  key_arn     = module.keys.arns.data
}

module "trigger_queue" {
  source = "../../modules/messaging"

  environment                = var.environment
  queues                     = local.listed.queues
  dead_letter_retention_days = local.listed.dead_letters.retention_days
  key_arn                    = module.keys.arns.messages
}

module "event_store" {
  source = "../../modules/event_store"

  environment           = var.environment
  engine_version        = var.store.engine_version
  instance_type         = var.store.instance_type
  instance_count        = var.store.instance_count
  dedicated_master_type = var.store.dedicated_master_type
  volume_gb             = var.store.volume_gb
  vpc_id                = module.network.vpc_id
  subnet_ids            = slice(module.network.private_subnet_ids, 0, var.store.zones)
  master_role_arn       = var.bootstrap_role_arn
  key_arn               = module.keys.arns.store
  logs_key_arn          = module.keys.arns.logs

  client_security_group_ids = merge(
    { consumers = module.network.consumers_security_group_id },
    var.store.client_security_group_ids,
  )
}

module "glue" {
  source = "../../modules/glue"

  environment          = var.environment
  code_bucket          = module.artifacts.buckets["code"]
  data_bucket          = module.artifacts.buckets["data"]
  job_events_topic_arn = var.job_events_topic_arn
  data_key_arn         = module.keys.arns.data
  message_key_arn      = module.keys.arns.messages
  logs_key_arn         = module.keys.arns.logs

  jobs = {
    for name, size in var.jobs : name => merge(size, { config = file("${local.jobs}/${name}.json") })
  }
}

module "mwaa" {
  source = "../../modules/mwaa"

  environment          = var.environment
  airflow_version      = var.airflow.version
  environment_class    = var.airflow.environment_class
  schedulers           = var.airflow.schedulers
  workers              = var.airflow.workers
  public_web_server    = var.airflow.public_web_server
  code_bucket          = module.artifacts.buckets["code"]
  trigger_queue        = module.trigger_queue.queues["mwaa-triggers"]
  job_events_topic_arn = var.job_events_topic_arn
  glue_job_arns        = module.glue.job_arns
  job_config_uri       = module.glue.config_uri
  vpc_id               = module.network.vpc_id
  subnet_ids           = module.network.private_subnet_ids
  data_key_arn         = module.keys.arns.data
  message_key_arn      = module.keys.arns.messages
}
