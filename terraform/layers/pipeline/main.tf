# What a run's event passes through: topics, queues, journal, the services' roles, the console, the alarms.

locals {
  listed    = jsondecode(file("${path.module}/../../../deploy/consumers.json"))
  consumers = local.listed.consumers
  alerts    = { warning = "quality-alerts-warning", critical = "quality-alerts-critical" }
  code      = "s3://${var.buckets["code"].id}"

  # A load balancer cannot set `Authorization`.
  token_header = var.console.load_balancer == null ? "authorization" : module.console[0].token_header

  workflow_config_uri = "${local.code}/orchestration/workflow_config.json"
  alert_routes_uri    = "${local.code}/orchestration/alert_routes.json"
  audit_uri           = "s3://${module.journal.bucket_id}/digests"

  # What every service reads from its environment, on ECS as by the chart.
  settings = {
    for name, value in {
      DWH_OPENSEARCH_URL                    = "https://${var.store_endpoint}"
      DWH_OPENSEARCH_AUTH                   = "sigv4"
      DWH_OPENSEARCH_REPLICAS               = tostring(var.store_replicas)
      DWH_OPENSEARCH_WAIT_FOR_ACTIVE_SHARDS = var.store_replicas > 0 ? "2" : "1"
      DWH_JOB_EVENTS_TOPIC_ARN              = module.messaging.topic_arns["job-events"]
      DWH_JOB_APPROVALS_TOPIC_ARN           = module.messaging.topic_arns["job-approvals"]
      DWH_ALERTS_WARNING_TOPIC_ARN          = module.messaging.topic_arns["quality-alerts-warning"]
      DWH_ALERTS_CRITICAL_TOPIC_ARN         = module.messaging.topic_arns["quality-alerts-critical"]
      DWH_MWAA_TRIGGERS_QUEUE_URL           = var.trigger_queue.url
      DWH_WORKFLOW_CONFIG_URI               = local.workflow_config_uri
      DWH_ALERT_ROUTES_URI                  = local.alert_routes_uri
      DWH_AUDIT_URI                         = local.audit_uri
      DWH_OTLP_ENDPOINT                     = var.otlp_endpoint
      DWH_CONSOLE_URL                       = var.console.url
      DWH_AUTH_MODE                         = "oidc"
      DWH_OIDC_ISSUER                       = var.console.oidc.issuer
      DWH_OIDC_AUDIENCE                     = var.console.oidc.audience
      DWH_OIDC_GROUPS_CLAIM                 = var.console.oidc.groups_claim
      DWH_OIDC_TOKEN_HEADER                 = local.token_header
    } : name => value if value != ""
  }
}

module "messaging" {
  source = "../../modules/messaging"

  environment                = var.environment
  topics                     = local.listed.topics
  alarm_topics               = values(local.alerts)
  queues                     = { for name, consumer in local.consumers : name => consumer.queue }
  dead_letter_retention_days = local.listed.dead_letters.retention_days
  key_arn                    = var.keys.messages

  subscriptions = {
    for name, consumer in local.consumers : name => {
      for topic, filter in consumer.subscriptions : topic => jsonencode(filter)
    }
  }
}

module "journal" {
  source = "../../modules/journal"

  environment  = var.environment
  lock_mode    = var.journal.lock_mode
  lock_days    = var.journal.lock_days
  key_arn      = var.keys.journal
  logs_key_arn = var.keys.logs

  topic_arns = { for topic in ["job-events", "job-approvals"] : topic => module.messaging.topic_arns[topic] }
}

module "consumer_identity" {
  source = "../../modules/consumer_identity"

  environment      = var.environment
  queues           = module.messaging.queues
  trigger_queue    = var.trigger_queue
  topic_arns       = module.messaging.topic_arns
  triggered        = var.triggered
  store_domain_arn = var.store.domain_arn
  code_bucket_arn  = var.buckets["code"].arn
  data_bucket_arn  = var.buckets["data"].arn
  journal          = { bucket_arn = module.journal.bucket_arn, key_arn = var.keys.journal }
  message_key_arn  = var.keys.messages
  data_key_arn     = var.keys.data
  eks_cluster_arn  = var.eks.cluster_arn
  irsa             = var.eks.irsa
  namespace        = var.eks.namespace
  ecs              = var.ecs != null
}

module "console" {
  source = "../../modules/console"
  count  = var.console.load_balancer == null ? 0 : 1

  environment               = var.environment
  vpc_id                    = var.network.vpc_id
  subnet_ids                = var.console.load_balancer.internal ? var.network.private_subnet_ids : var.network.public_subnet_ids
  internal                  = var.console.load_balancer.internal
  client_cidrs              = var.console.load_balancer.client_cidrs
  service_security_group_id = coalesce(var.eks.security_group_id, var.network.consumers_security_group_id)
  certificate_arn           = var.console.load_balancer.certificate_arn
  oidc                      = merge(var.console.load_balancer.oidc, { issuer = var.console.oidc.issuer })
  oidc_client_secret        = var.oidc_client_secret
  deletion_protection       = var.environment != "dev"
}

module "ecs_consumer" {
  source = "../../modules/ecs_consumer"
  count  = var.ecs == null ? 0 : 1

  environment               = var.environment
  consumers                 = local.consumers
  sizes                     = var.ecs_sizes
  image                     = var.ecs.image
  image_repository_arn      = var.ecs.image_repository_arn
  secret_arns               = var.ecs.secret_arns
  queue_urls                = { for name, queue in module.messaging.queues : name => queue.url }
  task_role_arns            = module.consumer_identity.role_arns
  settings                  = local.settings
  console_target_group_arns = module.console[*].target_group_arn
  subnet_ids                = var.network.private_subnet_ids
  security_group_id         = var.network.consumers_security_group_id
  logs_key_arn              = var.keys.logs
}

module "alarms" {
  source = "../../modules/alarms"

  environment            = var.environment
  queues                 = merge(module.messaging.queues, { "mwaa-triggers" = var.trigger_queue })
  undelivered_queue_name = module.messaging.undelivered_queue_name
  topics                 = local.listed.topics
  store                  = var.store
  mwaa_name              = var.mwaa_name
  journal_stream_name    = module.journal.stream_name
  action_topic_arns      = { for severity, topic in local.alerts : severity => module.messaging.topic_arns[topic] }
}
