"""A node and services that are killed while they work, what is sent to them meanwhile, and who reads."""

import asyncio
import contextlib
import threading
from collections import defaultdict

from dwh_eventstore import StoreError, StoreUnavailable, indices
from dwh_eventstore.backend import Query
from dwh_local import opensearch
from dwh_local.aws import client
from dwh_local.waiting import probe
from store_writers import Killable, rebuild

MODELS = indices.FIXED_READ_MODELS
WAITING_AT_MOST = 2000
STUCK_SECONDS = 1800
_BATCH = 10


async def until(holds, what):
    """Return when a condition that may block for a moment holds; `what` names it when it never does."""
    try:
        async with asyncio.timeout(STUCK_SECONDS):
            while not await asyncio.to_thread(holds):  # noqa: ASYNC110 - queues and processes announce nothing
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"{what}: not within {STUCK_SECONDS} s") from None


class KillableNode:
    """A node of its own that is killed and started again over the same data."""

    def __init__(self, directory, port):
        self._installation, self._directory, self._port = opensearch.install(), directory, port
        self.url = f"http://127.0.0.1:{port}"
        self._node = None
        self.start()

    def start(self):
        self._node = opensearch.start_installed(self._installation, self._directory, self._port)

    def kill(self):
        self._node.process.kill()

    def stop(self):
        self._node.stop()


class Feeder:
    """Puts messages on a queue as a raw subscription does, never more than some thousand ahead."""

    def __init__(self, names, queue):
        self._sqs = client("sqs", names.endpoint_url)
        self._url, self._dead = names.queue_url(queue), names.queue_url(f"{queue}-dlq")
        self.sent = 0

    def waiting(self):
        """Messages of the queue, those in flight included."""
        return self._count(self._url)

    def dead(self):
        return self._count(self._dead)

    async def feed(self, messages):
        for start in range(0, len(messages), _BATCH):
            part = messages[start : start + _BATCH]
            await asyncio.to_thread(self._send, part)
            self.sent += len(part)
            if self.sent % 200 == 0:
                await until(lambda: self.waiting() <= WAITING_AT_MOST, "a shorter queue")

    def _send(self, part):
        entries = [{"Id": str(n), "MessageBody": raw.decode()} for n, raw in enumerate(part)]
        answer = self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries)
        assert not answer.get("Failed")

    def _count(self, url):
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        names = [*names, "ApproximateNumberOfMessagesDelayed"]
        answer = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)


class Aliases:
    """A reader of every read model who notes what no reader may ever see."""

    def __init__(self, store):
        self._store = store
        self._known, self.faults = {}, []
        self.looks, self.seen = 0, defaultdict(set)

    async def watch(self):
        while True:
            for model in await self._models():
                with contextlib.suppress(StoreUnavailable):  # the node is away
                    await self._look(model)
            await asyncio.sleep(0.01)

    async def _models(self):
        with contextlib.suppress(StoreUnavailable):
            jobs = await self._store.backend.names(indices.job_indices())
            return [*MODELS, *sorted({indices.model_of(name) for name in jobs})]
        return []

    async def _look(self, model):
        try:
            index = await self._store.backend.resolve(model)
        except StoreUnavailable:
            raise
        except StoreError as several:
            self.faults.append(str(several))
            return
        if index is None:
            if model in self.seen:
                self.faults.append(f"{model} names no index")
            return
        self.seen[model].add(index)
        hits = await self._store.backend.search(Query((model,), limit=20))
        if len({hit.index for hit in hits}) > 1:
            self.faults.append(f"{model} showed documents of two indices")
        known = self._known.setdefault(model, hits[0].id) if hits else self._known.get(model)
        if known is not None and await self._store.read_models.get(model, known) is None:
            self.faults.append(f"{model} lost {known}")
        self.looks += 1


async def rebuild_all(url, models, chance, longest):
    """Rebuild one after the other, each killed once at a random moment and taken up; how many were killed."""
    killed = 0
    for model in models:
        first = Killable(rebuild, url, model, "siege")
        await asyncio.to_thread(threading.Event().wait, chance.uniform(0.1, longest))
        killed += first.ended() is None
        await asyncio.to_thread(first.kill)
        told = []
        while not any(step[0] == "verified" for _, step in told):  # a node that was killed ends a rebuild
            again = Killable(rebuild, url, model, "siege")
            told = []
            while again.ended() is None:
                told += await asyncio.to_thread(again.heard, 0.2)
            told += again.kill()
        assert told[-1][1] == ["verified", 0], model
    return killed


class Siege:
    """Indexers killed in turn, the node killed, and a time in which the engine answers 429."""

    def __init__(self, indexers, node, feeder, *, kill_every, kill_after, busy_seconds):
        """`kill_every` seconds and `kill_after` handled messages lie between two kills."""
        self._indexers, self._node, self._feeder = indexers, node, feeder
        self._kill_after = kill_after
        self._kill_every, self._busy_seconds = kill_every, busy_seconds
        self.kills = self.node_kills = 0

    async def lay(self, messages, *, disturbed=True):
        """Send everything, and return when all of it was handled."""
        for indexer in self._indexers:
            if indexer.process is None:
                indexer.start()
        already = self._feeder.sent
        feeding = asyncio.create_task(self._feeder.feed(messages))
        killing = asyncio.create_task(self._kill_indexers())
        try:
            if disturbed:
                await self._handled(already + len(messages) // 4)
                await self._kill_node()
                await self._handled(already + len(messages) // 2)
                await self._be_busy()
                await self._handled(already + len(messages) * 3 // 4)
                await self._kill_node()
            await feeding
            await self._handled(already + len(messages))
        finally:
            killing.cancel()
            feeding.cancel()
            await asyncio.gather(killing, feeding, return_exceptions=True)

    async def _handled(self, count):
        await until(lambda: self._done() >= count, f"{count} messages handled")

    def _done(self):
        return self._feeder.sent - self._feeder.waiting()

    async def _kill_indexers(self):
        """One after the other, and not before something was handled since the last.

        A queue moves a message to its dead letters at the eleventh receive, whoever is to blame: on a slow
        machine kills by the clock alone would take most messages there.
        """
        while True:
            indexer, done = self._indexers[self.kills % len(self._indexers)], self._done()
            await until(lambda running=indexer: probe(f"{running.url}/readyz"), "an indexer ready")
            await asyncio.sleep(self._kill_every)
            await until(lambda before=done: self._done() >= before + self._kill_after, "work between kills")
            indexer.kill()
            indexer.start()
            self.kills += 1

    async def _kill_node(self):
        await asyncio.to_thread(self._node.kill)
        await asyncio.to_thread(self._node.start)
        self.node_kills += 1

    async def _be_busy(self):
        """The block that a full disk brings: every write is answered 429, every read as always."""
        backend = self._indexers[0].store.backend
        await backend._ask("PUT", "/events-*,rm-*/_settings", {"index.blocks.read_only_allow_delete": True})
        await asyncio.sleep(self._busy_seconds)
        await backend._ask("PUT", "/events-*,rm-*/_settings", {"index.blocks.read_only_allow_delete": None})
