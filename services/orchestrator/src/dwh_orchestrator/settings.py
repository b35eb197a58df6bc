"""What the orchestrator reads from its environment beside the settings of every service."""

from dwh_runtime.settings import ServiceSettings

SERVICE = "orchestrator"


class Settings(ServiceSettings):
    """Where triggers go and which rules apply; read once, in `app.py`."""

    mwaa_triggers_queue_url: str
    workflow_config_uri: str
