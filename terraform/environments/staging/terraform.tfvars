# Put your own account, cluster and identity provider here; sizes stand in main.tf.
region     = "eu-central-1"
account_id = "111111111112"

eks = {
  cluster_arn       = "arn:aws:eks:eu-central-1:111111111112:cluster/staging"
  security_group_id = "sg-00000000000000002"
}

console = {
  url  = "https://dwh.staging.example.com"
  oidc = { issuer = "https://login.example.com", audience = "dwh-staging" }
}
