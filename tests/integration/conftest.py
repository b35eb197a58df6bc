"""The real node and the AWS stand-in, started once per pytest worker."""

from dwh_local.testing import (  # noqa: F401 - fixtures
    aws_environment,
    environment,
    gateway,
    names,
    node_of_each_line,
    node_of_each_line_at_length,
    nodes,
    opensearch_node,
)
