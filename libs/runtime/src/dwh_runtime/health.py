"""`/livez`, `/readyz`, `/metrics` and `/asyncapi`: what an orchestrator and an operator ask a service.

`/livez` never calls out: an OpenSearch or SQS that is away must not get a healthy process killed.
`/readyz` asks every dependency and says which one is missing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from faststream.specification import AsyncAPI
from faststream_sqs import SQSBroker
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from dwh_runtime import metrics
from dwh_runtime.gate import Check, failures

_PATIENCE_SECONDS = 3.0
_UNAVAILABLE = 503


@dataclass(slots=True)
class Probes:
    """What the health routes need to know about the process they stand in."""

    service: str
    broker: SQSBroker
    ready: Mapping[str, Check]
    stopping: Callable[[], bool]
    _settle_failures_seen: int = 0

    async def livez(self, _request: Request) -> Response:
        """200 while every poll loop turns; that this answers shows that the event loop does."""
        health = self.broker.health()
        return JSONResponse(
            {"live": health.live, "detail": health.detail}, 200 if health.live else _UNAVAILABLE
        )

    async def readyz(self, _request: Request) -> Response:
        """200 while the service takes work: not stopping, receiving, every dependency there."""
        problems = await failures(self.ready, _PATIENCE_SECONDS)
        health = self.broker.health()
        if not health.ready:
            problems["broker"] = str(health.detail)
        if self.stopping():
            problems["service"] = "stopping"
        for name in self.ready:
            metrics.DEPENDENCY_UP.labels(self.service, name).set(name not in problems)
        return JSONResponse({"ready": not problems, "problems": problems}, _UNAVAILABLE if problems else 200)

    async def metrics(self, _request: Request) -> Response:
        """Prometheus text format, the broker's own figures read at this moment."""
        self._observe_broker()
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    def _observe_broker(self) -> None:
        queues = list(self.broker.health().detail.values())
        metrics.INFLIGHT_MESSAGES.labels(self.service).set(sum(queue["in_flight"] for queue in queues))
        metrics.POLL_LOOP_AGE_SECONDS.labels(self.service).set(
            max((q["poll_age"] for q in queues), default=0)
        )
        failures_now = sum(queue["settle_failures"] for queue in queues)
        metrics.SETTLE_FAILURES.labels(self.service).inc(max(failures_now - self._settle_failures_seen, 0))
        self._settle_failures_seen = failures_now

    async def asyncapi(self, _request: Request) -> Response:
        """What this service consumes and produces, as AsyncAPI 3 JSON."""
        document = AsyncAPI(self.broker, title=f"dwh {self.service}").to_specification().to_json()
        return PlainTextResponse(document, media_type="application/json")


def http_app(probes: Probes, app: ASGIApp | None) -> Starlette:
    """The routes of every service in front of the service's own, if it has any."""
    routes: list[Route | Mount] = [
        Route("/livez", probes.livez),
        Route("/readyz", probes.readyz),
        Route("/metrics", probes.metrics),
        Route("/asyncapi", probes.asyncapi),
    ]
    if app is not None:
        routes.append(Mount("/", app=app))
    return Starlette(routes=routes)
