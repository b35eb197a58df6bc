"""When a call was refused for the credentials it was signed with, or had none."""

RENEWAL_SECONDS = 4.0
"""New clients cost some 100 ms: not for every call of an outage."""

CREDENTIAL_CODES = frozenset(
    {
        "AuthFailure",
        "CredentialRetrievalError",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "NoCredentialsError",
        "PartialCredentialsError",
        "ProfileNotFound",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
        "TokenRetrievalError",
        "UnauthorizedSSOTokenError",
        "UnrecognizedClientException",
    }
)
"""Errors of SQS, SNS and S3 by code, of botocore by class."""
