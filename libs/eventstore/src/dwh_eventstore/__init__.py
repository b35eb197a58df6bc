"""Append-only event store, read models and claims on OpenSearch."""

from dwh_eventstore.bootstrap import bootstrap
from dwh_eventstore.claims import Claim, Claims, ClaimState
from dwh_eventstore.documents import Documents, Versioned
from dwh_eventstore.errors import AppendRejected, StoreDenied, StoreError, StoreUnavailable
from dwh_eventstore.leases import Lease, Leases
from dwh_eventstore.log import Appended, Entry, EventLog, Origin
from dwh_eventstore.memory import MemoryBackend
from dwh_eventstore.quarantine import Quarantine, raw_bytes
from dwh_eventstore.read_models import Page, ReadModels
from dwh_eventstore.settings import StoreSettings
from dwh_eventstore.store import Store, memory_store, open_store

__all__ = [
    "AppendRejected",
    "Appended",
    "Claim",
    "ClaimState",
    "Claims",
    "Documents",
    "Entry",
    "EventLog",
    "Lease",
    "Leases",
    "MemoryBackend",
    "Origin",
    "Page",
    "Quarantine",
    "ReadModels",
    "Store",
    "StoreDenied",
    "StoreError",
    "StoreSettings",
    "StoreUnavailable",
    "Versioned",
    "bootstrap",
    "memory_store",
    "open_store",
    "raw_bytes",
]
