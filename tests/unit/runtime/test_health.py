import pytest
from dwh_runtime.broker import make_broker, subscription
from dwh_runtime.health import Probes, http_app
from dwh_runtime.settings import ServiceSettings, load
from faststream_sqs.testing.memory import MemoryTransport
from httpx import ASGITransport, AsyncClient
from starlette.responses import PlainTextResponse


class Process:
    def __init__(self, environ):
        transport = MemoryTransport()
        environ.setenv("DWH_QUEUE_URL", transport.create_queue("q"))
        settings = load(ServiceSettings)
        self.broker = make_broker(settings, transport=transport)
        self.away = False
        self.stopping = False
        self.asked = 0

        @self.broker.subscriber(settings.queue_url, **subscription(settings) | {"wait_time": 0.05})
        async def on_message(body: bytes) -> None:
            """Nothing comes."""

        probes = Probes("test", self.broker, {"store": self.check}, lambda: self.stopping)
        app = http_app(probes, PlainTextResponse("the service's own page"))
        self.http = AsyncClient(transport=ASGITransport(app), base_url="http://test")

    async def check(self):
        self.asked += 1
        if self.away:
            raise ConnectionError("refused")

    async def get(self, path):
        return await self.http.get(path)


@pytest.fixture
async def process(environ):
    process = Process(environ)
    await process.broker.start()
    yield process
    await process.broker.stop()
    await process.http.aclose()


async def test_ready_while_every_dependency_answers(process):
    answer = await process.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "problems": {}})


async def test_not_ready_names_what_is_away(process):
    process.away = True
    answer = await process.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["problems"] == {"store": "ConnectionError: refused"}


async def test_not_ready_while_stopping(process):
    process.stopping = True
    assert (await process.get("/readyz")).status_code == 503


async def test_live_calls_nobody_even_when_everything_is_away(process):
    process.away = True
    assert (await process.get("/livez")).status_code == 200
    assert process.asked == 0


async def test_metrics_hold_the_brokers_figures(process):
    text = (await process.get("/metrics")).text
    assert 'dwh_inflight_messages{service="test"} 0.0' in text
    assert 'dwh_poll_loop_age_seconds{service="test"}' in text
    assert 'dwh_settle_failures_total{service="test"}' in text


async def test_asyncapi_names_the_queue(process):
    document = (await process.get("/asyncapi")).json()
    assert document["asyncapi"].startswith("3.")
    assert "q" in str(document["channels"])


async def test_other_paths_are_the_services_own(process):
    assert (await process.get("/anything")).text == "the service's own page"
