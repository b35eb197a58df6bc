"""The middlewares on a broker over queues in memory: what they count, and that traces join."""

import pytest
import structlog
from faststream_sqs import Batch, SQSBroker
from faststream_sqs.annotations import BatchMessage
from faststream_sqs.otel import SQSTelemetryMiddleware
from faststream_sqs.prometheus import SQSPrometheusMiddleware
from faststream_sqs.structlog import SQSStructlogMiddleware
from faststream_sqs.testing import eventually
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def spans():
    return InMemorySpanExporter()


@pytest.fixture
def tracing(spans):
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return SQSTelemetryMiddleware(tracer_provider=provider)


async def test_handled_failed_and_published_messages_are_counted_by_queue(transport, registry):
    broker = SQSBroker(
        transport=transport,
        logger=None,
        graceful_timeout=2,
        middlewares=[SQSPrometheusMiddleware(registry=registry)],
    )

    @broker.publisher("dead")
    @broker.subscriber("orders", wait_time=0.05, parking=None)
    async def on_order(body: int) -> int:
        if body == 3:
            raise ValueError("three")
        return body

    def value(name, **labels):
        return registry.get_sample_value(f"faststream_{name}", {"app_name": "faststream", **labels})

    async with broker:
        await broker.start()
        await broker.publish_batch(1, 2, 3, target="orders")
        await eventually(lambda: len(transport.bodies("dead")) == 2)
        await eventually(
            lambda: (
                value(
                    "received_processed_messages_exceptions_total",
                    broker="aws_sqs",
                    handler="orders",
                    exception_type="ValueError",
                )
                == 1
            )
        )
    received = {"broker": "aws_sqs", "handler": "orders"}
    assert value("received_messages_total", **received) == 3
    assert value("received_processed_messages_total", **received, status="acked") == 2
    assert value("received_messages_size_bytes_sum", **received) == 3
    published = {"broker": "aws_sqs", "status": "success"}
    assert value("published_messages_total", **published, destination="orders") == 3
    assert value("published_messages_total", **published, destination="dead") == 2


async def test_batch_counts_each_of_its_messages(transport, registry):
    broker = SQSBroker(
        transport=transport,
        logger=None,
        graceful_timeout=2,
        middlewares=[SQSPrometheusMiddleware(registry=registry)],
    )

    @broker.subscriber("orders", wait_time=0.05, batch=Batch(10, 0.05))
    async def on_orders(message: BatchMessage):
        pass

    async with broker:
        await broker.publish_batch(*range(7), target="orders")
        await broker.start()
        await eventually(lambda: transport.bodies("orders") == [])
    labels = {"app_name": "faststream", "broker": "aws_sqs", "handler": "orders"}
    assert registry.get_sample_value("faststream_received_messages_total", labels) == 7


async def test_one_trace_runs_from_the_publisher_through_the_handler_to_what_it_publishes(
    transport, spans, tracing
):
    broker = SQSBroker(transport=transport, logger=None, graceful_timeout=2, middlewares=[tracing])

    @broker.publisher("dead")
    @broker.subscriber("orders", wait_time=0.05)
    async def on_order(body: int) -> int:
        return body

    async with broker:
        await broker.start()
        await broker.publish(1, "orders", correlation_id="c1")
        await eventually(lambda: transport.bodies("orders") == [] and transport.bodies("dead"))
    (published,) = transport.messages("dead")
    named = {span.name: span for span in spans.get_finished_spans()}
    assert {"orders publish", "orders process", "dead publish"} <= set(named)
    trace = named["orders publish"].context.trace_id
    assert {span.context.trace_id for span in spans.get_finished_spans()} == {trace}
    assert published.attributes["traceparent"].text.split("-")[1] == f"{trace:032x}"
    process = named["orders process"].attributes
    assert process["messaging.message.conversation_id"] == "c1"
    assert (process["messaging.aws_sqs.receive_count"], process["messaging.system"]) == (1, "aws_sqs")


async def test_batch_links_the_traces_of_its_messages(transport, spans, tracing):
    broker = SQSBroker(transport=transport, logger=None, graceful_timeout=2, middlewares=[tracing])

    @broker.subscriber("orders", wait_time=0.05, batch=Batch(10, 0.1))
    async def on_orders(message: BatchMessage):
        pass

    async with broker:
        await broker.publish("a", "orders")
        await broker.publish("b", "orders")
        await broker.start()
        await eventually(lambda: transport.bodies("orders") == [])
    finished = spans.get_finished_spans()
    sent = {span.context.trace_id for span in finished if span.name == "orders publish"}
    linked = {link.context.trace_id for span in finished if "publish" not in span.name for link in span.links}
    assert len(sent) == 2
    assert sent <= linked


@pytest.fixture
def lines():
    """What is logged through structlog."""
    entries = []

    def keep(_logger, _method, event):
        entries.append(event)
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, keep])
    yield entries
    structlog.configure(**before)


@pytest.mark.parametrize(
    ("batch", "counts"), [(None, {"receive_count": 1}), (Batch(1, 0.05), {})], ids=["single", "batch"]
)
async def test_every_line_of_a_handler_names_its_message_and_no_other_line_does(
    transport, lines, batch, counts
):
    logger = structlog.get_logger()
    broker = SQSBroker(
        transport=transport, logger=logger, graceful_timeout=2, middlewares=[SQSStructlogMiddleware]
    )

    @broker.subscriber("orders", wait_time=0.05, batch=batch)
    async def on_order(body):
        logger.info("handled")
        raise ValueError("afterwards")

    async with broker:
        await broker.start()
        message_id = await broker.publish("x", "orders", correlation_id="c-1")
        await eventually(lambda: any("afterwards" in line["event"] for line in lines))
    (inside,) = [line for line in lines if line["event"] == "handled"]
    assert inside == {
        "event": "handled",
        "queue": "orders",
        "message_id": message_id,
        "correlation_id": "c-1",
        **counts,
    }
    (error,) = [line for line in lines if "afterwards" in line["event"]]
    assert error["extra"] == {"queue": "orders", "message_id": message_id}
    assert all("message_id" not in line for line in lines if line is not inside)
