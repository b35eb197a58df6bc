"""Tell the metrics and the store when a poison brake engages or releases; the fact is what pages people."""

from collections.abc import Awaitable, Callable, Sequence

from dwh_contracts.clock import Clock
from dwh_contracts.facts import system_fact
from dwh_contracts.parse import Event, event_from_body
from dwh_contracts.times import format_time

from dwh_runtime import metrics
from dwh_runtime.brake import Announce
from dwh_runtime.logging import get_logger

log = get_logger(__name__)

Record = Callable[[Sequence[Event]], Awaitable[object]]
"""`Store.record`."""


def brake_announcer(
    queue: str, *, environment: str, service: str, clock: Clock, record: Record | None
) -> Announce:
    """An announcer for the brake of `queue`; a fact that cannot be recorded is logged and the brake acts."""

    async def announce(engaged: bool) -> None:  # noqa: FBT001 - the one thing there is to say
        metrics.BRAKE_ENGAGED.labels(service, queue).set(engaged)
        if record is None:
            return
        now = clock.now()
        body = system_fact(
            "brake_engaged" if engaged else "brake_released",
            environment=environment,
            service=service,
            subject=queue,
            version=format_time(now),
            timestamp=now,
            now=now,
        )
        try:
            await record([event_from_body(body)])
        except Exception as error:
            log.exception("brake_fact_not_recorded", engaged=engaged, error=str(error))

    return announce
