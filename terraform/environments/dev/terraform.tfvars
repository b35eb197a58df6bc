# Put your own account, cluster and identity provider here; sizes stand in main.tf.
region     = "eu-central-1"
account_id = "111111111111"

eks = {
  cluster_arn       = "arn:aws:eks:eu-central-1:111111111111:cluster/dev"
  security_group_id = "sg-00000000000000001"
}

console = {
  url  = "https://dwh.dev.example.com"
  oidc = { issuer = "https://login.example.com", audience = "dwh-dev" }
}
