"""The real node and the AWS stand-in, started once per pytest worker."""

from dwh_local.testing import (  # noqa: F401 - fixtures
    aws_environment,
    environment,
    gateway,
    names,
    opensearch_node,
)
