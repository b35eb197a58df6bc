"""What can keep the local system from running.

LocalError
├── Missing        something this machine or checkout lacks; the text says how to get it
│   └── NoJava     no Java of the versions that something needs
├── WrongValue     an argument or variable has no such value; the text names it
├── PortBusy       another process holds a port; the text names both
├── NotReady       a part did not become ready in time; the text names its log
└── StepFailed     an expected effect of the demo was not observed
"""

from __future__ import annotations


class LocalError(Exception):
    """A failure a person can act on: its text is one line with cause and remedy."""


class Missing(LocalError):  # noqa: N818 - named for what happened
    """Something this machine or checkout lacks."""


class NoJava(Missing):
    """No Java of the versions that something needs; what needs it can be left out."""


class WrongValue(LocalError):  # noqa: N818 - named for what happened
    """An argument or variable that cannot be what was given."""


class PortBusy(LocalError):  # noqa: N818 - named for what happened
    """A port of the local system is held by another process."""


class NotReady(LocalError):  # noqa: N818 - named for what happened
    """A part did not become ready in time."""


class StepFailed(LocalError):  # noqa: N818 - named for what happened
    """An expected effect of the demo was not observed."""
