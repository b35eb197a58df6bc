"""Traces of handled and sent messages, for the collector that `DWH_OTLP_ENDPOINT` names; none without it.

Promises a span for each message that continues the trace its attribute `traceparent` names (at a batch
consumer a span for each batch, linked to the traces of its messages), and that attribute on what is sent
meanwhile. A collector that is away costs spans, never
messages: they wait in a bounded queue, outside the event loop. Sampling and further resource attributes come
from the standard `OTEL_*` variables.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from dwh_runtime.settings import ServiceSettings

_CLOSE_SECONDS = 3.0
_EXPORT_SECONDS = 5.0


async def _nothing() -> None:
    """Of tracing that is off."""


@dataclass(frozen=True, slots=True)
class Tracing:
    """What a composition root wires up; of tracing that is off, nothing."""

    middlewares: Sequence[Any] = ()
    """For the broker."""
    context: Callable[[], dict[str, str]] = dict
    """Attributes by which whoever receives what is sent now continues the trace."""
    close: Callable[[], Awaitable[None]] = _nothing
    """Send what is left, for at most three seconds."""


def open_tracing(settings: ServiceSettings, service: str) -> Tracing:
    """Tracing as the settings have it."""
    if settings.otlp_endpoint is None:
        return Tracing()
    # Here, and not above: a service that traces nothing loads none of it.
    from faststream_sqs.otel import SQSTelemetryMiddleware  # noqa: PLC0415
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
        TraceContextTextMapPropagator,
    )

    resource = {
        "service.name": service,
        "service.namespace": "dwh",
        "deployment.environment.name": settings.environment,
    }
    provider = TracerProvider(resource=Resource.create(resource), shutdown_on_exit=False)
    url = f"{settings.otlp_endpoint.rstrip('/')}/v1/traces"
    exporter = OTLPSpanExporter(endpoint=url, timeout=_EXPORT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    propagator = TraceContextTextMapPropagator()

    def context() -> dict[str, str]:
        carrier: dict[str, str] = {}
        propagator.inject(carrier)
        return {name: carrier[name] for name in ("traceparent",) if name in carrier}

    async def close() -> None:
        await _within(_CLOSE_SECONDS, provider.shutdown)

    middleware = SQSTelemetryMiddleware(tracer_provider=provider, include_messages_counters=False)
    return Tracing([middleware], context, close)


async def _within(seconds: float, work: Callable[[], None]) -> None:
    """Do blocking work for so long at most; what is not done by then keeps no process from ending."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def run() -> None:
        work()
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=run, daemon=True).start()
    with suppress(TimeoutError):
        await asyncio.wait_for(done.wait(), seconds)
