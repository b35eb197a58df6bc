"""What can go wrong with the store, by what the caller should do.

StoreError
├── StoreUnavailable   try again later; says which server at which address
│   └── StoreDenied    a person must change credentials or rights first; says which and how
└── AppendRejected     the store will never take this document; quarantine it
"""


class StoreError(Exception):
    """Base of all errors of this package."""


class StoreUnavailable(StoreError):  # noqa: N818 - a state of the world, not a fault of the caller
    """The store did not answer, or not completely; the same call may succeed later."""


class StoreDenied(StoreUnavailable):
    """The store, or AWS before it, does not take who we are; nothing was read or written."""


class AppendRejected(StoreError):  # noqa: N818 - reads as the outcome it is
    """The store refused a document for what it is; the same call can never succeed."""
