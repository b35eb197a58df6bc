"""Services over one store in memory, each of them stopped before and after every call that it makes.

Whoever drives the world lets a process go on for some calls, kills it between two of them, loses its
messages' visibility, copies messages and takes them in any order. The services' own code runs unchanged.
"""

import asyncio
import json
from collections import Counter
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from datetime import timedelta

from dwh_approvals.consume import Consumer as Approvals
from dwh_approvals.deciding import Decisions
from dwh_approvals.effects import Ledger
from dwh_approvals.foreign import Foreign
from dwh_approvals.opening import Openings
from dwh_contracts.canonical import canonical_json
from dwh_contracts.clock import ManualClock
from dwh_contracts.parse import parse_event
from dwh_contracts.quarantine import Refused, quarantine_record
from dwh_contracts.testing import a_job_event, a_job_started, an_approval_decision
from dwh_contracts.times import format_time
from dwh_contracts.workflow import load_workflow_config
from dwh_eventstore import MemoryBackend, StoreError, memory_store
from dwh_eventstore.replay import Rebuild
from dwh_eventstore.testing.events import START
from dwh_indexer.effects import Indexing
from dwh_orchestrator.consume import Consumer as Orchestrator
from dwh_orchestrator.effects import Effects
from dwh_orchestrator.triggers import sqs_mwaa
from dwh_runtime.config_source import ConfigInForce
from dwh_runtime.effects import EffectExecutor
from dwh_runtime.intake import Origin, Received
from dwh_runtime.outcomes import Duplicate, Poison, Retry
from dwh_runtime.stored import StoredRuns
from store_findings import faults_of_read_models, logged

RULE = {"id": "r1", "type": "sqs_mwaa", "dag_id": "filter_dag", "parameter_mapping": {}}
CONFIG = canonical_json({"version": "2.0", "workflows": {"transform_images": {"on_success": [RULE]}}})
SERVICES = ("indexer", "approvals", "orchestrator")
JOB_EVENTS, JOB_APPROVALS = SERVICES, ("approvals", "orchestrator")
"""Whose queues a topic feeds."""
LEASE_OVER_SECONDS = 31
_ROUNDS, _TURNS = 60, 4000
NOWHERE = Origin(None, None, None)

_running: ContextVar["Process | None"] = ContextVar("running", default=None)


def _a_pool():
    """Messages of two runs, what people say about the one that asks, and two that contradict others."""
    own = {"environment": "local", "timestamp": format_time(START)}
    later = {"environment": "local", "timestamp": format_time(START + timedelta(minutes=30))}
    asked = a_job_event(quality_status="RED", job_run_id="asked", **own)
    green = a_job_event(job_run_id="green", **own)
    again = a_job_event(job_run_id="asked", attempt=2, **later)
    started = a_job_started(job_run_id="asked", **own)
    decided = {"job_run_id": "asked", "environment": "local"}
    yes = an_approval_decision(decided_by="tom", decision="APPROVED", **decided)
    no = an_approval_decision(decided_by="bob", decision="REJECTED", **decided)
    other = green | {"producer": "somebody else"}
    return [
        *((JOB_EVENTS, canonical_json(body)) for body in (asked, green, again, started, other)),
        *((JOB_APPROVALS, canonical_json(body)) for body in (yes, no)),
    ]


POOL = _a_pool()


async def turn():
    """Wait until the world lets this process go on."""
    process = _running.get()
    if process is not None:
        await process.pause()


class TurningBackend(MemoryBackend):
    """Memory where others may act, and a process may die, between any two writes of a call."""

    async def write(self, writes):
        fates = []
        for write in writes:
            await turn()
            fates += await super().write([write])
        await turn()
        return fates

    async def read(self, references):
        await turn()
        return await super().read(references)

    async def search(self, query):
        await turn()
        return await super().search(query)

    async def move_aliases(self, aliases, source, target):
        await turn()
        await super().move_aliases(aliases, source, target)


class HastyClock(ManualClock):
    """Whoever waits has waited at once, and others act meanwhile."""

    async def sleep(self, seconds):
        self.advance(seconds)
        await turn()
        await asyncio.sleep(0)


@dataclass(eq=False)
class Message:
    raw: bytes
    visible: bool = True


