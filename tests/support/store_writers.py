"""Writers of the store as processes of their own, to be killed at any moment.

Children of a fork server that has everything imported: one costs milliseconds to start, so that a thousand
can be killed. What a writer calls acknowledged comes through a pipe, one message of less than a page at a
time, so that nothing is half told.
"""

import asyncio
import contextlib
import json
import multiprocessing

from dwh_contracts.clock import SystemClock
from dwh_eventstore import StoreError, StoreSettings, open_store
from dwh_eventstore.replay import Rebuild
from store_load import story

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["store_writers"])
RETRY_SECONDS = 0.2


class Killable:
    """A process that tells what it acknowledged, as a list of ids and a number at a time."""

    def __init__(self, work, *arguments, **how):
        self._heard, told = _context.Pipe(duplex=False)
        self._process = _context.Process(target=work, args=(told, *arguments), kwargs=how, daemon=True)
        self._process.start()
        told.close()

    def heard(self, seconds=0.0):
        """What it has told since the last look; waits for the first."""
        messages = []
        with contextlib.suppress(EOFError, ConnectionResetError):
            while self._heard.poll(0 if messages else seconds):
                messages.append(json.loads(self._heard.recv_bytes()))
        return messages

    def kill(self):
        """End it as a crash would, and return what it had told before."""
        self._process.kill()
        self._process.join()
        left = self.heard()
        self._heard.close()
        return left

    def ended(self):
        """Its exit code, when it has ended by itself, else None."""
        return self._process.exitcode


def _tell(told, number, acknowledged):
    told.send_bytes(json.dumps([number, acknowledged]).encode())


def append_stories(told, url, environment, start, number, count, *, before=False):
    """Record runs from a number on, some at a time, for ever; tell each batch once the call has returned.

    The first message says that it begins.

    With `before` it tells first and records then: the mistake that the tests must be able to see.
    """

    async def work():
        store = await open_store(StoreSettings(url=url, environment=environment, service="writer"))
        first = number
        _tell(told, first, [])
        while True:
            events = [event for n in range(first, first + count) for event in story(n, environment, start)]
            acknowledged = [event.event_id for event in events]
            if before:
                _tell(told, first + count, acknowledged)
            try:
                await store.record(events)
            except StoreError:
                await store.clock.sleep(RETRY_SECONDS)
                continue
            if not before:
                _tell(told, first + count, acknowledged)
            first += count

    asyncio.run(work())


def rebuild(told, url, name, owner):
    """Rebuild a read model, or finish a rebuild; tell each step, and at last how much was found different."""

    def progress(step, done, total):
        _tell(told, done, [step, total])

    async def work():
        store = await open_store(StoreSettings(url=url, environment="local", service="writer"))
        made = Rebuild(store.backend, name, owner=owner, clock=SystemClock(), progress=progress)
        verified = await made.run()
        _tell(told, verified.documents, ["verified", len(verified.differences)])
        await store.close()

    with contextlib.suppress(StoreError):
        asyncio.run(work())
