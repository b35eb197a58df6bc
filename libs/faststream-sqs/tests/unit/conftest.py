import pytest
from faststream_sqs.testing import ManualClock, MemoryTransport
from pytest_socket import disable_socket, enable_socket


@pytest.fixture(autouse=True)
def _no_network():
    disable_socket(allow_unix_socket=True)  # the event loop's own pair
    yield
    enable_socket()


@pytest.fixture
def transport():
    """Queues in memory on the machine's clock: `dead`, and `orders` whose dead letters go there."""
    transport = MemoryTransport()
    transport.create_queue("dead")
    transport.create_queue("orders", dead_letters="dead")
    return transport


@pytest.fixture
def clock():
    return ManualClock()
