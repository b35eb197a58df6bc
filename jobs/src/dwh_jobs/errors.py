"""What can go wrong in a run, and what follows.

# JobError
# ├── BadArgumentsError          exit 2, no event: nobody knows yet which run this is
# ├── ConfigRefusedError         exit 2, FAILED event
# ├── SourceUnavailableError     exit 1, FAILED event
# ├── InputMismatchError         exit 1, FAILED event: the input is not what its manifest says
# ├── InvariantError             exit 1, FAILED event: the counts of the run contradict each other
# ├── ObservationError           exit 1, FAILED event: the counts of a finished action did not arrive
# ├── PointerConflictError       exit 1, FAILED event
# └── BaseMovedError             the job is asked to merge again on the new base
# Terminated                     exit 1, FAILED event, published in the seconds that are left
"""

from __future__ import annotations


class JobError(Exception):
    """Base of every error this package raises on purpose."""


class BadArgumentsError(JobError):
    """The command line does not describe a run."""


class ConfigRefusedError(JobError):
    """The job's configuration breaks a rule; `problems` names each path and reason."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{path}: {reason}" for path, reason in problems))


class SourceUnavailableError(JobError):
    """The input of the requested window is not there."""


class InputMismatchError(JobError):
    """The input differs from what its manifest or the arguments say."""


class InvariantError(JobError):
    """Counts that must agree do not: the run must not be published."""


class ObservationError(JobError):
    """The observed counts of an action that succeeded did not arrive in time."""


class PointerConflictError(JobError):
    """The pointer kept changing under every attempt to move it."""


class BaseMovedError(JobError):
    """Another run published first: what was merged on the old base must be merged again."""


class Terminated(BaseException):
    """The platform asked the process to stop; not an `Exception`, so no job can swallow it."""
