"""Spans as a collector of OTLP over HTTP receives them."""

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from dwh_runtime.broker import make_broker, subscription
from dwh_runtime.settings import ServiceSettings, SettingsError, load
from dwh_runtime.tracing import open_tracing
from faststream_sqs import Batch
from faststream_sqs.annotations import BatchMessage
from faststream_sqs.testing import eventually
from faststream_sqs.testing.memory import MemoryTransport
from faststream_sqs.transport.protocol import Attribute, OutgoingMessage
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


class Collector(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.paths, self.services, self.spans = [], [], []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def took(self, path, body):
        self.paths.append(path)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            told = {each.key: each.value.string_value for each in resource.resource.attributes}
            self.services.append((told["service.name"], told["deployment.environment.name"]))
            for scope in resource.scope_spans:
                self.spans += scope.spans


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.took(self.path, self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        """Nobody reads it."""


@pytest.fixture
def collector():
    collector = Collector()
    yield collector
    collector.shutdown()
    collector.server_close()


async def handled(environ, url, attributes):
    """Handle one message that came with these attributes; what the handler would send its own with."""
    transport, contexts = MemoryTransport(), []
    environ.setenv("DWH_QUEUE_URL", transport.create_queue("q"))
    environ.setenv("DWH_OTLP_ENDPOINT", url)
    settings = load(ServiceSettings)
    tracing = open_tracing(settings, "indexer")
    broker = make_broker(settings, middlewares=tracing.middlewares, transport=transport)

    @broker.subscriber(settings.queue_url, **subscription(settings) | {"wait_time": 0.05})
    async def on_message(body: bytes) -> None:
        contexts.append(tracing.context())

    async with broker:
        await broker.start()
        await transport.send("q", [OutgoingMessage("{}", attributes)])
        await eventually(lambda: contexts and transport.bodies("q") == [])
    assert tracing.context() == {}
    await tracing.close()
    return contexts[0]


async def test_a_message_is_a_span_of_the_trace_it_came_with_and_what_is_sent_continues_it(
    environ, collector
):
    context = await handled(environ, collector.url + "/", {"traceparent": Attribute(PARENT)})
    spans = {span.span_id.hex(): span for span in collector.spans}
    _, trace, span, _ = context["traceparent"].split("-")
    assert (trace, spans[span].trace_id.hex()) == (TRACE, TRACE)
    assert list(context) == ["traceparent"]
    assert set(collector.paths) == {"/v1/traces"}
    assert set(collector.services) == {("indexer", "local")}
    ancestors = {each.parent_span_id.hex() for each in spans.values()}
    assert "b7ad6b7169203331" in ancestors


async def test_a_message_without_a_trace_begins_one(environ, collector):
    context = await handled(environ, collector.url, {})
    [trace] = {span.trace_id.hex() for span in collector.spans}
    assert context["traceparent"].split("-")[1] == trace


async def test_a_collector_that_is_away_costs_no_message(environ):
    context = await handled(environ, "http://127.0.0.1:9", {"traceparent": Attribute(PARENT)})
    assert TRACE in context["traceparent"]


async def test_a_batch_is_a_span_linked_to_the_traces_of_its_messages(environ, collector):
    transport, contexts = MemoryTransport(), []
    environ.setenv("DWH_QUEUE_URL", transport.create_queue("q"))
    environ.setenv("DWH_OTLP_ENDPOINT", collector.url)
    settings = load(ServiceSettings)
    tracing = open_tracing(settings, "indexer")
    broker = make_broker(settings, middlewares=tracing.middlewares, transport=transport)
    options = subscription(settings, batch=Batch(3, 1.0)) | {"wait_time": 0.05}

    @broker.subscriber(settings.queue_url, **options)
    async def on_messages(messages: BatchMessage) -> None:
        contexts.append(tracing.context())

    traces = [f"{number:032x}" for number in (1, 2, 3)]
    sent = [
        OutgoingMessage("{}", {"traceparent": Attribute(f"00-{trace}-b7ad6b7169203331-01")})
        for trace in traces
    ]
    async with broker:
        await transport.send("q", sent)
        await broker.start()
        await eventually(lambda: contexts and transport.bodies("q") == [])
    await tracing.close()
    linked = {link.trace_id.hex() for span in collector.spans for link in span.links}
    assert linked == set(traces)
    assert contexts[0]["traceparent"].split("-")[1] in {span.trace_id.hex() for span in collector.spans}


async def test_without_an_endpoint_nothing_is_traced(environ):
    tracing = open_tracing(load(ServiceSettings), "indexer")
    assert (tracing.middlewares, tracing.context()) == ((), {})
    await tracing.close()


def test_a_service_that_traces_nothing_does_not_load_its_sdk():
    program = "import sys, dwh_indexer.app; print('opentelemetry.sdk' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("url", ["collector:4317", "grpc://collector:4317", "http://", "http://u:p@c"])
def test_an_endpoint_that_is_no_http_address_is_refused(environ, url):
    environ.setenv("DWH_OTLP_ENDPOINT", url)
    with pytest.raises(SettingsError, match="DWH_OTLP_ENDPOINT"):
        load(ServiceSettings)
