from datetime import UTC, datetime

import pytest
from dwh_contracts.clock import ManualClock
from dwh_eventstore import memory_store
from dwh_runtime.effects import EffectExecutor, EffectRefused, Step
from dwh_runtime.outcomes import Retry

KEY = "trigger|" + "a" * 32


class Target:
    """Something outside that is called; it may fail, or die after the call took effect."""

    def __init__(self):
        self.clock = ManualClock(datetime(2026, 11, 1, tzinfo=UTC))
        self.store = memory_store(environment="local", clock=self.clock)
        self.calls = []
        self.facts = []
        self.failure = None

    async def call(self, possible_duplicate):
        self.calls.append(possible_duplicate)
        if self.failure is not None:
            raise self.failure
        return {"message_id": f"m{len(self.calls)}"}

    def on_fact(self, outcome):
        self.facts.append(outcome)

    def executor(self, owner="a"):
        return EffectExecutor(
            self.store.claims, self.store.record, owner, self.clock, service="test", kinds=["trigger"]
        )

    async def perform(self, owner="a", *, idempotent=False):
        return await self.executor(owner).perform(
            KEY, self.call, idempotent_target=idempotent, on_fact=self.on_fact
        )


@pytest.fixture
def target():
    return Target()


async def test_an_effect_is_called_once_however_often_its_message_comes(target):
    outcomes = [await target.perform() for _ in range(3)]
    assert target.calls == [False]
    assert [outcome.repeated for outcome in outcomes] == [False, True, True]
    assert {outcome.response["message_id"] for outcome in outcomes} == {"m1"}


async def test_a_redelivery_records_the_fact_again_in_case_the_first_died_before_it(target):
    await target.perform()
    await target.perform()
    first, second = target.facts
    assert (first.step, first.response, first.claimed_at) == (second.step, second.response, second.claimed_at)


async def test_a_refusal_for_good_is_final(target):
    target.failure = EffectRefused("no such queue")
    outcome = await target.perform()
    assert (outcome.step, outcome.error) == (Step.FAILED, "no such queue")
    target.failure = None
    assert (await target.perform()).step is Step.FAILED
    assert len(target.calls) == 1


async def test_a_failure_that_may_pass_is_tried_again_after_the_lease(target):
    target.failure = TimeoutError("no answer")
    with pytest.raises(Retry) as caught:
        await target.perform()
    assert caught.value.after == pytest.approx(30)
    target.failure = None
    target.clock.advance(30)
    assert (await target.perform()).step is Step.SENT


async def test_a_claim_held_elsewhere_waits_without_counting_a_failure(target):
    await target.store.claims.acquire(KEY, owner="b", lease_seconds=30)
    target.clock.advance(10)
    with pytest.raises(Retry) as caught:
        await target.perform("a")
    assert (target.calls, caught.value.counted) == ([], False)
    assert caught.value.after == pytest.approx(20)


@pytest.mark.parametrize(("idempotent", "marked"), [(False, True), (True, False)])
async def test_a_second_call_is_marked_where_the_target_cannot_deduplicate(target, idempotent, marked):
    await target.store.claims.acquire(KEY, owner="died-after-the-call", lease_seconds=30)
    target.clock.advance(30)
    outcome = await target.perform("a", idempotent=idempotent)
    assert target.calls == [marked]
    assert outcome.possible_duplicate is marked
