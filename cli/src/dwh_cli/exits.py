"""How the command ends: 0 done, 1 no or not found, 2 wrong usage or bad input, 3 a server not reachable.

Ended
├── No         1
├── Usage      2
└── NoServer   3
"""

NO_LOCAL_SYSTEM = "the local system is not in this installation (it is the extra `local` of dwh-cli)"


class Ended(Exception):  # noqa: N818 - an end, not always an error
    """One line for the user and the exit code."""

    code = 1


class No(Ended):
    """The answer is no, or there is no such thing."""

    code = 1


class Usage(Ended):
    """Wrong usage or bad input."""

    code = 2


class NoServer(Ended):
    """A needed server is not reachable."""

    code = 3


def exit_code(error: Exception) -> int | None:
    """The exit code of an error that a person can act on; None for any other."""
    if isinstance(error, Ended):
        return error.code
    try:
        from dwh_local.errors import LocalError, NotReady, WrongValue  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        return None
    codes = ((NotReady, NoServer.code), (WrongValue, Usage.code), (LocalError, No.code))
    return next((code for kind, code in codes if isinstance(error, kind)), None)
