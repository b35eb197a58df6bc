# Service × action × resource. `tests/terraform/least_privilege.json` holds the same table as data: a change
# here without one there fails a test. An entry without resources grants nothing.

locals {
  receive = [
    "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
  ]
  park  = ["sqs:SendMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl"]
  store = ["es:ESHttpGet", "es:ESHttpHead", "es:ESHttpPost", "es:ESHttpPut"]

  call_store = { actions = local.store, resources = ["${var.store_domain_arn}/*"] }
  # Receiving needs Decrypt; sending into an encrypted queue or topic needs both.
  use_message_key = { actions = ["kms:Decrypt", "kms:GenerateDataKey"], resources = [var.message_key_arn] }
  read_data_key   = { actions = ["kms:Decrypt"], resources = [var.data_key_arn] }

  # Every service: its queue, its dead letters, events that travel by claim check, the store.
  consumer = {
    for name in ["indexer", "alerts", "orchestrator", "approvals"] : name => {
      ReceiveFromOwnQueue = { actions = local.receive, resources = [var.queues[name].arn] }
      ParkInOwnDlq        = { actions = local.park, resources = [var.queues[name].dlq_arn] }
      ReadClaimChecks     = { actions = ["s3:GetObject"], resources = ["${var.data_bucket_arn}/*"] }
      CallStore           = local.call_store
      UseMessageKey       = local.use_message_key
      ReadDataKey         = local.read_data_key
    }
  }

  workflow_config = {
    actions   = ["s3:GetObject"]
    resources = ["${var.code_bucket_arn}/orchestration/workflow_config.json"]
  }

  permissions = {
    indexer = merge(local.consumer.indexer, {
      CopyDigests   = { actions = ["s3:PutObject"], resources = ["${var.journal.bucket_arn}/digests/*"] }
      UseJournalKey = { actions = ["kms:Decrypt", "kms:GenerateDataKey"], resources = [var.journal.key_arn] }
    })

    alerts = merge(local.consumer.alerts, {
      PublishAlerts = {
        actions   = ["sns:Publish"]
        resources = [var.topic_arns["quality-alerts-warning"], var.topic_arns["quality-alerts-critical"]]
      }
      ReadRoutes = {
        actions   = ["s3:GetObject"]
        resources = ["${var.code_bucket_arn}/orchestration/alert_routes.json"]
      }
      MeasureDeadLetters = {
        actions = ["sqs:GetQueueAttributes"]
        resources = concat(
          [for name, queue in var.queues : queue.dlq_arn if name != "alerts"],
          [var.trigger_queue.dlq_arn],
        )
      }
    })

    orchestrator = merge(local.consumer.orchestrator, {
      ReadWorkflowConfig = local.workflow_config
      SendTriggers       = { actions = ["sqs:SendMessage", "sqs:GetQueueAttributes"], resources = [var.trigger_queue.arn] }
      MeasureTriggersDlq = { actions = ["sqs:GetQueueAttributes"], resources = [var.trigger_queue.dlq_arn] }
      StartGlueJobs      = { actions = ["glue:StartJobRun", "glue:GetJobRuns"], resources = var.triggered.glue_job_arns }
      StartExecutions    = { actions = ["states:StartExecution"], resources = var.triggered.state_machine_arns }
      PutEvents          = { actions = ["events:PutEvents"], resources = var.triggered.event_bus_arns }
    })

    approvals = merge(local.consumer.approvals, {
      ReadWorkflowConfig = local.workflow_config
      PublishDecisions   = { actions = ["sns:Publish"], resources = [var.topic_arns["job-approvals"]] }
    })

    bootstrap = { CallStore = local.call_store }

    selftest = {
      PublishTestEvent = { actions = ["sns:Publish"], resources = [var.topic_arns["job-events"]] }
      UseMessageKey    = local.use_message_key
      ReadStore = {
        actions   = ["es:ESHttpGet", "es:ESHttpHead", "es:ESHttpPost"] # a search is a POST
        resources = ["${var.store_domain_arn}/*"]
      }
    }
  }
}
