eks = {}
ecs = {
  image                = "111111111111.dkr.ecr.eu-central-1.amazonaws.com/dwh@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  image_repository_arn = "arn:aws:ecr:eu-central-1:111111111111:repository/dwh"
  secret_arns = {
    indexer   = { DWH_AUDIT_KEY = "arn:aws:secretsmanager:eu-central-1:111111111111:secret:dwh-prod-audit-key" }
    alerts    = { DWH_LINK_KEYS = "arn:aws:secretsmanager:eu-central-1:111111111111:secret:dwh-prod-link-keys" }
    approvals = { DWH_CSRF_KEYS = "arn:aws:secretsmanager:eu-central-1:111111111111:secret:dwh-prod-csrf-keys" }
  }
}
console = {
  url  = "https://dwh.example.com"
  oidc = { issuer = "https://login.example.com", audience = "dwh" }
  load_balancer = {
    certificate_arn = "arn:aws:acm:eu-central-1:111111111111:certificate/x"
    client_cidrs    = ["10.0.0.0/8"]
    oidc = {
      authorization_endpoint = "https://login.example.com/a"
      token_endpoint         = "https://login.example.com/t"
      user_info_endpoint     = "https://login.example.com/u"
      jwks_endpoint          = "https://login.example.com/j"
      client_id              = "dwh"
    }
  }
}
oidc_client_secret = "s"

otlp_endpoint = "https://traces.example.com"
