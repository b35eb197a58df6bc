import asyncio
import itertools

import pytest
from faststream_sqs.topology import QueueSpec, SubscriptionSpec, Topology, TopologyClient, TopologyError
from faststream_sqs.transport.protocol import Attribute, OutgoingMessage

pytestmark = pytest.mark.integration
_numbers = itertools.count(1)


@pytest.fixture
async def client(endpoint):
    async with TopologyClient("us-east-1", endpoint_url=endpoint) as client:
        yield client


@pytest.fixture
def names():
    prefix = f"topology{next(_numbers)}"
    return {name: f"{prefix}-{name}" for name in ("orders", "dead", "news", "other")}


def a_topology(names, **changes):
    queue = {"visibility": 45, "dead_letters": names["dead"], "max_receives": 5} | changes
    return Topology(
        queues=(QueueSpec(names["orders"], **queue), QueueSpec(names["dead"], retention=14 * 86_400)),
        topics=(names["news"],),
        subscriptions=(
            SubscriptionSpec(
                names["news"], names["orders"], filter_policy={"kind": ["new", {"prefix": "x"}]}
            ),
        ),
    )


async def test_missing_resources_are_named_one_by_one(client, names):
    with pytest.raises(TopologyError) as caught:
        await client.verify(a_topology(names))
    assert [(d.kind, d.name) for d in caught.value.differences] == [
        ("topic", names["news"]),
        ("queue", names["orders"]),
        ("queue", names["dead"]),
        ("subscription", f"{names['news']} -> {names['orders']}"),
    ]
    assert f"queue {names['dead']}: is absent, wanted there" in str(caught.value)


async def test_second_apply_changes_nothing(client, names):
    assert len(await client.apply(a_topology(names))) == 4
    assert await client.apply(a_topology(names)) == []
    await client.verify(a_topology(names))


async def test_difference_names_attribute_wanted_and_found(client, names):
    await client.apply(a_topology(names))
    (difference,) = await client.plan(a_topology(names, visibility=60))
    assert str(difference) == f"queue {names['orders']}: VisibilityTimeout is 45, wanted 60"
    (difference,) = await client.plan(a_topology(names, max_receives=7))
    assert difference.attribute == "RedrivePolicy"


async def test_changed_and_unwanted_subscriptions_are_found_and_repaired(client, names):
    wanted = a_topology(names)
    await client.apply(wanted)
    drifted = Topology(
        wanted.queues,
        wanted.topics,
        (
            SubscriptionSpec(names["news"], names["orders"], raw=False, filter_policy={"kind": ["old"]}),
            SubscriptionSpec(names["news"], names["dead"]),
        ),
    )
    await client.apply(drifted)
    differences = await client.plan(wanted)
    label = f"{names['news']} -> {names['orders']}"
    found = {(d.name, d.attribute) for d in differences if d.kind == "subscription"}
    assert found == {
        (label, "RawMessageDelivery"),
        (label, "FilterPolicy"),
        (f"{names['news']} -> {names['dead']}", ""),
    }
    await client.apply(wanted)
    assert await client.plan(wanted) == []


async def test_applied_filter_lets_only_what_matches_through(client, names, transport):
    await client.apply(a_topology(names))
    arn = f"arn:aws:sns:us-east-1:000000000000:{names['news']}"
    url = (await transport.resolve(names["orders"])).url
    for kind in ("old", "new", "xyz"):
        await transport.publish(arn, [OutgoingMessage(kind, {"kind": Attribute(kind)})])
    seen = []
    async with asyncio.timeout(10):
        while len(seen) < 2:
            seen += [m.body for m in await transport.receive(url, limit=10, wait_seconds=1, visibility=30)]
    assert sorted(seen) == ["new", "xyz"]


async def test_fifo_queues_and_topics_are_made_as_such(client, names, transport):
    queue, topic = f"{names['orders']}.fifo", f"{names['news']}.fifo"
    wanted = Topology((QueueSpec(queue),), (topic,), (SubscriptionSpec(topic, queue),))
    await client.apply(wanted)
    await client.verify(wanted)


def test_name_that_is_not_listed_is_refused():
    with pytest.raises(ValueError, match="not in the topology: dead, news"):
        Topology((QueueSpec("a", dead_letters="dead"),), (), (SubscriptionSpec("news", "a"),))
