import pytest
from dwh_cli.exits import No, NoServer
from dwh_cli.quarantine import give_back, open_record
from dwh_contracts.quarantine import QuarantineReason, Refused, quarantine_record
from dwh_eventstore import memory_store
from dwh_runtime.aws import AwsUnavailable
from dwh_runtime.testing import MemoryAws

RAW = b'{"not": "ours"'
QUEUE = "https://sqs/indexer"


@pytest.fixture
async def store():
    return memory_store()


@pytest.fixture
async def quarantined(store):
    record = quarantine_record(
        "indexer", None, RAW, {}, Refused(QuarantineReason.NOT_JSON), store.clock.now()
    )
    await store.quarantine.put(record)
    return record.quarantine_id


async def test_a_replayed_message_goes_to_its_queue_byte_for_byte_and_leaves_a_fact(store, quarantined):
    aws = MemoryAws()
    await give_back(store, aws.queues, QUEUE, await open_record(store, quarantined))
    [sent] = aws.queues.sent
    assert (sent.queue_url, sent.body) == (QUEUE, RAW)
    [fact] = await store.events.find("effect", {"event_type": "quarantine_replayed"})
    assert (fact.body["subject"], fact.body["service"]) == (quarantined, "indexer")
    with pytest.raises(No, match="replayed already"):
        await open_record(store, quarantined)


async def test_a_message_that_could_not_be_sent_stays_open(store, quarantined):
    aws = MemoryAws()
    aws.queues.failures.append(AwsUnavailable("no answer"))
    with pytest.raises(NoServer, match="stays open"):
        await give_back(store, aws.queues, QUEUE, await open_record(store, quarantined))
    assert aws.queues.sent == []
    assert (await open_record(store, quarantined)).body["state"] == "open"


async def test_a_replay_that_is_cut_before_it_was_sent_leaves_the_message_open(store, quarantined):
    aws = MemoryAws()
    aws.queues.failures.append(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        await give_back(store, aws.queues, QUEUE, await open_record(store, quarantined))
    assert [record["quarantine_id"] for record in await store.quarantine.list()] == [quarantined]
    await give_back(store, aws.queues, QUEUE, await open_record(store, quarantined))
    assert [sent.body for sent in aws.queues.sent] == [RAW]


async def test_a_message_refused_again_before_its_replay_ended_is_open(store, quarantined):
    class RefusedAtOnce(type(MemoryAws().queues)):
        async def send(self, *arguments):
            sent = await super().send(*arguments)
            again = Refused(QuarantineReason.NOT_AN_OBJECT)
            await store.quarantine.put(quarantine_record("indexer", None, RAW, {}, again, store.clock.now()))
            return sent

    await give_back(store, RefusedAtOnce(), QUEUE, await open_record(store, quarantined))
    [record] = await store.quarantine.list()
    assert record["reason"] == "not-an-object"


async def test_of_two_operators_one_replays(store, quarantined):
    aws = MemoryAws()
    seen = [await open_record(store, quarantined) for _ in range(2)]
    await give_back(store, aws.queues, QUEUE, seen[0])
    with pytest.raises(No, match="meanwhile"):
        await give_back(store, aws.queues, QUEUE, seen[1])
    assert len(aws.queues.sent) == 1


async def test_what_is_not_quarantined_is_not_found(store):
    with pytest.raises(No, match="nothing is quarantined"):
        await open_record(store, "0" * 32)
