"""What approvals reads from its environment beside the settings of every service."""

from typing import Literal

from dwh_runtime.links import parse_keys
from dwh_runtime.settings import ServiceSettings
from pydantic import SecretStr, model_validator

SERVICE = "approvals"


class Settings(ServiceSettings):
    """Where decisions go, which policy applies and how people are known; read once, in `app.py`."""

    job_approvals_topic_arn: str
    workflow_config_uri: str
    csrf_keys: SecretStr
    auth_mode: Literal["oidc", "local"]
    console_url: str | None = None
    approvals_url: str | None = None

    @model_validator(mode="after")
    def _identity_is_certain(self) -> "Settings":
        """Never open by accident: a mode that cannot tell who somebody is refuses to start."""
        if self.auth_mode == "oidc":
            raise ValueError("DWH_AUTH_MODE=oidc is not available in this build")
        if not self.is_local:
            raise ValueError("DWH_AUTH_MODE=local needs DWH_ENVIRONMENT=local: anybody could be anybody")
        return self

    @model_validator(mode="after")
    def _keys_are_long(self) -> "Settings":
        try:
            parse_keys(self.csrf_keys.get_secret_value())
        except ValueError as error:
            raise ValueError(f"DWH_CSRF_KEYS: {error}") from None
        return self
