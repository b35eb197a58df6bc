"""Record a decision, then perform its triggers, each once under its own claim.

Order: `decision_recorded` → per trigger `trigger_requested` → claim → send → `trigger_sent` or
`trigger_failed`. What is stored is what is performed: a redelivery after a config change meets the
recorded triggers. One failing trigger never stops its neighbours.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from dwh_contracts import facts
from dwh_contracts.canonical import JsonObject, JsonValue
from dwh_contracts.clock import Clock
from dwh_contracts.parse import Event, event_from_body
from dwh_contracts.times import format_time
from dwh_contracts.triggers import trigger_run_id
from dwh_contracts.workflow import WorkflowConfig
from dwh_eventstore import Appended, Store
from dwh_runtime.config_source import ConfigInForce
from dwh_runtime.effects import EffectExecutor, EffectOutcome, Step
from dwh_runtime.outcomes import Retry

from dwh_orchestrator import metrics
from dwh_orchestrator.decide import Decision, PlannedTrigger
from dwh_orchestrator.settings import SERVICE
from dwh_orchestrator.triggers import Sender

STALE_AFTER = timedelta(hours=48)


class Effects:
    """Performs decisions for one service instance."""

    def __init__(
        self, store: Store, executor: EffectExecutor, senders: Mapping[str, Sender], clock: Clock
    ) -> None:
        self._store = store
        self._executor = executor
        self._senders = senders
        self._clock = clock

    async def perform(
        self, cause: Event, run: Event, decision: Decision, in_force: ConfigInForce[WorkflowConfig]
    ) -> None:
        """Record what was decided on `cause`, then perform what is on record.

        Raises:
            Retry: a trigger is held or its target is away; every other trigger was tried before.
        """
        record = await self._record(cause, decision, in_force)
        waiting: list[Retry] = []
        for trigger in recorded_triggers(record):
            try:
                await self._trigger(trigger, cause, run, record)
            except Retry as retry:
                waiting.append(retry)
        if waiting:
            raise min(waiting, key=lambda retry: retry.after or 0.0)

    async def _record(
        self, cause: Event, decision: Decision, in_force: ConfigInForce[WorkflowConfig]
    ) -> Event:
        body = facts.decision_recorded(
            cause.body,
            service=SERVICE,
            rules=[rule.as_json() for rule in decision.rules],
            now=self._clock.now(),
            config_version=in_force.version,
            config_etag=in_force.etag,
            reason=decision.reason,
            situation=decision.situation,
            triggers=[trigger.as_json() for trigger in decision.triggers],
        )
        event = event_from_body(body)
        [appended] = await self._store.record([event])
        if appended is Appended.STORED:
            metrics.DECISIONS.labels(SERVICE, decision.situation).inc()
            for rule in decision.rules:
                metrics.RULES.labels(SERVICE, str(rule.matched).lower()).inc()
            return event
        stored = await self._store.events.get(event.event_id, event.timestamp, family="effect")
        if stored is None:
            raise Retry(f"the decision record {event.event_id} could not be stored: {appended.name}")
        return stored

    async def _trigger(self, trigger: PlannedTrigger, cause: Event, run: Event, record: Event) -> None:
        key = f"trigger|{trigger.trigger_id}"

        def fact(step: str, timestamp: datetime, outcome: str | None, **more: JsonValue) -> JsonObject:
            return facts.trigger_fact(
                step,
                run_keys(run, cause),
                key=key,
                trigger={
                    **trigger.as_json(),
                    "config_version": record.body.get("config_version"),
                    "input_event_id": cause.event_id,
                    **more,
                },
                timestamp=timestamp,
                now=self._clock.now(),
                outcome=outcome,
            )

        await self._store.record([event_from_body(fact("requested", cause.timestamp, None))])
        refusal = self._refusal(trigger)
        if refusal is not None:
            body = fact("failed", cause.timestamp, "failed", error=refusal)
            await self._store.record([event_from_body(body)])
            return
        if self._clock.now() - cause.timestamp > STALE_AFTER:
            await self._store.record([event_from_body(fact("skipped", cause.timestamp, "skipped_stale"))])
            return

        async def call(_possible_duplicate: bool) -> JsonObject:  # noqa: FBT001 - the run id deduplicates
            message = message_of(trigger, cause, run, self._clock.now())
            return await self._senders[trigger.type](trigger, message)

        def on_fact(ended: EffectOutcome) -> JsonObject:
            return fact(
                ended.step.value,
                ended.claimed_at,
                "done" if ended.step is Step.SENT else "failed",
                message_id=ended.response.get("message_id"),
                error=ended.error,
                possible_duplicate=ended.possible_duplicate,
            )

        await self._executor.perform(key, call, idempotent_target=True, on_fact=on_fact)

    def _refusal(self, trigger: PlannedTrigger) -> str | None:
        if trigger.error is not None:
            return trigger.error
        if trigger.type not in self._senders:
            known = ", ".join(sorted(self._senders))
            return f"this service has no sender for the trigger type {trigger.type}; it sends {known}"
        return None


def run_keys(run: Event, cause: Event) -> JsonObject:
    """What a fact says of its run, and of the event that caused it."""
    return {**run.body, "event_id": cause.event_id, "timestamp": cause.body["timestamp"]}


def recorded_triggers(record: Event) -> Sequence[PlannedTrigger]:
    """The triggers of a stored decision."""
    triggers: Any = record.body.get("triggers") or []
    return [PlannedTrigger.from_json(trigger) for trigger in triggers]


def message_of(trigger: PlannedTrigger, cause: Event, run: Event, now: datetime) -> JsonObject:
    """The message on mwaa-triggers (contracts.md 8)."""
    return {
        "schema_version": "1.0",
        "trigger_id": trigger.trigger_id,
        "dag_id": trigger.target,
        "run_id": trigger_run_id(run.job_name, trigger.trigger_id),
        "created_at": format_time(now),
        "attempt": 1,
        "environment": run.environment,
        "source": {
            "job_name": run.job_name,
            "job_run_id": run.job_run_id,
            "attempt": run.attempt,
            "event_id": cause.event_id,
            "event_type": cause.event_type,
            "trigger_set": trigger.trigger_set,
            "rule_id": trigger.rule_id,
        },
        "conf": trigger.conf,
    }
