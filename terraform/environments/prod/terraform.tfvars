# Put your own account, cluster and identity provider here; sizes stand in main.tf.
region     = "eu-central-1"
account_id = "111111111113"

eks = {
  cluster_arn       = "arn:aws:eks:eu-central-1:111111111113:cluster/prod"
  security_group_id = "sg-00000000000000003"
}

console = {
  url  = "https://dwh.prod.example.com"
  oidc = { issuer = "https://login.example.com", audience = "dwh-prod" }
}
