"""Where messages go, and how each gets there once.

A delivery is performed under its claim `notify|<incident_id>|<rev>|<sink>`. Where the claim of a process
that died is taken over, nobody knows whether its message went out: the second one says so (G3).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from dwh_contracts import facts
from dwh_contracts.alerts import AlertMessage
from dwh_contracts.canonical import JsonObject
from dwh_contracts.clock import Clock
from dwh_runtime.aws import AwsRefused, Topics
from dwh_runtime.effects import EffectExecutor, EffectOutcome, EffectRefused, Step
from dwh_runtime.links import LinkContent, LinkSigner
from pydantic import JsonValue

from dwh_alerts import metrics
from dwh_alerts.incident import CausedBy, Delivery, Outgoing, notification_key
from dwh_alerts.render import for_sns, needs_decision
from dwh_alerts.settings import SERVICE


class Sink(Protocol):
    """One receiver of messages.

    Guarantees that a message whose call returned was accepted. A call that raised may have been, too.
    """

    async def send(self, message: AlertMessage) -> JsonObject:
        """Send a message and return what the receiver answered.

        Raises:
            EffectRefused: the receiver will never accept it; anything else may pass.
        """
        ...


class SnsSink:
    """An SNS topic. It cannot deduplicate: a second copy says `possible_duplicate`."""

    def __init__(self, topics: Topics, topic_arn: str) -> None:
        self._topics = topics
        self._topic_arn = topic_arn

    async def send(self, message: AlertMessage) -> JsonObject:
        """As `Sink.send`; the answer is SNS's message id."""
        rendered = for_sns(message)
        try:
            message_id = await self._topics.publish(
                self._topic_arn,
                rendered.body,
                rendered.attributes,
                subject=rendered.subject,
                message_structure="json",
            )
        except AwsRefused as refused:
            raise EffectRefused(str(refused)) from refused
        return {"message_id": message_id}


class DecideLinks:
    """Signed links to the decision form; none without keys or console."""

    def __init__(self, signer: LinkSigner | None, console_url: str | None) -> None:
        self._signer = signer
        self._console_url = console_url

    def of(self, outgoing: Outgoing, message: AlertMessage) -> str | None:
        """The link for one delivery; signed at the moment of sending, so it is stored nowhere."""
        if self._signer is None or self._console_url is None or not needs_decision(message):
            return None
        run = outgoing.said.run
        token = self._signer.sign(
            LinkContent(
                environment=run.environment,
                job_name=run.job_name,
                job_run_id=run.job_run_id,
                attempt=run.attempt,
                source_event_id=run.event_id,
                artifacts_manifest_sha256=outgoing.said.artifacts_manifest_sha256,
                nonce=self._signer.nonce(outgoing.key),
            )
        )
        return f"{self._console_url.rstrip('/')}/links/{token}"


class Deliveries:
    """Performs stored deliveries."""

    def __init__(
        self,
        executor: EffectExecutor,
        sinks: Mapping[str, Sink],
        links: DecideLinks,
        clock: Clock,
    ) -> None:
        self.sinks = sinks
        self._executor = executor
        self._links = links
        self._clock = clock

    async def perform(self, outgoing: Outgoing) -> None:
        """Make sure that one message has been sent, or refused for good, and that this is recorded.

        Raises:
            Retry: somebody else is at it, or the sink is away.
        """
        sink = outgoing.delivery.sink

        async def call(again: bool) -> JsonObject:  # noqa: FBT001 - the executor's shape
            stored = AlertMessage.model_validate(outgoing.said.message)
            links = stored.links.model_copy(update={"decide": self._links.of(outgoing, stored)})
            message = stored.model_copy(update={"links": links, "possible_duplicate": again})
            answer = await self.sinks[sink].send(message)
            metrics.NOTIFICATION_SECONDS.labels(SERVICE, sink).observe(
                max((self._clock.now() - outgoing.caused_by.timestamp).total_seconds(), 0.0)
            )
            return answer

        outcome = await self._executor.perform(
            outgoing.key,
            call,
            idempotent_target=False,
            on_fact=lambda outcome: ended_fact(outgoing, outcome),
        )
        if not outcome.repeated:
            metrics.NOTIFICATIONS.labels(SERVICE, sink, outcome.step.value).inc()


# --- facts --------------------------------------------------------------------------------------------


def ended_fact(outgoing: Outgoing, outcome: EffectOutcome) -> JsonObject:
    """How a delivery ended."""
    ended = "possible_duplicate" if outcome.possible_duplicate else "done"
    return notification_fact(
        outgoing.incident_id,
        outgoing.delivery,
        outgoing.caused_by,
        step=outcome.step.value,
        outcome=ended if outcome.step is Step.SENT else "failed",
        timestamp=outcome.claimed_at,
        message_id=outcome.response.get("message_id"),
        error=outcome.error,
        possible_duplicate=outcome.possible_duplicate,
    )


def notification_fact(
    incident_id: str,
    delivery: Delivery,
    cause: CausedBy,
    *,
    step: str,
    outcome: str,
    timestamp: datetime,
    **more: JsonValue,
) -> JsonObject:
    """What became of one message: `sent`, `failed` or `skipped`."""
    return facts.notification_fact(
        step,
        environment=cause.environment,
        key=notification_key(incident_id, delivery),
        sink=delivery.sink,
        incident_id=incident_id,
        rev=delivery.rev,
        timestamp=timestamp,
        # A producer's clock ahead of ours counts as no lag.
        now=max(timestamp, cause.timestamp),
        cause=cause.model_dump(mode="json"),
        outcome=outcome,
        service=SERVICE,
        transition=delivery.transition.value,
        input_event_id=cause.event_id,
        **more,
    )
