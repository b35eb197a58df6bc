"""What approvals reads from its environment beside the settings of every service."""

from typing import Literal
from urllib.parse import urlsplit

from dwh_runtime.links import parse_keys
from dwh_runtime.settings import ServiceSettings
from pydantic import SecretStr, model_validator

SERVICE = "approvals"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Settings(ServiceSettings):
    """Where decisions go, which policy applies and how people are known; read once, in `app.py`."""

    job_approvals_topic_arn: str
    workflow_config_uri: str
    csrf_keys: SecretStr
    auth_mode: Literal["oidc", "local"]
    oidc_issuer: str | None = None
    oidc_audience: str | None = None
    oidc_groups_claim: str = "groups"
    oidc_token_header: Literal["authorization", "x-amzn-oidc-accesstoken"] = "authorization"  # noqa: S105 - a name
    """Where a load balancer that signs people in puts their token; `Authorization` counts before it."""
    console_url: str | None = None
    approvals_url: str | None = None

    @model_validator(mode="after")
    def _identity_is_certain(self) -> "Settings":
        """Never open by accident: a mode that cannot tell who somebody is refuses to start."""
        if self.auth_mode == "oidc":
            self._check_oidc()
        elif not self.is_local:
            raise ValueError("DWH_AUTH_MODE=local needs DWH_ENVIRONMENT=local: anybody could be anybody")
        return self

    def _check_oidc(self) -> None:
        given = {"DWH_OIDC_ISSUER": self.oidc_issuer, "DWH_OIDC_AUDIENCE": self.oidc_audience}
        missing = [name for name, value in given.items() if not value]
        if missing:
            raise ValueError(f"DWH_AUTH_MODE=oidc needs {' and '.join(missing)}")
        if not is_trustworthy(str(self.oidc_issuer)):
            raise ValueError(f"DWH_OIDC_ISSUER must be an https address, not {self.oidc_issuer}")

    @model_validator(mode="after")
    def _keys_are_long(self) -> "Settings":
        try:
            parse_keys(self.csrf_keys.get_secret_value())
        except ValueError as error:
            raise ValueError(f"DWH_CSRF_KEYS: {error}") from None
        return self


def is_trustworthy(url: str) -> bool:
    """Whether nobody on the way can change what this address answers."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK))
