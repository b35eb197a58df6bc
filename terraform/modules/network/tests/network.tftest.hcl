mock_provider "aws" {
  source = "../../testing"
}

variables {
  environment        = "dev"
  cidr               = "10.40.0.0/16"
  availability_zones = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
  logs_key_arn       = "arn:aws:kms:eu-central-1:123456789012:key/logs"
}

run "each_zone_has_its_own_way_out" {
  command = plan

  assert {
    condition     = length(aws_nat_gateway.this) == 3 && length(aws_route.nat) == 3
    error_message = "The failure of one zone would cut off another."
  }

  assert {
    condition = length(distinct(concat(
      [for subnet in aws_subnet.private : subnet.cidr_block], [for subnet in aws_subnet.public : subnet.cidr_block],
    ))) == 6
    error_message = "Subnets overlap."
  }
}

run "no_way_out_leaves_the_endpoints" {
  command = plan

  variables {
    nat = "none"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_route.nat) == 0
    error_message = "nat = none must make neither gateway nor route."
  }

  assert {
    condition     = length(setsubtract(["sqs", "sns", "kms", "logs"], keys(aws_vpc_endpoint.interface))) == 0
    error_message = "Services could not reach what they need."
  }
}

run "one_gateway_serves_all_zones" {
  command = plan

  variables {
    nat = "single"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_route.nat) == 3
    error_message = "single: one gateway, a route in each zone."
  }
}

run "bad_ranges_and_zones_are_refused" {
  command = plan

  variables {
    cidr               = "10.40.0.0/20"
    availability_zones = ["eu-central-1a", "eu-central-1a"]
    nat                = "some"
  }

  expect_failures = [var.cidr, var.availability_zones, var.nat]
}
