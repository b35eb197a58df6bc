import json
import logging

import pytest
import structlog
from dwh_runtime.broker import make_broker
from dwh_runtime.logging import bind_message, configure, get_logger
from dwh_runtime.settings import ServiceSettings, load
from faststream_sqs.testing import MemoryTransport, eventually


@pytest.fixture
def lines(environ, capsys):
    """Configure for a format and return what was printed, line by line."""

    def printed():
        return capsys.readouterr().out.splitlines()

    def configured(log_format="json"):
        environ.setenv("DWH_LOG_FORMAT", log_format)
        environ.setenv("DWH_OPENSEARCH_PASSWORD", "hunter2-hunter2")
        configure(load(ServiceSettings), "indexer")
        return printed

    yield configured
    structlog.reset_defaults()
    logging.basicConfig(handlers=[logging.NullHandler()], force=True)


HOSTILE = 'x\n{"level":"error","event":"forged"}\r\x1b[31m %s {0} {{7*7}}'


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_one_event_is_one_line_whatever_its_values(lines, log_format):
    printed = lines(log_format)
    get_logger("t").info("event_stored", job_name=HOSTILE)
    (line,) = printed()
    assert "event_stored" in line
    assert "\x1b" not in line


def test_keys_of_the_message_stand_on_every_line_inside(lines):
    printed = lines()
    with bind_message(event_id="e1", job_name=None):
        get_logger("t").info("inside")
    get_logger("t").info("outside")
    inside, outside = map(json.loads, printed())
    assert (inside["event_id"], inside["service"], "job_name" in inside) == ("e1", "indexer", False)
    assert "event_id" not in outside


def test_lines_of_libraries_have_the_same_form_and_are_redacted(lines):
    printed = lines()
    logging.getLogger("some.library").warning("password is %s", "hunter2-hunter2")
    (line,) = map(json.loads, printed())
    assert line["logger"] == "some.library"
    assert "hunter2" not in json.dumps(line)


def test_exceptions_are_redacted_too(lines):
    printed = lines()
    get_logger("t").error("failed", exc_info=ValueError("cannot reach https://u:hunter2-hunter2@host"))
    (line,) = printed()
    assert "ValueError" in line
    assert "hunter2" not in line


async def test_error_of_the_broker_is_a_line_like_ours_and_redacted(lines):
    printed, transport = lines(), MemoryTransport()
    transport.create_queue("orders")
    broker = make_broker(load(ServiceSettings), transport=transport)

    @broker.subscriber("orders", wait_time=0.05)
    async def on_order(body: str):
        raise ValueError(f"cannot reach https://u:{body}@host")

    async with broker:
        await broker.start()
        await broker.publish("hunter2-hunter2", "orders")
        await eventually(lambda: "change_visibility" in transport.calls)
    (line,) = map(json.loads, printed())
    assert (line["level"], line["service"], line["extra"]["queue"]) == ("error", "indexer", "orders")
    assert "ValueError: cannot reach https://" in line["exception"]
    assert "hunter2" not in json.dumps(line)


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
async def test_broker_writes_no_line_per_message(lines, environ, level):
    environ.setenv("DWH_LOG_LEVEL", level)
    printed, transport = lines(), MemoryTransport()
    transport.create_queue("orders")
    broker = make_broker(load(ServiceSettings), transport=transport)

    @broker.subscriber("orders", wait_time=0.05)
    async def on_order(body: str):
        pass

    async with broker:
        await broker.start()
        await broker.publish("x", "orders")
        await eventually(lambda: transport.bodies("orders") == [])
    assert printed() == []
