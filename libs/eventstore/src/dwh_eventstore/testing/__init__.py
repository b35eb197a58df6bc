"""For tests of this package and of its users: events to append, and the suites every backend must pass."""

from dwh_eventstore.testing.archive_suite import ArchiveSuite, TimeSuite
from dwh_eventstore.testing.backend_suite import BackendSuite
from dwh_eventstore.testing.events import RunFacts
from dwh_eventstore.testing.lock_suite import LockSuite
from dwh_eventstore.testing.replay_suite import HastyClock, ReadingSuite, ReplaySuite
from dwh_eventstore.testing.shared_jobs_suite import SharedJobsSuite
from dwh_eventstore.testing.store_suite import StoreSuite

__all__ = [
    "ArchiveSuite",
    "BackendSuite",
    "HastyClock",
    "LockSuite",
    "ReadingSuite",
    "ReplaySuite",
    "RunFacts",
    "SharedJobsSuite",
    "StoreSuite",
    "TimeSuite",
]
