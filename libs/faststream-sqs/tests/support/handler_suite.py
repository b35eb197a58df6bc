"""What handlers may rely on, whoever brings the messages: one suite for the test broker, memory and the wire.

The features are those that FastStream's core brokers are tested for: consume, publish, middlewares, routers,
filters, dependencies, parsers, manual acknowledgement. Subclasses provide the fixture `place`.
"""

import asyncio
import json

import pytest
from faststream import AckPolicy, BaseMiddleware, Context, Depends
from faststream.exceptions import AckMessage, NackMessage, RejectMessage, SkipMessage
from faststream.message import AckStatus
from faststream_sqs import Retry, SQSRoute, SQSRoutePublisher, SQSRouter
from faststream_sqs.annotations import Broker, ContextRepo, Message
from faststream_sqs.testing import eventually
from handler_consuming import ConsumingSuite


class HandlerSuite(ConsumingSuite):
    """Claims about handlers; none knows where its messages come from."""

    # middlewares

    async def test_middlewares_wrap_from_the_broker_inwards(self, place, orders, seen):
        def noting(name):
            class Note(BaseMiddleware):
                async def on_receive(self):
                    seen.append(f"{name} receives")
                    return await super().on_receive()

                async def consume_scope(self, call_next, msg):
                    seen.append(f"{name} before")
                    result = await call_next(msg)
                    seen.append(f"{name} after")
                    return result

                async def after_processed(self, exc_type=None, exc_val=None, exc_tb=None):
                    seen.append(f"{name} is done")
                    return await super().after_processed(exc_type, exc_val, exc_tb)

            return Note

        broker = place.broker(middlewares=[noting("broker")])
        router = SQSRouter(middlewares=[noting("router")])

        @router.subscriber(orders, **place.options)
        async def on_order(body: int):
            seen.append("handler")

        broker.include_router(router)
        async with place.running(broker) as running:
            await running.publish(1, orders)
            await eventually(lambda: "broker is done" in seen)
        assert seen == [
            *("broker receives", "router receives", "broker before", "router before", "handler"),
            *("router after", "broker after", "router is done", "broker is done"),
        ]

    async def test_middleware_sees_the_error_of_the_handler(self, place, orders, seen):
        class Note(BaseMiddleware):
            async def after_processed(self, exc_type=None, exc_val=None, exc_tb=None):
                seen.append(exc_val)
                return True

        broker = place.broker(middlewares=[Note])

        @broker.subscriber(orders, **place.options, ack_policy=AckPolicy.ACK)
        async def on_order(body: int):
            raise KeyError("price")

        async with place.running(broker) as running:
            await running.publish(1, orders)
            await eventually(lambda: seen)
        assert isinstance(seen[0], KeyError)

    async def test_middleware_may_change_what_is_published_and_consumed(self, place, orders, seen):
        class Change(BaseMiddleware):
            async def publish_scope(self, call_next, cmd):
                cmd.body = cmd.body + 1
                return await call_next(cmd)

            async def consume_scope(self, call_next, msg):
                msg.body = msg.body + b"0"
                return await call_next(msg)

        broker = place.broker(middlewares=[Change])

        @broker.subscriber(orders, **place.options)
        async def on_order(body: int):
            seen.append(body)

        async with place.running(broker) as running:
            await running.publish(1, orders)
            await eventually(lambda: seen)
        assert seen == [20]

    # routers

    async def test_nested_routers_add_up_their_prefixes_and_parts(self, place, seen):
        queue = place.prefixed(await place.queue("eu-shop-orders"))
        out = place.prefixed(await place.queue("eu-out"))
        base, _, _ = queue.rpartition("eu-shop-orders")

        def outer_dependency():
            seen.append("outer")

        async def inner_dependency():
            seen.append("inner")

        outer = SQSRouter(prefix=f"{base}eu-", dependencies=[Depends(outer_dependency)])
        inner = SQSRouter(prefix="shop-", dependencies=[Depends(inner_dependency)])
        publisher = outer.publisher("out")

        @inner.subscriber("orders", **place.options)
        async def on_order(body: int):
            await publisher.publish(body + 1)

        outer.include_router(inner)
        broker = place.broker()
        broker.include_router(outer)

        @broker.subscriber(out, **place.options)
        async def on_out(body: int):
            seen.append(body)

        async with place.running(broker) as running:
            await running.publish(1, queue)
            await eventually(lambda: len(seen) == 3)
        assert seen == ["outer", "inner", 2]

    async def test_route_takes_a_handler_and_its_publishers(self, place, orders, seen):
        broker, out = place.broker(), await place.queue("out")

        async def on_order(body: int) -> int:
            return body + 1

        async def on_out(body: int):
            seen.append(body)

        routes = [
            SQSRoute(on_order, orders, publishers=[SQSRoutePublisher(out)], **place.options),
            SQSRoute(on_out, out, **place.options),
        ]
        broker.include_router(SQSRouter(handlers=routes))
        async with place.running(broker) as running:
            await running.publish(1, orders)
            await eventually(lambda: seen)
        assert seen == [2]

    # filters

    async def test_first_filter_that_holds_chooses_the_handler(self, place, orders, seen):
        broker = place.broker()
        subscriber = broker.subscriber(orders, **place.options)

        @subscriber(filter=lambda message: message.content_type == "text/plain")
        async def on_text(body: str):
            seen.append(("text", body))

        @subscriber(filter=lambda message: message.headers.get("kind") == "new")
        async def on_new(body: dict):
            seen.append(("new", body))

        @subscriber
        async def on_rest(body: dict):
            seen.append(("rest", body))

        async with place.running(broker) as running:
            await running.publish("t", orders)
            await running.publish({}, orders, headers={"kind": "new"})
            await running.publish({}, orders)
            await eventually(lambda: len(seen) == 3)
        assert sorted(name for name, _ in seen) == ["new", "rest", "text"]

    # dependencies

    async def test_dependencies_of_broker_subscriber_and_handler_are_called_once_a_message(
        self, place, orders, seen
    ):
        def note(name):
            def dependency(message: Message):
                seen.append((name, message.body))
                return name

            return Depends(dependency)

        broker = place.broker(dependencies=[note("broker")])

        @broker.subscriber(orders, **place.options, dependencies=[note("subscriber")])
        async def on_order(body: int, own: str = note("own")):
            seen.append((own, body))

        async with place.running(broker) as running:
            await running.publish(1, orders)
            await eventually(lambda: len(seen) == 4)
        assert seen[-1] == ("own", 1)
        assert sorted(seen[:-1]) == [("broker", b"1"), ("own", b"1"), ("subscriber", b"1")]

    async def test_context_hands_over_the_broker_and_what_was_set(self, place, orders, seen):
        broker = place.broker()
        broker.context.set_global("answer", 42)

        @broker.subscriber(orders, **place.options)
        async def on_order(body: int, used: Broker, context: ContextRepo, answer: int = Context()):
            seen.append((used is broker, context.get("answer"), answer))

        async with place.running(broker) as running:
            await running.publish(1, orders)
            await eventually(lambda: seen)
        assert seen == [(True, 42, 42)]

    # parsers

    @pytest.mark.parametrize("where", ["broker", "router", "subscriber"])
    async def test_own_parser_and_decoder_replace_or_wrap_ours(self, place, orders, seen, where):
        async def parser(delivery, original):
            message = await original(delivery)
            message.headers = {**message.headers, "parsed": "yes"}
            return message

        async def decoder(message):
            return json.loads(message.body)["inner"]

        own = {"parser": parser, "decoder": decoder}
        broker = place.broker(**(own if where == "broker" else {}))
        router = SQSRouter(**(own if where == "router" else {}))

        @router.subscriber(orders, **place.options, **(own if where == "subscriber" else {}))
        async def on_order(body: int, message: Message):
            seen.append((body, message.headers["parsed"]))

        broker.include_router(router)
        async with place.running(broker) as running:
            await running.publish({"inner": 7}, orders)
            await eventually(lambda: seen)
        assert seen == [(7, "yes")]

    # acknowledgement

    @pytest.mark.parametrize(
        ("settle", "status"),
        [("ack", AckStatus.ACKED), ("nack", AckStatus.NACKED), ("reject", AckStatus.REJECTED)],
    )
    async def test_handler_settles_by_hand_once(self, place, orders, seen, settle, status):
        broker = place.broker()

        @broker.subscriber(
            orders, **place.options, ack_policy=AckPolicy.MANUAL, parking=None, retry=Retry(delays=(60,))
        )
        async def on_order(message: Message):
            await getattr(message, settle)()
            await message.ack()  # too late
            seen.append(message.committed)

        async with place.running(broker) as running:
            await running.publish("x", orders)
            await eventually(lambda: seen)
        assert seen == [status]

    @pytest.mark.parametrize(
        ("raised", "status"),
        [
            (AckMessage(), AckStatus.ACKED),
            (NackMessage(delay=60), AckStatus.NACKED),
            (RejectMessage(reason="bad"), AckStatus.REJECTED),
            (SkipMessage(), None),
        ],
        ids=lambda value: type(value).__name__,
    )
    async def test_exceptions_of_the_framework_settle_from_anywhere_below(
        self, place, orders, seen, raised, status
    ):
        broker, messages = place.broker(), []

        def deep():
            raise raised

        @broker.subscriber(orders, **place.options, parking=None)
        async def on_order(message: Message):
            messages.append(message)
            deep()

        async with place.running(broker) as running:
            await running.publish("x", orders)
            await eventually(lambda: messages)
            await eventually(lambda: messages[0].committed is status)
            await asyncio.sleep(0)
        assert len(messages) == 1

    async def test_handled_message_is_acknowledged_after_its_handler(self, place, orders, seen):
        broker = place.broker()

        @broker.subscriber(orders, **place.options)
        async def on_order(message: Message):
            seen.append((message, message.committed))

        async with place.running(broker) as running:
            await running.publish("x", orders)
            await eventually(lambda: seen and seen[0][0].committed is AckStatus.ACKED)
        assert seen[0][1] is None
