# One state per environment, locked by a file beside it; the bucket is made once, by hand (terraform/README.md).
terraform {
  backend "s3" {
    bucket       = "dwh-staging-terraform-state"
    key          = "warehouse.tfstate"
    region       = "eu-central-1"
    encrypt      = true
    use_lockfile = true
  }
}
