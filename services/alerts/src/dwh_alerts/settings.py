"""What alerts reads from its environment."""

from dwh_runtime.settings import ServiceSettings
from pydantic import SecretStr

SERVICE = "alerts"


class Settings(ServiceSettings):
    """The common settings, where messages go and what they link to."""

    alerts_warning_topic_arn: str
    alerts_critical_topic_arn: str
    console_url: str | None = None
    link_keys: SecretStr | None = None
