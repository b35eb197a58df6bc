"""Any order of sending, taking, going on, dying and coming again; afterwards everything must agree."""

import asyncio

from dwh_eventstore import indices
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from store_world import LEASE_OVER_SECONDS, POOL, SERVICES, World

services, replicas = st.sampled_from(SERVICES), st.integers(0, 1)
places = st.integers(0, 7)


class StoreMachine(RuleBasedStateMachine):
    """Two replicas of each service; a rebuild may run beside them."""

    def __init__(self):
        super().__init__()
        self._runner = asyncio.Runner()
        self._world = World()

    def _within(self, action):
        async def work():
            action()

        self._runner.run(work())

    @rule(number=st.integers(0, len(POOL) - 1))
    def send(self, number):
        self._world.deliver(*POOL[number])

    @rule(service=services, place=places)
    def copy(self, service, place):
        if queue := self._world.queues[service]:
            self._world.deliver([service], queue[place % len(queue)].raw)

    @rule(service=services, replica=replicas, at=st.lists(places, min_size=1, max_size=3))
    def take(self, service, replica, at):
        self._within(lambda: self._world.take(service, replica, at))

    @rule(service=st.sampled_from([*SERVICES, "operator"]), replica=replicas, turns=st.integers(1, 40))
    def go_on(self, service, replica, turns):
        if process := self._world.processes.get((service, replica)):
            self._runner.run(process.go(turns))

    @rule(service=st.sampled_from([*SERVICES, "operator"]), replica=replicas)
    def die(self, service, replica):
        self._world.kill((service, replica))

    @rule(service=services)
    def lose_sight(self, service):
        self._world.expire(service)

    @rule()
    def let_leases_end(self):
        self._world.clock.advance(LEASE_OVER_SECONDS)

    @rule(model=st.sampled_from([indices.JOB_EVENTS, indices.JOB_APPROVALS, indices.JOB_LINE_ITEMS]))
    def rebuild(self, model):
        self._within(lambda: self._world.rebuild(model))

    def teardown(self):
        with self._runner:
            faults = self._runner.run(self._end())
        assert faults == []

    async def _end(self):
        try:
            await self._world.settle()
            return await self._world.faults()
        finally:
            await self._world.bury()
