"""The documents of `decisions-v1`: what an approval is, who won it, and what became of the others.

Approvals alone writes them; orchestrator and alerts read them. Each is created once; a head changes by
compare-and-set, a claim only to say that its steps are done.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self

from dwh_contracts.approvals import Outcome
from dwh_contracts.canonical import JsonObject
from dwh_contracts.ids import job_event_id
from dwh_contracts.times import UtcTime
from pydantic import BaseModel, ConfigDict

State = Literal["PENDING", "APPROVED", "REJECTED", "EXPIRED"]


@dataclass(frozen=True, slots=True)
class RunKey:
    """One attempt of one run: what is decided on."""

    environment: str
    job_name: str
    job_run_id: str
    attempt: int

    @classmethod
    def of(cls, body: JsonObject) -> Self:
        """The key of an event or a record."""
        found: Any = body
        return cls(found["environment"], found["job_name"], found["job_run_id"], found["attempt"])

    @property
    def fields(self) -> JsonObject:
        """As they stand in events and records."""
        return {
            "environment": self.environment,
            "job_name": self.job_name,
            "job_run_id": self.job_run_id,
            "attempt": self.attempt,
        }

    def id(self, kind: str) -> str:
        """`approval|…`, `decision|…`: documents of this attempt."""
        return f"{kind}|{self.environment}|{self.job_name}|{self.job_run_id}|{self.attempt}"

    @property
    def newest_id(self) -> str:
        """`newest|…`: one document for all attempts."""
        return f"newest|{self.environment}|{self.job_name}|{self.job_run_id}"


class Record(BaseModel):
    """A document; fields of a newer version are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")

    environment: str
    job_name: str
    job_run_id: str
    attempt: int
    created_at: UtcTime

    @property
    def key(self) -> RunKey:
        """Which attempt it is about."""
        return RunKey(self.environment, self.job_name, self.job_run_id, self.attempt)

    @property
    def body(self) -> JsonObject:
        """As it is stored."""
        stored: JsonObject = self.model_dump(mode="json")
        return stored


class Vote(BaseModel):
    """One person's yes where several are needed; `told` once its facts are in the store."""

    model_config = ConfigDict(frozen=True)

    voter: str
    at: UtcTime
    event: dict[str, Any]
    told: bool = False


class Head(Record):
    """`approval|…`: the opening with the values it fixed, and the votes."""

    kind: Literal["approval"] = "approval"
    state: State = "PENDING"
    opened_at: UtcTime
    expires_at: UtcTime
    required: int
    policy: dict[str, Any]
    config_version: str
    source_event_id: str
    source_timestamp: UtcTime
    artifacts_manifest_sha256: str | None
    requester: str | None
    votes: tuple[Vote, ...] = ()

    @property
    def run_document_id(self) -> str:
        """Id of the run in `job-events`; that of its event unless the producer brought another."""
        return job_event_id("job_completed", self.environment, self.job_name, self.job_run_id, self.attempt)

    def due(self, percent: int) -> datetime:
        """When this share of the term is over."""
        return self.opened_at + (self.expires_at - self.opened_at) * percent / 100


class DecisionClaim(Record):
    """`decision|…`: the one final decision; whoever creates it has won."""

    kind: Literal["decision"] = "decision"
    state: Literal["open", "done"] = "open"
    event: dict[str, Any]
    source_event_id: str
    source_timestamp: UtcTime
    artifacts_manifest_sha256: str | None
    config_version: str
    voters: tuple[str, ...]
    opened_at: UtcTime
    done_at: UtcTime | None = None

    @property
    def event_id(self) -> str:
        """Id of the winning event."""
        return str(self.event["event_id"])

    @property
    def decision(self) -> State:
        """What was decided."""
        decided: State = self.event["decision"]
        return decided


class VerdictClaim(Record):
    """`verdict|<event id>`: what became of a decision that did not win."""

    kind: Literal["verdict"] = "verdict"
    state: Literal["open", "done"] = "open"
    event_id: str
    event: dict[str, Any]
    outcome: Outcome
    reason: str
    done_at: UtcTime | None = None


def verdict_key(event_id: str) -> str:
    """Id of the verdict on a decision."""
    return f"verdict|{event_id}"


def early_key(event_id: str) -> str:
    """Id of a decision that came before its run."""
    return f"early|{event_id}"
