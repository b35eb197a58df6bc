"""Keys and certificates of one node, made for it and good for a day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from dwh_contracts.clock import SystemClock

ORGANIZATION = "dwh"


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, both PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Made:
    """Whom to trust, and who is trusted."""

    authority: Path
    pairs: Mapping[str, Pair]


def subject(name: str) -> str:
    """The distinguished name in a certificate."""
    return f"CN={name},O={ORGANIZATION}"


def make(folder: Path, names: Sequence[str]) -> Made:
    """An authority and a certificate for each name, for localhost; PEM files named for whom they are."""
    root_key = ec.generate_private_key(ec.SECP256R1())
    root = _builder("authority", "authority", root_key.public_key(), authority=True).sign(
        root_key, hashes.SHA256()
    )
    authority = folder / "authority.pem"
    authority.write_bytes(root.public_bytes(Encoding.PEM))
    return Made(authority, {name: _pair(folder, name, root_key) for name in names})


def _pair(folder: Path, name: str, root_key: ec.EllipticCurvePrivateKey) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(name, "authority", key.public_key(), authority=False)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    certificate = builder.add_extension(names, critical=False).sign(root_key, hashes.SHA256())
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    pair.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return pair


def _builder(
    name: str, issuer: str, key: ec.EllipticCurvePublicKey, *, authority: bool
) -> x509.CertificateBuilder:
    now = SystemClock().now()
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )


def _name(name: str) -> x509.Name:
    """In the order that the node writes backwards as `subject` has it."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
