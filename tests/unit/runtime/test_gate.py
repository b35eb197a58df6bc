import asyncio
from datetime import UTC, datetime

import pytest
from dwh_contracts.clock import ManualClock
from dwh_runtime.gate import DependencyGate, failures


class Dependency:
    def __init__(self):
        self.away = False
        self.receiving = True
        self.clock = ManualClock(datetime(2026, 11, 1, tzinfo=UTC))
        self.gate = DependencyGate(
            {"store": self.check, "config": self.fine},
            self.pause,
            self.resume,
            self.clock,
            patience=0.05,
        )

    async def check(self):
        if self.away:
            raise ConnectionError("refused")

    async def fine(self):
        pass

    async def pause(self):
        self.receiving = False

    async def resume(self):
        self.receiving = True


@pytest.fixture
def dependency():
    return Dependency()


async def test_receiving_stops_while_a_dependency_is_away_and_resumes_by_itself(dependency):
    dependency.away = True
    await dependency.gate.look()
    assert not dependency.receiving
    assert dependency.gate.away == {"store": "ConnectionError: refused"}
    dependency.away = False
    await dependency.gate.look()
    assert dependency.receiving
    assert dependency.gate.away == {}


async def test_a_handler_that_met_an_absent_dependency_closes_at_once(dependency):
    await dependency.gate.trip("store", "503")
    assert not dependency.receiving
    assert dependency.gate.away == {"store": "503"}


async def test_the_gate_remembers_when_a_dependency_was_last_away(dependency):
    clock = dependency.clock
    started = clock.monotonic()
    assert not dependency.gate.was_away_since(started)
    dependency.away = True
    await dependency.gate.look()
    dependency.away = False
    clock.advance(5)
    await dependency.gate.look()
    assert dependency.gate.was_away_since(started)
    assert not dependency.gate.was_away_since(clock.monotonic())


async def test_a_check_that_never_answers_counts_as_away():
    async def silent():
        await asyncio.Event().wait()

    assert await failures({"store": silent}, 0.02) == {"store": "no answer within 0.02 s"}
