import asyncio
from copy import deepcopy
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from dwh_contracts.clock import ManualClock
from dwh_eventstore import Store, StoreError, memory_store
from dwh_eventstore.audit import KmsKey, Sealer, audit, digest_key
from dwh_eventstore.testing.audit_suite import KEY, AuditSuite
from dwh_eventstore.testing.events import START, RunFacts
from hypothesis import given
from hypothesis import strategies as st


class TestAuditOverMemory(AuditSuite):
    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock(START)

    @pytest.fixture
    def store(self, clock: ManualClock) -> Store:
        return memory_store(clock=clock)


def leaves(value, path=()):
    """Where the values of a body stand that are no containers."""
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    members = list(members)
    return [each for name, member in members for each in leaves(member, (*path, name))] if members else [path]


def changed(body, path, value):
    """A copy of the body with another value in one place."""
    body = deepcopy(body)
    inner = body
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return body


@given(st.integers(1, 6), st.sampled_from(["edited", "deleted", "inserted"]), st.data())
def test_any_single_change_of_a_sealed_log_is_found_and_nothing_else(count, kind, data):
    async def named():
        clock = ManualClock(START)
        store = memory_store(clock=clock)
        events = [RunFacts(job_run_id=f"run-{number}").completed("GREEN") for number in range(count)]
        await store.events.append(events)
        clock.advance(60)
        await Sealer(store.backend, KEY, clock).seal()
        documents = store.backend._indices["events-job-v1-2026-11"].documents
        target = data.draw(st.sampled_from(sorted(documents)))
        stored = documents[target]
        if kind == "edited":
            path = data.draw(st.sampled_from(leaves(stored.body["body"])))
            stored.body["body"] = changed(stored.body["body"], path, "changed")
        elif kind == "deleted":
            del documents[target]
        else:
            target = "0" * 32
            documents[target] = replace(stored, body=stored.body | {"event_id": target})
        answer = await audit(store.backend, KEY)
        return target, {(finding.kind, finding.id) for finding in answer.findings}

    target, found = asyncio.run(named())
    assert found == {(kind, target)}


class KeysInMemory:
    """What KMS does, by keys of this process."""

    def __init__(self, curve: ec.EllipticCurve) -> None:
        self._key = ec.generate_private_key(curve)
        self.asked = 0

    async def sign(self, key_id: str, message: bytes) -> bytes:
        return self._key.sign(message, ec.ECDSA(SHA256()))

    async def public_key(self, key_id: str) -> bytes:
        self.asked += 1
        return self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("name", ["alias/dwh-audit", f"arn:aws:kms:eu-west-1:{'1' * 12}:key/mrk-1a"])
async def test_a_key_in_kms_is_asked_for_its_public_half_once_and_knows_its_signatures(name: str) -> None:
    keys = KeysInMemory(ec.SECP256R1())
    key = digest_key(name, keys)
    signature = await key.sign("a digest")
    assert isinstance(key, KmsKey)
    assert await key.signed("a digest", signature)
    assert not await key.signed("another", signature)
    assert not await key.signed("a digest", "no hex")
    assert keys.asked == 1


async def test_a_key_of_another_curve_is_refused() -> None:
    with pytest.raises(StoreError, match="alias/p384 is no key of the spec ECC_NIST_P256"):
        await digest_key("alias/p384", KeysInMemory(ec.SECP384R1())).signed("a digest", "00")


@pytest.mark.parametrize("text", ["dwh-audit", "arn:aws:s3:::bucket/key", "0" * 63, "alias/"])
def test_what_is_neither_a_key_nor_the_name_of_one_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(StoreError, match="64 hex digits, or name a key of AWS KMS") as refused:
        digest_key(text, KeysInMemory(ec.SECP256R1()))
    assert text not in str(refused.value)
