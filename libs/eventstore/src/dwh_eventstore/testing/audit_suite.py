"""What the audit promises, over every backend: the tests change the log behind the store's back."""
# ruff: noqa: S101, D102, PLR2004 - a suite of tests: it asserts, and its names are its claims

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from dwh_contracts.canonical import JsonObject
from dwh_contracts.clock import ManualClock

from dwh_eventstore import indices
from dwh_eventstore.audit import Audited, AuditKey, Sealer, audit
from dwh_eventstore.audit.seal import digests_of
from dwh_eventstore.backend import Create, Found
from dwh_eventstore.definitions import events_template
from dwh_eventstore.store import Store
from dwh_eventstore.testing.events import RunFacts

KEY = AuditKey(hashlib.sha256(b"a test").hexdigest())
OTHER_KEY = AuditKey(hashlib.sha256(b"another").hexdigest())


class MemoryCopies:
    """Second copies in a dict."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def put(self, name: str, body: bytes) -> None:
        self.kept[name] = body

    async def get(self, name: str) -> bytes | None:
        return self.kept.get(name)


class MeanwhileKey:
    """`KEY`, and something that happens while it is used for the first time."""

    def __init__(self, meanwhile: Callable[[], Awaitable[object]]) -> None:
        self._meanwhile: Callable[[], Awaitable[object]] | None = meanwhile

    async def sign(self, text: str) -> str:
        await self._once()
        return await KEY.sign(text)

    async def signed(self, text: str, signature: str) -> bool:
        await self._once()
        return await KEY.signed(text, signature)

    async def _once(self) -> None:
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            await meanwhile()


class AuditSuite:
    """Inherit and give fixtures: `clock` and a bootstrapped `store` over it that no other test uses."""

    async def test_a_log_that_nobody_touched_has_no_finding(self, store: Store, clock: ManualClock) -> None:
        await _sealed(store, clock, 3)
        await _append(store, 3)
        answer = await audit(store.backend, KEY)
        assert (answer.findings, answer.events, answer.unsealed) == ([], 3, 1)

    async def test_each_edited_deleted_and_inserted_event_is_named_and_no_other(
        self, store: Store, clock: ManualClock
    ) -> None:
        ids = await _sealed(store, clock, 6)
        inserted = _run(99)

        def forge(found: Sequence[Found]) -> list[JsonObject]:
            bodies = {hit.id: hit.body for hit in found}
            edited: Any = bodies[ids[1]]["body"]
            edited["status"] = "FAILED"
            model = dict(bodies[ids[0]])
            del bodies[ids[4]]
            return [*bodies.values(), model | {"event_id": inserted.run_id, "body": {"n": 1}}]

        await _remake(store, forge)
        assert _named(await audit(store.backend, KEY)) == {
            ("recreated", _INDEX),
            *(("edited", ids[1]), ("deleted", ids[4]), ("inserted", inserted.run_id)),
        }

    async def test_an_event_inserted_below_a_seal_is_named(self, store: Store, clock: ManualClock) -> None:
        await _sealed(store, clock, 3)
        run = _run(50)

        def forge(found: Sequence[Found]) -> list[JsonObject]:
            return [*(hit.body for hit in found), found[0].body | {"event_id": run.run_id}]

        await _remake(store, forge)
        assert _named(await audit(store.backend, KEY)) == {("recreated", _INDEX), ("inserted", run.run_id)}

    async def test_an_index_that_is_gone_names_every_event_it_had(
        self, store: Store, clock: ManualClock
    ) -> None:
        ids = await _sealed(store, clock, 2)
        await store.backend.drop_index(_INDEX)
        assert _named(await audit(store.backend, KEY)) == {("deleted", event_id) for event_id in ids}

    async def test_digests_follow_one_another_also_over_empty_hours(
        self, store: Store, clock: ManualClock
    ) -> None:
        await _sealed(store, clock, 2)
        sealer = _sealer(store, clock)
        clock.advance(3600)
        assert await sealer.seal() == 0
        await _append(store, 7)
        clock.advance(3600)
        assert await sealer.seal() == 1
        await store.backend.refresh([indices.DIGESTS])
        digests: list[Any] = [each async for each in digests_of(store.backend, _INDEX)]
        assert [each["sequence"] for each in digests] == [0, 1, 2]
        assert [each["count"] for each in digests] == [2, 0, 1]
        assert [each["previous"] for each in digests] == ["", digests[0]["hash"], digests[1]["hash"]]
        assert await sealer.last_sealed() == clock.now()
        assert (await audit(store.backend, KEY)).findings == []

    async def test_a_digest_of_another_key_is_named(self, store: Store, clock: ManualClock) -> None:
        await _sealed(store, clock, 1)
        findings = (await audit(store.backend, OTHER_KEY)).findings
        assert ("digest", f"{_INDEX}|00000000") in {(each.kind, each.id) for each in findings}

    async def test_a_digest_that_was_taken_away_is_known_by_its_copy(
        self, store: Store, clock: ManualClock
    ) -> None:
        copies = MemoryCopies()
        await _append(store, 0)
        await _sealer(store, clock, copies).seal()
        assert (await audit(store.backend, KEY, copies=copies)).findings == []
        del copies.kept[f"{_INDEX}/00000000.json"]
        copies.kept[f"{_INDEX}/00000001.json"] = b"{}"
        found = {(each.id, each.detail) for each in (await audit(store.backend, KEY, copies=copies)).findings}
        assert found == {
            (f"{_INDEX}|00000000", "its second copy is missing"),
            (f"{_INDEX}|00000001", "a copy of it is kept, the digest itself is gone"),
        }

    async def test_what_is_sealed_during_an_audit_is_no_finding(
        self, store: Store, clock: ManualClock
    ) -> None:
        copies = MemoryCopies()
        await _sealed(store, clock, 2, copies)

        async def seal() -> None:
            await _append(store, 7)
            await _sealer(store, clock, copies).seal()

        assert (await audit(store.backend, MeanwhileKey(seal), copies=copies)).findings == []
        assert (await audit(store.backend, KEY, copies=copies)).events == 3

    async def test_of_two_that_seal_at_once_one_digest_stays_and_it_is_the_one_that_is_copied(
        self, store: Store, clock: ManualClock
    ) -> None:
        copies = MemoryCopies()
        await _append(store, 1)

        async def seal() -> None:
            await _append(store, 2)
            clock.advance(1)
            assert await _sealer(store, clock, copies).seal() == 2

        assert await Sealer(store.backend, MeanwhileKey(seal), clock, copies).seal() == 0
        answer = await audit(store.backend, KEY, copies=copies)
        assert (answer.findings, answer.events) == ([], 2)

    async def test_a_copy_that_was_left_out_is_made_by_the_next_seal(
        self, store: Store, clock: ManualClock
    ) -> None:
        copies = MemoryCopies()
        await _sealed(store, clock, 2)
        await _sealer(store, clock, copies).seal()
        assert (await audit(store.backend, KEY, copies=copies)).findings == []

    async def test_of_an_index_made_anew_since_names_nothing_that_was_sealed_before(
        self, store: Store, clock: ManualClock
    ) -> None:
        await _sealed(store, clock, 3)
        clock.advance(3600)
        await _append(store, 5)
        await _sealer(store, clock).seal()
        await _remake(store, lambda found: [hit.body for hit in found])
        answer = await audit(store.backend, KEY, since="2026-11-23T09:00:00.000000Z")
        assert _named(answer) == {("recreated", _INDEX)}

    async def test_since_checks_what_was_sealed_from_then_on(self, store: Store, clock: ManualClock) -> None:
        await _sealed(store, clock, 2)
        clock.advance(3600)
        moment = "2026-11-23T09:00:00.000000Z"
        later = await _append(store, 5)
        await _sealer(store, clock).seal()
        answer = await audit(store.backend, KEY, since=moment)
        assert (answer.events, answer.unsealed, answer.findings) == (1, 0, [])
        assert later

    async def test_a_key_that_is_none_is_refused_without_being_repeated(self) -> None:
        with pytest.raises(Exception, match="64 hex digits") as refused:
            AuditKey("secret")
        assert "secret" not in str(refused.value)


_INDEX = "events-job-v1-2026-11"


def _run(number: int) -> RunFacts:
    return RunFacts(job_run_id=f"audited-{number}")


async def _append(store: Store, number: int) -> str:
    event = _run(number).completed("GREEN")
    await store.events.append([event])
    return event.event_id


async def _sealed(
    store: Store, clock: ManualClock, count: int, copies: MemoryCopies | None = None
) -> list[str]:
    ids = [await _append(store, number) for number in range(count)]
    clock.advance(60)
    await _sealer(store, clock, copies).seal()
    return ids


def _sealer(store: Store, clock: ManualClock, copies: MemoryCopies | None = None) -> Sealer:
    return Sealer(store.backend, KEY, clock, copies)


async def _remake(store: Store, forge: Any) -> None:
    """Make the month anew with other documents, as somebody with all rights could."""
    [shard] = await store.backend.shards([_INDEX])
    await store.backend.refresh([_INDEX])
    found = [hit async for page in store.backend.scan(shard, -1) for hit in page]
    await store.backend.drop_index(_INDEX)
    template: Any = events_template("job", 0)["template"]
    await store.backend.create_index(_INDEX, template)
    bodies = forge(found)
    await store.backend.write([Create(_INDEX, str(body["event_id"]), body) for body in bodies])


def _named(answer: Audited) -> set[tuple[str, str]]:
    return {(finding.kind, finding.id) for finding in answer.findings}
