"""Every event that can follow from one run, as bodies the services write."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from dwh_contracts import facts, ids
from dwh_contracts.canonical import JsonObject
from dwh_contracts.parse import Event, event_from_body
from dwh_contracts.times import format_time, parse_time
from pydantic import JsonValue

START = parse_time("2026-11-23T08:01:48.250000Z")
_COLOURS = {
    "GREEN": ("SUCCESS", None),
    "YELLOW": ("SUCCESS", None),
    "RED": ("PENDING_APPROVAL", "QUALITY"),
}


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The events of one run attempt; `minute` moves an event in time."""

    job_name: str = "transform_images"
    job_run_id: str = "run-1"
    attempt: int = 1
    environment: str = "local"
    start: datetime = START

    @property
    def run_id(self) -> str:
        """Id of its job_completed event, which is that of its document."""
        return ids.job_event_id("job_completed", *self._key)

    @property
    def trigger_id(self) -> str:
        """Id of the trigger its first rule starts."""
        return ids.trigger_id(*self._key, "on_success", "r1")

    @property
    def incident_id(self) -> str:
        """Id of the first incident of its job's quality."""
        return ids.incident_id(self.environment, f"{self.environment}/{self.job_name}/quality", 1)

    @property
    def _key(self) -> tuple[str, str, str, int]:
        return self.environment, self.job_name, self.job_run_id, self.attempt

    def envelope(self, event_type: str, event_id: str, minute: float, **fields: JsonValue) -> JsonObject:
        """A body with the envelope of this run."""
        return {
            "schema_version": "1.0",
            "event_type": event_type,
            "event_id": event_id,
            "environment": self.environment,
            "job_name": self.job_name,
            "job_run_id": self.job_run_id,
            "attempt": self.attempt,
            "timestamp": self.at(minute),
            **fields,
        }

    def at(self, minute: float) -> str:
        """A moment of this run."""
        return format_time(self.start + timedelta(minutes=minute))

    def started(self, minute: float = -2, **fields: JsonValue) -> Event:
        """`job_started`."""
        event_id = ids.job_event_id("job_started", *self._key)
        told: dict[str, JsonValue] = {"metrics": {"created_by": "airflow"}, **fields}
        return event_from_body(self.envelope("job_started", event_id, minute, **told))

    def completed(self, colour: str = "RED", minute: float = 0, **fields: JsonValue) -> Event:
        """`job_completed` of this quality."""
        status, failure_type = _COLOURS[colour]
        check: JsonValue = {
            "name": "drop_rate",
            "status": colour,
            "value": 0.115,
            "threshold": 0.1,
            "message": "drop rate 11.5%",
            "rule_version": "1",
        }
        body = self.envelope("job_completed", self.run_id, minute)
        told: JsonObject = {
            "status": status,
            "failure_type": failure_type,
            "artifacts_available": True,
            "artifacts_base_path": "s3://dwh-local-data/images/runs/run-1/a1",
            "artifacts": [{"name": "nautilus", "path": "s3://x/y", "records": 10, "bytes": 20}],
            "artifacts_manifest": {"uri": "s3://x/_manifest.json", "bytes": 12, "sha256": "a" * 64},
            "quality": {"status": colour, "evaluated": True, "checks": [check]},
            "metrics": self.metrics({"extract": {"corrupt_records": 600}}),
            "error": None,
        }
        return event_from_body(body | told | fields)

    def metrics(self, payload: JsonObject) -> JsonObject:
        """Metrics with this payload."""
        return {
            "job_name": self.job_name,
            "job_run_id": self.job_run_id,
            "job_status": "SUCCESS",
            "start_date": "2026-11-23T07:00:00.000000Z",
            "duration_seconds": 20.0,
            "records_read": 200,
            "records_written": 150,
            "records_dropped": 50,
            "bytes_written": 4000,
            "drop_reasons": [{"reason": "corrupt", "count": 50}],
            "phases": {"extract": {"duration_seconds": 4.5}},
            "payload": payload,
        }

    def requested(self, minute: float = 1, *, hours: float = 72) -> Event:
        """`approval_requested`."""
        event_id = ids.approval_event_id("approval_requested", *self._key)
        return event_from_body(
            self.envelope(
                "approval_requested",
                event_id,
                minute,
                opened_at=self.at(minute),
                expires_at=self.at(hours * 60),
                required=1,
                policy={},
                config_version="c1",
                source_event_id=self.run_id,
            )
        )

    def reminder(self, stage: str = "50", *, hours: float = 72) -> Event:
        """`approval_reminder`."""
        event_id = ids.approval_reminder_id(*self._key, stage)
        return event_from_body(
            self.envelope("approval_reminder", event_id, 60, stage=stage, expires_at=self.at(hours * 60))
        )

    def decision(self, decision: str = "APPROVED", by: str = "ann", minute: float = 5) -> Event:
        """`approval_decision`."""
        event_id = ids.approval_decision_id(*self._key, decision, by)
        return event_from_body(
            self.envelope(
                "approval_decision",
                event_id,
                minute,
                decision=decision,
                decided_by=by,
                decided_by_verified=True,
                principal=f"local:{by}",
                channel="api",
                reason=f"{by} looked at the rows",
                source_event_id=self.run_id,
                artifacts_manifest_sha256="a" * 64,
            )
        )

    def accepted(self, decision: Event, minute: float = 6) -> Event:
        """`approval_accepted` of a decision."""
        event_id = ids.approval_event_id("approval_accepted", *self._key)
        return event_from_body(
            self.envelope(
                "approval_accepted",
                event_id,
                minute,
                accepted_event_id=decision.event_id,
                decision=decision.body["decision"],
                decided_by=decision.body["decided_by"],
                voters=[decision.body["decided_by"]],
                source_event_id=self.run_id,
                artifacts_manifest_sha256="a" * 64,
            )
        )

    def verdict(self, decision: Event, outcome: str, minute: float = 7) -> Event:
        """`approval_verdict` on a decision."""
        event_id = ids.approval_verdict_id(self.environment, decision.event_id)
        return event_from_body(
            self.envelope(
                "approval_verdict",
                event_id,
                minute,
                decision_event_id=decision.event_id,
                outcome=outcome,
                reason="the run was decided before",
            )
        )

    def expired(self, by: str = "system:expiry", minute: float = 4320) -> Event:
        """`approval_expired`."""
        event_id = ids.approval_event_id("approval_expired", *self._key)
        return event_from_body(
            self.envelope(
                "approval_expired",
                event_id,
                minute,
                decision="EXPIRED",
                decided_by=by,
                source_event_id=self.run_id,
            )
        )

    def recorded(self, cause: Event, **more: JsonValue) -> Event:
        """`decision_recorded` of the orchestrator."""
        rules: list[JsonObject] = more.pop("rules", [])  # type: ignore[assignment]
        reason = str(more.pop("reason", "1 of 1 rules matched"))
        return event_from_body(
            facts.decision_recorded(
                cause.body,
                service="orchestrator",
                rules=rules,
                now=self.start,
                config_version="c1",
                reason=reason,
                **more,  # type: ignore[arg-type]
            )
        )

    def trigger(self, step: str, minute: float = 2, **more: JsonValue) -> Event:
        """`trigger_<step>` of the orchestrator."""
        trigger: JsonObject = {
            "trigger_id": self.trigger_id,
            "trigger_set": "on_success",
            "rule_id": "r1",
            "type": "sqs_mwaa",
            "target": "filter_dag",
            "conf": {"window": "07:00"},
            "config_version": "c1",
        }
        return event_from_body(
            facts.trigger_fact(
                step,
                self.envelope("job_completed", self.run_id, 0),
                key=f"trigger|{self.trigger_id}",
                trigger=trigger,
                timestamp=self.start + timedelta(minutes=minute),
                now=self.start,
                **more,  # type: ignore[arg-type]
            )
        )

    def dag_run(self, event_type: str, minute: float = 3, **fields: JsonValue) -> Event:
        """`dag_run_created`, `dag_run_finished` or the dispatcher's `trigger_failed`."""
        dag_run = f"trig__{self.job_name}__{self.trigger_id}"
        event_id = ids.digest(event_type, self.environment, dag_run, self.at(minute))
        more: JsonObject = {"dag_id": "filter_dag", "dag_run_id": dag_run, "trigger_id": self.trigger_id}
        if event_type == "trigger_failed":
            more = {"dag_id": "filter_dag", "trigger_id": self.trigger_id, "reason": "unknown DAG"}
        return event_from_body(self.envelope(event_type, event_id, minute, **more, **fields))

    def incident(self, rev: int = 1, state: str = "open", minute: float = 1) -> Event:
        """`incident_transition` to this revision."""
        incident: JsonObject = {
            "incident_id": self.incident_id,
            "incident_key": f"{self.environment}/{self.job_name}/quality",
            "episode": 1,
            "environment": self.environment,
            "job_name": self.job_name,
            "state": state,
            "severity": "critical",
            "rev": rev,
            "updated_at": self.at(minute),
            "title": "quality RED",
            "causes": [
                {
                    "alert_id": "a1",
                    "rule": "quality_red",
                    "severity": "critical",
                    "job_run_id": self.job_run_id,
                }
            ],
            "deliveries": [{"rev": rev, "sink": "sns-critical", "outcome": "planned"}],
        }
        return event_from_body(
            facts.incident_transition(
                incident,
                transition="opened" if rev == 1 else "updated",
                timestamp=self.start + timedelta(minutes=minute),
                now=self.start,
            )
        )

    def notification(self, step: str, rev: int = 1, minute: float = 2) -> Event:
        """`notification_<step>` of one delivery."""
        return event_from_body(
            facts.notification_fact(
                step,
                environment=self.environment,
                key=f"notify|{self.incident_id}|{rev}|sns-critical",
                sink="sns-critical",
                incident_id=self.incident_id,
                rev=rev,
                timestamp=self.start + timedelta(minutes=minute),
                now=self.start,
            )
        )
