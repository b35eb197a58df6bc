"""A complete environment for `ServiceSettings`, to change one thing of."""


def base_environment(**overrides: str) -> dict[str, str]:
    """`DWH_*` variables of a local service; `overrides` by full name."""
    return {
        "DWH_ENVIRONMENT": "local",
        "DWH_QUEUE_URL": "http://127.0.0.1:8085/000000000000/dwh-local-indexer",
        "DWH_OPENSEARCH_URL": "http://127.0.0.1:9201",
        "DWH_HTTP_PORT": "0",
        "AWS_REGION": "us-east-1",
        **overrides,
    }
