"""Seal what the log holds, and find what was changed behind its back.

Detects, for every event that a digest covers, that it was edited or deleted, and that another was inserted
below a sealed watermark; also when the index was made anew. Cannot detect: what was forged before it was
sealed; events added after the last digest; a forger who has the key; changes of the recorder's fields,
which no hash covers. An event inserted while its index was made anew is named until that index is
sealed in turn; that it was made anew is named for ever.
"""

from dwh_eventstore.audit.check import Audited, Finding, audit
from dwh_eventstore.audit.digests import Digest
from dwh_eventstore.audit.keys import AuditKey, DigestKey, KmsKey, digest_key
from dwh_eventstore.audit.seal import Copies, Sealer

__all__ = [
    "AuditKey",
    "Audited",
    "Copies",
    "Digest",
    "DigestKey",
    "Finding",
    "KmsKey",
    "Sealer",
    "audit",
    "digest_key",
]