class Process:
    """One process at work; it stops at each of its turns, and for ever once it was killed."""

    def __init__(self, work, messages=()):
        self.messages = messages
        self.free = False
        self._gates = []
        context = copy_context()
        context.run(_running.set, self)
        self.task = asyncio.get_running_loop().create_task(work, context=context)

    async def pause(self):
        if not self.free:
            gate = asyncio.get_running_loop().create_future()
            self._gates.append(gate)
            await gate

    async def go(self, turns):
        for _ in range(turns):
            if self._gates:
                self._gates.pop(0).set_result(None)
            for _ in range(4):  # until whoever was woken stands at the next gate
                await asyncio.sleep(0)
            if self.task.done():
                return


class Sent:
    """The queue of the triggers: what was sent by DAG run."""

    def __init__(self):
        self.runs = Counter()

    async def send(self, queue_url, body, attributes, delay_seconds=0):
        await turn()
        message = json.loads(body)
        self.runs[message["source"]["job_run_id"], message["run_id"]] += 1
        await turn()
        return "sqs-1"


class Topic:
    """job-approvals."""

    def __init__(self, world):
        self._world = world

    async def publish(self, topic_arn, body, attributes, subject=None, message_structure=None):
        await turn()
        self._world.published += 1
        self._world.deliver(JOB_APPROVALS, body)
        await turn()
        return "sns-1"


class Config:
    """The workflow config, always in force."""

    _in_force = ConfigInForce(load_workflow_config(CONFIG).config, "c1", "e1")

    def current(self):
        return self._in_force


