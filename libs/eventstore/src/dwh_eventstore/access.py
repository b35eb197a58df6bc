"""Who we are to the engine, and what a person can do when it says no."""

from typing import Literal

Auth = Literal["none", "basic", "sigv4"]

DENIED = frozenset({401, 403})
_CLOSED_INDEX = "cluster_block_exception"
_NEW_CREDENTIALS = (
    "renew them where they come from (the role of the pod or task, AWS_PROFILE, AWS_SESSION_TOKEN)"
)
_SIGV4 = (
    ("signature expired", "this machine's clock differs from AWS's: set it"),
    ("not yet current", "this machine's clock differs from AWS's: set it"),
    ("security token", f"the AWS credentials are expired or unknown: {_NEW_CREDENTIALS}"),
    ("valid region", "it is not the region of the domain: set AWS_REGION"),
    (
        "correct service",
        "DWH_OPENSEARCH_URL is no Amazon OpenSearch domain: use the auth modes none or basic",
    ),
    (
        "signature we calculated",
        "the secret key is not that of the access key, or something between changes requests",
    ),
    (
        "not authorized to perform",
        "let the role use es:ESHttp* on the domain, in its policy and the domain's",
    ),
    ("no permissions for", "map the role's ARN to a role of the domain's fine-grained access control"),
)
_ANY_SIGV4 = "let the role use the domain: its own policy, the domain's, the domain's role mapping"
_BASIC = {
    401: "check DWH_OPENSEARCH_USER and DWH_OPENSEARCH_PASSWORD",
    403: "give the user of DWH_OPENSEARCH_USER a role with this right",
}
_NONE = "it asks who we are: set DWH_OPENSEARCH_AUTH to basic or sigv4"


def is_denial(status: object, reason: str) -> bool:
    """Whether an answer is about who asks, and not about what is asked for."""
    return status in DENIED and not reason.startswith(_CLOSED_INDEX)


def remedy(auth: Auth, status: int, reason: str) -> str:
    """What a person has to change before the same request succeeds."""
    if auth == "none":
        return _NONE
    if auth == "basic":
        return _BASIC[status]
    told = reason.lower()
    return next((what for sign, what in _SIGV4 if sign in told), _ANY_SIGV4)
