"""Settings every service has, read once from the environment at start.

Guarantees: the model is frozen; a missing, wrong or unknown `DWH_` variable is a `SettingsError` with
one line per problem; secrets are `SecretStr`, may come from `<NAME>_FILE`, and never stand in an error.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from dwh_contracts.names import ENVIRONMENT
from pydantic import AliasChoices, Field, SecretStr, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from dwh_runtime.settings_names import PREFIX, SECRETS, unknown_names

S = TypeVar("S", bound="ServiceSettings")


class SettingsError(Exception):
    """The environment does not make a complete and correct set of settings."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class ServiceSettings(BaseSettings):
    """What all four services need; each adds its own fields in its `settings.py`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, env_ignore_empty=True, extra="forbid")

    environment: Annotated[str, StringConstraints(pattern=rf"^{ENVIRONMENT.pattern}$")]
    queue_url: str
    http_port: int = Field(ge=0, le=65535)
    http_host: str = ""
    """Address the HTTP server listens on: nobody else's business on a laptop, the pod's otherwise."""
    aws_region: str = Field(
        default="us-east-1", validation_alias=AliasChoices("AWS_REGION", "AWS_DEFAULT_REGION")
    )

    opensearch_url: str
    opensearch_auth: Literal["none", "basic", "sigv4"] = "none"
    opensearch_user: str | None = None
    opensearch_password: SecretStr | None = None
    opensearch_replicas: int = Field(default=0, ge=0)
    opensearch_wait_for_active_shards: str = "1"

    handler_seconds: float = Field(default=20.0, gt=0)
    drain_seconds: float = Field(default=25.0, gt=0)
    visibility_seconds: int = Field(default=60, gt=0, le=43_200)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"
    otlp_endpoint: Annotated[str, StringConstraints(pattern=r"^https?://[^/@\s]+(/[^@\s]*)?$")] | None = None
    """Base address of a collector that takes OTLP over HTTP; keys go into `OTEL_EXPORTER_OTLP_HEADERS`."""

    @model_validator(mode="before")
    @classmethod
    def _listens_where_it_runs(cls, values: dict[str, Any]) -> dict[str, Any]:
        local = values.get("environment") == "local"
        return {"http_host": "127.0.0.1" if local else "0.0.0.0"} | values

    @model_validator(mode="after")
    def _consistent(self) -> "ServiceSettings":
        if self.visibility_seconds < self.handler_seconds:
            raise ValueError("DWH_VISIBILITY_SECONDS must be at least DWH_HANDLER_SECONDS")
        if self.opensearch_auth == "basic" and not (self.opensearch_user and self.opensearch_password):
            raise ValueError(
                "DWH_OPENSEARCH_AUTH=basic needs DWH_OPENSEARCH_USER and DWH_OPENSEARCH_PASSWORD"
            )
        return self

    @property
    def is_local(self) -> bool:
        """True in the one environment in which weaker identity and loopback addresses are allowed."""
        return self.environment == "local"

    def store_options(self) -> dict[str, Any]:
        """Keyword arguments for `dwh_eventstore.StoreSettings`, the service's name left to add."""
        return {
            "url": self.opensearch_url,
            "auth": self.opensearch_auth,
            "user": self.opensearch_user,
            "password": self.opensearch_password and self.opensearch_password.get_secret_value(),
            "region": self.aws_region,
            "environment": self.environment,
            "replicas": self.opensearch_replicas,
            "wait_for_active_shards": self.opensearch_wait_for_active_shards,
        }

    def secrets(self) -> list[str]:
        """The secret values themselves, for the log's redaction."""
        return [value.get_secret_value() for _, value in self if isinstance(value, SecretStr)]

    def redacted(self) -> dict[str, Any]:
        """Every setting for the start-up log line, secrets starred out."""
        return {
            name: "**********" if isinstance(value, SecretStr) else value
            for name, value in self.model_dump(mode="python").items()
        }


def load(cls: type[S]) -> S:
    """Read `cls` from the environment.

    Raises:
        SettingsError: naming every problem at once, so that one restart is enough.
    """
    problems = unknown_names(os.environ)
    values, unreadable = _from_files(os.environ)
    problems += unreadable
    try:
        settings = cls(**{name: value for name, value in values.items() if name in cls.model_fields})
    except ValidationError as error:
        problems += [_line(detail) for detail in error.errors(include_input=False, include_url=False)]
        raise SettingsError(problems) from None
    if problems:
        raise SettingsError(problems)
    return settings


def _from_files(environ: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    values: dict[str, Any] = {}
    problems = []
    for name in sorted(SECRETS):
        path = environ.get(f"{name}_FILE")
        if not path:
            continue
        if environ.get(name):
            problems.append(f"{name} and {name}_FILE are both set; keep one")
            continue
        try:
            values[name.removeprefix(PREFIX).lower()] = Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            problems.append(f"{name}_FILE cannot be read: {error.strerror}: {path}")
    return values, problems


def _line(detail: ErrorDetails) -> str:
    if not detail["loc"]:
        return detail["msg"].removeprefix("Value error, ")
    field = str(detail["loc"][0])
    name = field if field.startswith("AWS_") else f"{PREFIX}{field.upper()}"
    return f"{name} is missing" if detail["type"] == "missing" else f"{name}: {detail['msg']}"