@dataclass
class World:
    """Queues, one store, and at most two processes of each service at a time."""

    queues: dict = field(default_factory=lambda: {name: [] for name in SERVICES})
    acknowledged: set = field(default_factory=set)
    processes: dict = field(default_factory=dict)
    dead: list = field(default_factory=list)
    published: int = 0

    def __post_init__(self):
        self.clock = HastyClock(START + timedelta(hours=1))
        self.store = memory_store("local", self.clock, backend=TurningBackend())
        self.sent = Sent()
        self.ledger = Ledger(self.store, Topic(self), "topic", self.clock)
        self._indexing = Indexing(self.store.events, self.store.read_models, self.clock)
        self._decisions = Decisions(self.store, self.ledger, Config(), self.clock, unverified_allowed=True)

    def deliver(self, queues, raw):
        for name in queues:
            self.queues[name].append(Message(raw))

    def take(self, service, replica, places):
        """Begin with the messages at these places, if the replica is idle."""
        visible = [message for message in self.queues[service] if message.visible]
        busy = self.processes.get((service, replica))
        if not visible or (busy and not busy.task.done()):
            return
        taken = list(
            {id(visible[place % len(visible)]): visible[place % len(visible)] for place in places}.values()
        )
        taken = taken if service == "indexer" else taken[:1]
        for message in taken:
            message.visible = False
        owner = f"{service}-{replica}-{len(self.dead)}"
        self.processes[service, replica] = Process(self._work(service, owner, taken), taken)

    def rebuild(self, model):
        """Begin to rebuild, if nobody does."""
        busy = self.processes.get(("operator", 0))
        if not busy or busy.task.done():
            self.processes["operator", 0] = Process(self._rebuild(model))

    def kill(self, key):
        """Let a process make no further call."""
        process = self.processes.pop(key, None)
        if process and not process.task.done():
            self.dead.append((key[0], process))

    def expire(self, service):
        """The visibility of all messages is over, also of those somebody still works at."""
        for message in self.queues[service]:
            message.visible = True

    async def _work(self, service, owner, messages):
        try:
            outcomes = await self._outcomes(service, owner, [message.raw for message in messages])
        except (Retry, StoreError):
            outcomes = [Retry()] * len(messages)
        for message, outcome in zip(messages, outcomes, strict=True):
            await turn()
            if isinstance(outcome, Retry):
                message.visible = True
            elif message in self.queues[service]:
                self.queues[service].remove(message)
            if service == "indexer" and not isinstance(outcome, Retry):
                self.acknowledged.add(message.raw)

    async def _outcomes(self, service, owner, raws):
        events = [parse_event(raw, environment="local", now=self.clock.now()) for raw in raws]
        if service == "indexer":
            outcomes = await self._indexing.index([Received(event, NOWHERE) for event in events])
        else:
            consumer = self._approvals() if service == "approvals" else self._orchestrator(owner)
            await consumer.on_event(events[0], NOWHERE)
            outcomes = [None]
        for raw, outcome in zip(raws, outcomes, strict=True):
            if isinstance(outcome, Poison):
                refused = Refused(outcome.reason, outcome.path, outcome.detail)
                record = quarantine_record(service, None, raw, {}, refused, self.clock.now())
                await self.store.quarantine.put(record)
            elif not isinstance(outcome, Duplicate | Retry | None):
                raise outcome
        return outcomes

    def _approvals(self):
        foreign = Foreign(self.store, self.ledger, self._decisions)
        openings = Openings(self.store, self.ledger, Config(), foreign.judge_early, self.clock)
        return Approvals(openings.on_run, foreign.on_message)

    def _orchestrator(self, owner):
        executor = EffectExecutor(
            self.store.claims, self.store.record, owner, self.clock, service="orchestrator", kinds=["trigger"]
        )
        effects = Effects(self.store, executor, {"sqs_mwaa": sqs_mwaa(self.sent, "queue")}, self.clock)
        runs = StoredRuns(self.store.events, self.clock)
        return Orchestrator(self.store.decisions, runs, Config(), effects)

    async def _rebuild(self, model):
        try:
            await Rebuild(self.store.backend, model, owner="operator", clock=self.clock).run()
        except StoreError:
            return  # its lock ran out: it is taken up at the next time

    async def settle(self):
        """Let everybody finish and the queues run empty; the run that was decided on comes at last."""
        self.deliver(*POOL[0])
        for process in self.processes.values():
            await self._finish(process)
        for _ in range(_ROUNDS):
            self.clock.advance(LEASE_OVER_SECONDS)
            await self.ledger.finish_open()
            for service in SERVICES:
                self.expire(service)
                for place in range(len(self.queues[service])):
                    self.take(service, "last", [place])
                    if process := self.processes.pop((service, "last"), None):
                        await self._finish(process)
            if not any(self.queues.values()):
                return
        raise AssertionError(f"left in the queues: {self.queues}")

    @staticmethod
    async def _finish(process):
        process.free = True
        await process.go(_TURNS)
        assert process.task.done()
        process.task.result()

    async def bury(self):
        """Release what dead processes hold, when everything was looked at."""
        for _, process in self.dead:
            process.free = True
            process.task.cancel()
        await asyncio.gather(*(process.task for _, process in self.dead), return_exceptions=True)

    async def faults(self):
        """What is not as it must be after everything was handled."""
        bodies = [event.body for event in await logged(self.store)]
        ids = Counter(body["event_id"] for body in bodies)
        faults = [f"{event_id} is stored {count} times" for event_id, count in ids.items() if count > 1]
        kept = {str(record["raw"]).encode() for record in await self.store.quarantine.list(None)}
        known = {canonical_json(body) for body in bodies}
        faults += [f"lost: {raw!r}" for raw in self.acknowledged if raw not in known | kept]
        faults += await faults_of_read_models(self.store, bodies)
        return [*faults, *self._faults_of_effects(bodies), *self._faults_of_decisions(bodies)]

    def _faults_of_effects(self, bodies):
        """Each run that may go on starts one DAG run, and is sent once unless somebody died over it."""
        accepted = {b["job_run_id"] for b in bodies if b.get("decision") == "APPROVED" and "voters" in b}
        green = {(b["job_run_id"], b["attempt"]) for b in bodies if b.get("status") == "SUCCESS"}
        wanted = Counter(run for run, _ in green) + Counter(accepted)
        started = Counter(run for run, _ in self.sent.runs)
        faults = [] if started == wanted else [f"started {started}, not {wanted}"]
        undisturbed = not self.dead and self.clock.monotonic() < LEASE_OVER_SECONDS
        if undisturbed and any(count > 1 for count in self.sent.runs.values()):
            faults.append(f"sent more than once: {self.sent.runs}")
        return faults

    def _faults_of_decisions(self, bodies):
        """A conflict is told exactly where another decision than the final one says the contrary."""
        finals = [b for b in bodies if b["event_type"] == "approval_accepted"]
        said = {b["event_id"]: b["decision"] for b in bodies if b["event_type"] == "approval_decision"}
        told = {b["decision_event_id"] for b in bodies if b.get("outcome") == "conflict"}
        contrary = {("REJECTED", "APPROVED"), ("APPROVED", "REJECTED"), ("APPROVED", "EXPIRED")}
        wanted = {
            event_id
            for final in finals
            for event_id, decision in said.items()
            if event_id != final["accepted_event_id"] and (decision, final["decision"]) in contrary
        }
        faults = [] if told == wanted else [f"conflicts {told}, not {wanted}"]
        return faults if len(finals) <= 1 else [*faults, f"{len(finals)} decisions were accepted"]
