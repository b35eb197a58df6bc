import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from dwh_contracts.clock import ManualClock
from dwh_eventstore import Store, StoreError, memory_store
from dwh_eventstore.audit import KmsKey, digest_key
from dwh_eventstore.testing.audit_suite import AuditSuite
from dwh_eventstore.testing.events import START


class TestAuditOverMemory(AuditSuite):
    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock(START)

    @pytest.fixture
    def store(self, clock: ManualClock) -> Store:
        return memory_store(clock=clock)


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
