"""The model that ours and the plain loop read each body with; the other consumers read JSON alone."""

from pydantic import BaseModel


class JobEvent(BaseModel):
    """What `contender.an_event` makes."""

    number: int
    event_type: str
    job_name: str
    job_run_id: str
    status: str
    metrics: dict[str, float]
    artifacts: list[str]
