"""The handler-facing suite without sockets, and what the test broker promises beyond it."""

import pytest
from faststream_sqs import SQSBroker, TestSQSBroker
from handler_places import InMemory, InTheTestBroker
from handler_suite import HandlerSuite


class TestOnTheTestBroker(HandlerSuite):
    @pytest.fixture
    def place(self):
        return InTheTestBroker()


class TestInMemory(HandlerSuite):
    @pytest.fixture
    def place(self):
        return InMemory()


async def test_error_of_a_handler_reaches_whoever_publishes_in_the_test_broker():
    broker = SQSBroker(logger=None)

    @broker.subscriber("orders")
    async def on_order(body: int):
        raise KeyError("price")

    async with TestSQSBroker(broker) as test:
        with pytest.raises(KeyError, match="price"):
            await test.publish(1, "orders")
        on_order.mock.assert_called_once_with(1)


async def test_publisher_without_a_subscriber_is_mocked_in_the_test_broker():
    broker = SQSBroker(logger=None)
    publisher = broker.publisher("bills")

    @publisher
    @broker.subscriber("orders")
    async def on_order(body: int) -> int:
        return body + 1

    async with TestSQSBroker(broker) as test:
        await test.publish(1, "orders")
        publisher.mock.assert_called_once_with(2)
    assert len(broker.subscribers) == 1


async def test_handler_is_called_like_a_function_in_the_test_broker():
    broker = SQSBroker(logger=None)

    @broker.subscriber("orders")
    async def on_order(body: int) -> int:
        return body + 1

    async with TestSQSBroker(broker):
        assert await on_order(1) == 2
    assert await on_order(1) == 2


async def test_two_brokers_are_patched_together():
    first, second, seen = SQSBroker(logger=None), SQSBroker(logger=None), []

    @first.subscriber("orders")
    @second.publisher("bills")
    async def on_order(body: int) -> int:
        return body + 1

    @second.subscriber("bills")
    async def on_bill(body: int):
        seen.append(body)

    async with TestSQSBroker(first, second):
        await first.publish(1, "orders")
    assert seen == [2]
