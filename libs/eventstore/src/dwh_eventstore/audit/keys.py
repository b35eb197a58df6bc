"""Who signs a digest: a key that this process holds, or one that AWS KMS keeps and nobody can read.

Whoever may check digests need not be able to sign: for a key in KMS the public half is enough.
"""

import re
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from dwh_eventstore.errors import StoreError

KMS_KEY = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(key|alias)/\S+|alias/\S+")
_KEY_BYTES = 32


class DigestKey(Protocol):
    """Signs digests and knows its signatures again."""

    async def sign(self, text: str) -> str:
        """The signature, in hex."""
        ...

    async def signed(self, text: str, signature: str) -> bool:
        """Whether this key made the signature."""
        ...


class KeptKeys(Protocol):
    """`dwh_runtime.aws.Keys`, structurally: keys that never leave where they are kept."""

    async def sign(self, key_id: str, message: bytes) -> bytes:
        """The signature of a message by ECDSA over P-256 with SHA-256, in DER."""
        ...

    async def public_key(self, key_id: str) -> bytes:
        """The public half, in DER."""
        ...


def digest_key(text: str, kept: KeptKeys) -> DigestKey:
    """The key that `DWH_AUDIT_KEY` means: 64 hex digits, or the ARN or alias of a key in KMS.

    Raises:
        StoreError: it is neither; the text is not repeated.
    """
    return KmsKey(kept, text) if KMS_KEY.fullmatch(text) else AuditKey(text)


class AuditKey:
    """The Ed25519 key that seals; made of 64 hex digits."""

    def __init__(self, text: str) -> None:
        """Read the key.

        Raises:
            StoreError: it is none; the text is not repeated.
        """
        try:
            seed = bytes.fromhex(text)
        except ValueError:
            seed = b""
        if len(seed) != _KEY_BYTES:
            raise StoreError(
                "DWH_AUDIT_KEY must be an Ed25519 key of 64 hex digits, or name a key of AWS KMS"
            )
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    async def sign(self, text: str) -> str:
        """The signature, in hex."""
        return self._key.sign(text.encode()).hex()

    async def signed(self, text: str, signature: str) -> bool:
        """Whether this key made the signature."""
        try:
            self._key.public_key().verify(bytes.fromhex(signature), text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


class KmsKey:
    """A key in KMS of the spec ECC_NIST_P256 for SIGN_VERIFY; it is asked for its public half once."""

    def __init__(self, kept: KeptKeys, key_id: str) -> None:
        self._kept = kept
        self._id = key_id
        self._public: EllipticCurvePublicKey | None = None

    async def sign(self, text: str) -> str:
        """The signature, in hex."""
        return (await self._kept.sign(self._id, text.encode())).hex()

    async def signed(self, text: str, signature: str) -> bool:
        """Whether this key made the signature.

        Raises:
            StoreError: the key is of another kind.
        """
        public = await self._public_half()
        try:
            public.verify(bytes.fromhex(signature), text.encode(), ECDSA(SHA256()))
        except (InvalidSignature, ValueError):
            return False
        return True

    async def _public_half(self) -> EllipticCurvePublicKey:
        if self._public is None:
            found = load_der_public_key(await self._kept.public_key(self._id))
            if not isinstance(found, EllipticCurvePublicKey) or not isinstance(found.curve, SECP256R1):
                raise StoreError(
                    f"DWH_AUDIT_KEY: {self._id} is no key of the spec ECC_NIST_P256 for SIGN_VERIFY"
                )
            self._public = found
        return self._public
