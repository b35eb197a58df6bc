"""The part of the handler-facing suite about consuming and publishing."""

import json
from dataclasses import dataclass

import pytest
from faststream import BaseMiddleware, Context
from faststream_sqs import Batch, BatchOutcome, Retry, SQSResponse, Subscription, Topic
from faststream_sqs.annotations import BatchMessage, Broker, Message
from faststream_sqs.testing import eventually
from pydantic import BaseModel


class Order(BaseModel):
    id: int
    name: str = "x"


@dataclass
class Point:
    x: int
    y: int


class ConsumingSuite:
    """Claims about what handlers are given and what they publish."""

    @pytest.fixture
    def seen(self):
        return []

    @pytest.fixture
    async def orders(self, place):
        return await place.queue("orders")

    # consume

    @pytest.mark.parametrize(
        ("body", "kind", "expected"),
        [
            ("hello", str, "hello"),
            ({"a": [1, None, "ü"]}, dict, {"a": [1, None, "ü"]}),
            ([1, 2], list[int], [1, 2]),
            (5, int, 5),
            ("5", int, 5),
            (True, bool, True),
            (b"raw", bytes, b"raw"),
            (Order(id=1), Order, Order(id=1)),
            ({"id": "2"}, Order, Order(id=2)),
            (Point(1, 2), dict, {"x": 1, "y": 2}),
        ],
        ids=str,
    )
    async def test_body_arrives_as_its_annotation_says(self, place, orders, seen, body, kind, expected):
        broker = place.broker()
        raw = {"content_type": "application/octet-stream"} if kind is bytes else {}

        @broker.subscriber(orders, **place.options, **raw)
        async def on_order(body: kind):
            seen.append(body)

        async with place.running(broker) as running:
            await running.publish(body, orders)
            await eventually(lambda: seen)
        assert seen == [expected]

    async def test_handler_without_annotations_and_a_sync_one_consume(self, place, orders, seen):
        broker, bills = place.broker(), await place.queue("bills")

        @broker.subscriber(orders, **place.options)
        async def on_order(body):
            seen.append(body)

        @broker.subscriber(bills, **place.options)
        def on_bill(body: dict):
            seen.append(body)

        async with place.running(broker) as running:
            await running.publish({"id": 1}, orders)
            await running.publish({"id": 2}, bills)
            await eventually(lambda: len(seen) == 2)
        assert {each["id"] for each in seen} == {1, 2}

    async def test_one_handler_consumes_two_queues(self, place, orders, seen):
        broker, bills = place.broker(), await place.queue("bills")

        @broker.subscriber(orders, **place.options)
        @broker.subscriber(bills, **place.options)
        async def on_either(body: int, message: Message):
            seen.append((body, message.queue))

        async with place.running(broker) as running:
            await running.publish(1, orders)
            await running.publish(2, bills)
            await eventually(lambda: len(seen) == 2)
        assert sorted(seen) == [(1, orders), (2, bills)]

    async def test_headers_attributes_and_ids_reach_the_handler(self, place, orders, seen):
        broker = place.broker()

        @broker.subscriber(orders, **place.options)
        async def on_order(
            body: str,
            message: Message,
            tenant: str = Context("message.headers.tenant"),
            kind: str = Context("message.headers.kind"),
        ):
            seen.append((message.message_id, message.correlation_id, tenant, kind, message.receive_count))

        async with place.running(broker) as running:
            message_id = await running.publish(
                "x", orders, headers={"tenant": "ü"}, attributes={"kind": "new"}, correlation_id="c-1"
            )
            await eventually(lambda: seen)
        assert seen == [(message_id, "c-1", "ü", "new", 1)]

    async def test_batch_handler_gets_undecoded_items_and_settles_each(self, place, orders, seen):
        broker = place.broker()

        @broker.subscriber(orders, **place.options, batch=Batch(10, 0.5), retry=Retry(delays=(60,)))
        async def on_orders(message: BatchMessage) -> BatchOutcome:
            events = message.decode_each(json.loads)
            seen.extend(value for _, value in events)
            return events.outcome.ack_all(len(message.items))

        async with place.running(broker) as running:
            await running.publish_batch(*range(9), "{no json", target=orders)
            await eventually(lambda: len(seen) == 9)
        assert sorted(seen) == list(range(9))

    async def test_group_of_a_fifo_message_reaches_the_handler(self, place, seen):
        broker, queue = place.broker(), await place.queue("steps", fifo=True)

        @broker.subscriber(queue, **place.options)
        async def on_step(body: int, message: Message):
            seen.append((body, message.group_id))

        async with place.running(broker) as running:
            await running.publish(1, queue, group_id="a", dedup_id="1")
            await eventually(lambda: seen)
        assert seen == [(1, "a")]

    @pytest.mark.parametrize("raw", [True, False], ids=["raw", "enveloped"])
    async def test_topic_gives_body_headers_and_trace_in_either_form(self, place, orders, seen, raw):
        broker = place.broker()
        arn = await place.topic("news", orders, raw=raw)

        @broker.subscriber(orders, **place.options, subscriptions=[Subscription(Topic(arn), raw=raw)])
        async def on_news(body: dict, message: Message):
            seen.append((body, {n: message.headers.get(n) for n in ("tenant", "kind", "traceparent")}))

        headers = {"tenant": "ü", "traceparent": "00-a-b-01"}
        async with place.running(broker) as running:
            await running.publish({"id": 1}, arn, headers=headers, attributes={"kind": "new"})
            await eventually(lambda: seen)
        assert seen == [({"id": 1}, {**headers, "kind": "new"})]

    # publish

    async def test_return_value_goes_to_every_publisher_with_the_correlation_id(self, place, orders, seen):
        broker, first, second = place.broker(), await place.queue("first"), await place.queue("second")

        @broker.subscriber(orders, **place.options)
        @broker.publisher(first)
        @broker.publisher(second)
        async def on_order(body: int) -> int:
            return body + 1

        @broker.subscriber(first, **place.options)
        @broker.subscriber(second, **place.options)
        async def on_result(body: int, message: Message):
            seen.append((message.queue, body, message.correlation_id))

        async with place.running(broker) as running:
            await running.publish(1, orders, correlation_id="c-1")
            await eventually(lambda: len(seen) == 2)
        assert sorted(seen) == [(first, 2, "c-1"), (second, 2, "c-1")]

    async def test_response_carries_headers_attributes_and_group(self, place, orders, seen):
        broker, out = place.broker(), await place.queue("out", fifo=True)

        @broker.subscriber(orders, **place.options)
        @broker.publisher(out, headers={"from": "publisher", "tenant": "default"})
        async def on_order(body: int):
            return SQSResponse(
                body, headers={"tenant": "a"}, attributes={"kind": "new"}, group_id="g", dedup_id=str(body)
            )

        @broker.subscriber(out, **place.options)
        async def on_out(body: int, message: Message):
            seen.append(({n: message.headers.get(n) for n in ("from", "tenant", "kind")}, message.group_id))

        async with place.running(broker) as running:
            await running.publish(1, orders)
            await eventually(lambda: seen)
        assert seen == [({"from": "publisher", "tenant": "a", "kind": "new"}, "g")]

    async def test_publisher_and_broker_publish_from_inside_of_a_handler(self, place, orders, seen):
        broker, out = place.broker(), await place.queue("out")
        publisher = broker.publisher(out)

        @broker.subscriber(orders, **place.options)
        async def on_order(body: int, broker: Broker):
            await publisher.publish(body + 1)
            await broker.publish(body + 2, out)

        @broker.subscriber(out, **place.options)
        async def on_out(body: int):
            seen.append(body)

        async with place.running(broker) as running:
            await running.publish(1, orders)
            await eventually(lambda: len(seen) == 2)
        assert sorted(seen) == [2, 3]

    async def test_none_is_published_as_nothing(self, place, orders, seen):
        ended = []

        class Ends(BaseMiddleware):
            async def after_processed(self, exc_type=None, exc_val=None, exc_tb=None):
                ended.append(exc_type)
                return await super().after_processed(exc_type, exc_val, exc_tb)

        broker, out = place.broker(middlewares=[Ends]), await place.queue("out")

        @broker.subscriber(orders, **place.options)
        @broker.publisher(out)
        async def on_order(body: int) -> int | None:
            seen.append(body)
            return body or None

        @broker.subscriber(out, **place.options)
        async def on_out(body: int):
            seen.append(f"out {body}")

        async with place.running(broker) as running:
            await running.publish(0, orders)
            await eventually(lambda: ended == [None])
            await running.publish(7, orders)
            await eventually(lambda: len(ended) == 3)
        assert (seen, ended) == ([0, 7, "out 7"], [None] * 3)
