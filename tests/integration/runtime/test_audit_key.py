"""Digests signed by a key that KMS keeps, over the AWS stand-in."""

from collections.abc import AsyncIterator, Callable

import pytest
from dwh_contracts.clock import ManualClock
from dwh_eventstore import StoreError, memory_store
from dwh_eventstore.audit import Sealer, audit, digest_key
from dwh_eventstore.testing import RunFacts
from dwh_eventstore.testing.events import START
from dwh_local.aws import client
from dwh_runtime.aws import AwsClients, AwsRefused, AwsUnavailable, Keys

pytestmark = pytest.mark.integration


@pytest.fixture
async def keys(aws_environment) -> AsyncIterator[Keys]:
    async with AwsClients("us-east-1") as clients:
        yield clients.keys


@pytest.fixture
def a_key(gateway) -> Callable[[str], str]:
    """Makes a key of a spec and tells its ARN."""
    kms = client("kms", gateway.endpoint_url)

    def make(spec: str) -> str:
        return str(kms.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"])

    return make


async def sealed(key):
    store = memory_store(clock=ManualClock(START))
    await store.events.append([RunFacts().completed("GREEN")])
    assert await Sealer(store.backend, key, store.clock).seal() == 1
    return store


async def test_a_log_sealed_by_a_key_in_kms_is_checked_by_its_public_half(keys, a_key, gateway) -> None:
    arn = a_key("ECC_NIST_P256")
    client("kms", gateway.endpoint_url).create_alias(AliasName="alias/dwh-audit", TargetKeyId=arn)
    store = await sealed(digest_key("alias/dwh-audit", keys))
    answer = await audit(store.backend, digest_key(arn, keys))
    assert (answer.events, answer.findings) == (1, [])


async def test_a_digest_of_another_key_is_named(keys, a_key) -> None:
    store = await sealed(digest_key(a_key("ECC_NIST_P256"), keys))
    findings = (await audit(store.backend, digest_key(a_key("ECC_NIST_P256"), keys))).findings
    assert {each.kind for each in findings} == {"digest"}
    assert {each.detail for each in findings} == {"it is not signed by this key, or was changed since"}


async def test_a_key_of_another_spec_and_one_that_is_missing_are_refused_by_name(keys, a_key) -> None:
    rsa = a_key("RSA_2048")
    with pytest.raises(AwsRefused, match=rsa):
        await digest_key(rsa, keys).sign("text")
    with pytest.raises(StoreError, match=f"{rsa} is no key of the spec ECC_NIST_P256"):
        await digest_key(rsa, keys).signed("text", "00")
    with pytest.raises(AwsRefused, match="alias/nowhere: NotFoundException"):
        await digest_key("alias/nowhere", keys).sign("text")


async def test_while_kms_is_away_sealing_is_tried_again_later(keys, monkeypatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    async with AwsClients("us-east-1") as clients:
        with pytest.raises(AwsUnavailable, match="alias/dwh-audit"):
            await digest_key("alias/dwh-audit", clients.keys).sign("text")
